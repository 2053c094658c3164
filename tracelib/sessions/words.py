"""What is searched for, in plain words."""

from tracelib.sessions.search import SessionSearch


def in_words(search: SessionSearch) -> tuple[str, ...]:
    """Which conditions must a session meet? A phrase each, none where every session passes."""
    raise NotImplementedError
