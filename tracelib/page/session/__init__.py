"""One session: its figures, its timeline, and the conversation."""
