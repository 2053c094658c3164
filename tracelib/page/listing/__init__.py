"""The list of sessions: its search, its table, its snippets."""
