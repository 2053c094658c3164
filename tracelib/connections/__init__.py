"""Connections to the server: whose they are, and their limits."""
