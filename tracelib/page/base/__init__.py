"""The frame of every page: its address, its head and sidebar, who looks, cards and tables."""
