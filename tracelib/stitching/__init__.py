"""Requests that clients sent without a session id, joined by what they say: always inferred.

heard         a request reduced to the keys of what was said in it
errands       what goes to tools and comes back from them
histories     the histories of many requests as one tree
following     which request goes on from which
looking_back  what shows only once all requests are known
joining       the conversations among given requests
around        the conversation around one request of a database
"""

from tracelib.stitching.around import REACH, Stitched, conversation_around
from tracelib.stitching.following import Reason
from tracelib.stitching.joining import Joined, Link, joined

__all__ = ["REACH", "Joined", "Link", "Reason", "Stitched", "conversation_around", "joined"]
