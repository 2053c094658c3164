"""Requests that clients sent without a session id, joined by what they say: always inferred."""
