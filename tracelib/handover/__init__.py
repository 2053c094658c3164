"""A session or a list handed to someone without access: files that stand on their own."""
