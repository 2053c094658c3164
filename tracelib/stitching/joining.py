"""Which requests belong together, told by what they say and not by their session ids."""

from collections.abc import Iterable
from dataclasses import dataclass

from tracelib.conversation.reader import Reader
from tracelib.conversation.stored import StoredRequest
from tracelib.selection import RowId
from tracelib.stitching.following import Following, Reason
from tracelib.stitching.heard import heard
from tracelib.stitching.looking_back import link_beginnings


@dataclass(frozen=True, slots=True)
class Link:
    """Two requests of one conversation, and how that is known.

    names it        it names the response it goes on from: exact
    extends it      its messages begin with those of the other and its answer, or with a tail
                    of them that holds two answers
    sends it again  the other failed, and the same messages came again within two minutes
    begins anew     the other was under way and failed or was left waiting for a tool; within
                    two minutes its opening, which no other conversation has, came again with
                    another history
    sums it up      under a system prompt of the other's conversation its first message holds,
                    word by word, what the other answered to all of it within two minutes before
    was handed on   a tool call that answered the other carries its first message, and the
                    answer at its end came back as the result of that call
    """

    row: RowId
    other: RowId
    reason: Reason


@dataclass(frozen=True, slots=True)
class Joined:
    """Conversations by their first request, each in the order it was made, and what joins them."""

    conversations: tuple[tuple[RowId, ...], ...]
    links: tuple[Link, ...]


def joined(requests: Iterable[StoredRequest]) -> Joined:
    """Which of these requests of one key are one conversation, told by what they say alone?

    Every request once; one that belongs to no other is a conversation alone. Words that
    are not stored, redacted words and single calls (an embedding, an image) never join, nor
    does the same opening alone: different people and nightly jobs send it too. Where two
    conversations of the same words could be meant, none is. Bodies are read as they come and
    not kept. No requests give none.
    """
    reader = Reader()
    listened = [heard(request, reader) for request in requests]
    following = Following()
    for request in sorted(listened, key=lambda one: (one.started_at, one.request_id)):
        following.add(request)
    link_beginnings(following)
    rows = [RowId(one.request_id, one.started_at) for one in following.requests]
    return Joined(
        tuple(tuple(rows[number] for number in group) for group in following.groups.all()),
        tuple(Link(rows[one], rows[other], reason) for one, other, reason in following.links),
    )
