"""The list of sessions: its search, its table, what is found in the words."""
