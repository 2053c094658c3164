"""Requests without a session ID, joined into conversations by their messages: always inferred.

fingerprint  a request reduced to keys of its messages
linker       which request continues which
joining      the conversations among given requests
around       the conversation around one request of a database
"""

from tracelib.stitching.around import REACH, Stitched, conversation_around
from tracelib.stitching.joining import Joined, Link, joined
from tracelib.stitching.linker import Reason

__all__ = ["REACH", "Joined", "Link", "Reason", "Stitched", "conversation_around", "joined"]
