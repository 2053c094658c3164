"""The frame of every page: its address, head and sidebar, the viewer, cards and tables."""
