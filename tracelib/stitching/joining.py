"""Which requests belong to one conversation, inferred from the messages alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile

from tracelib.conversation.requests import StoredRequest
from tracelib.conversation.threading.history import Reader
from tracelib.selection import RowId
from tracelib.stitching.fingerprint import fingerprint
from tracelib.stitching.linker import CLOCKS_APART, SOON, Linker, Reason

# Minimum lengths of a summary, and of the conversation it summarises.
LEAST_QUOTED = 40
RESPONSES_SUMMARISED = 2
LONGEST_RESPONSE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Handoff:
    """A task that a response gave to a tool, and its result in a later request."""

    sender: int
    receiver: int
    outcome: str


def link_beginnings(linker: Linker) -> None:
    """Link each beginning to the conversation that it shortens or works for, if there is one."""
    errands = _handoffs(linker)
    for number in linker.beginnings:
        if (left := _left_before(linker, number)) is not None:
            linker.link(number, left, "restarts it")
        elif (summary := _summary(linker, number)) is not None:
            linker.link(number, summary, "summarises it")
        elif (sender := _sender(linker, number, errands)) is not None:
            linker.link(number, sender, "works for it")


def _left_before(linker: Linker, number: int) -> int | None:
    """The conversation of this opening that was left open shortly before, if it is the only one.

    An opening that several conversations share is a template: it identifies none of them.
    """
    request = linker.requests[number]
    if len(request.history) == len(request.opening):
        return None  # a job that starts again, not a shortened history
    alike = [other for other in linker.histories.same_opening(request) if other < number]
    left = [
        other for other in alike if _is_left(linker, other) and linker.is_soon_after(number, other)
    ]
    is_its_own = len({linker.groups.of(other) for other in alike}) == 1
    return left[-1] if left and is_its_own else None


def _is_left(linker: Linker, number: int) -> bool:
    """Did it continue another and was never continued, though it waited for a tool or failed?"""
    continues = linker.requests[number].responses_held > 0
    return continues and linker.requests[number].is_left_open and number not in linker.followers


def _summary(linker: Linker, number: int) -> int | None:
    """The request whose response on a whole conversation this first message contains word for word.

    It must continue under the system prompt of that conversation: judges quote responses, too.
    """
    quoted = [
        other
        for other in _recent(linker, number)
        if linker.requests[other].responses_held >= RESPONSES_SUMMARISED
        and len(linker.requests[other].outcome) >= LEAST_QUOTED
        and linker.requests[other].outcome in linker.requests[number].task
        and linker.is_soon_after(number, other)
        and _has_system_of(linker, number, other)
    ]
    return quoted[0] if len({linker.groups.of(other) for other in quoted}) == 1 else None


def _has_system_of(linker: Linker, number: int, other: int) -> bool:
    """Does this request have the system prompt of one that is joined with the other?"""
    group = linker.groups.of(other)
    members = (one for one in range(number) if linker.groups.of(one) == group)
    system = linker.requests[number].opening[:-1]
    return any(linker.requests[one].opening[:-1] == system for one in members)


def _recent(linker: Linker, number: int) -> Iterator[int]:
    """The requests that started within some minutes before, the newest first."""
    earliest = linker.requests[number].started_at - LONGEST_RESPONSE - SOON
    before = range(number - 1, -1, -1)
    return takewhile(lambda one: linker.requests[one].started_at >= earliest, before)


def _handoffs(linker: Linker) -> dict[str, list[Handoff]]:
    found: dict[str, list[Handoff]] = {}
    for sender, receivers in linker.followers.items():
        for call_id, task in linker.requests[sender].tasks:
            for receiver in receivers:
                outcome = dict(linker.requests[receiver].outcomes).get(call_id)
                if outcome:
                    found.setdefault(task, []).append(Handoff(sender, receiver, outcome))
    return found


def _sender(linker: Linker, number: int, errands: dict[str, list[Handoff]]) -> int | None:
    """The request that gave this task to a tool: the result went back, and this ran in between."""
    requests = linker.requests
    last = max(_thread(linker, number), key=lambda one: (requests[one].started_at, one))
    senders = {
        errand.sender
        for errand in errands.get(requests[number].task, ())
        if errand.outcome == requests[last].outcome
        and linker.may_follow(number, errand.sender)
        and requests[last].ended_at <= requests[errand.receiver].started_at + CLOCKS_APART
    }
    return senders.pop() if len(senders) == 1 else None


def _thread(linker: Linker, number: int) -> Iterator[int]:
    waiting = [number]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += linker.followers.get(one, ())


@dataclass(frozen=True, slots=True)
class Link:
    """Two requests of one conversation, and how that is known.

    names it        it names the response it continues: exact
    extends it      its messages begin with those of the other and its response, or with a tail
                    of them that holds two responses
    sends it again  the other failed, and the same messages were sent again within two minutes
    restarts it     the other failed or was left waiting for a tool; within two minutes its
                    opening, which no other conversation has, was sent with another history
    summarises it   under a system prompt of the other's conversation its first message holds,
                    word for word, the response of the other to all of it, of up to two minutes
                    before
    works for it    a tool call in the response of the other has its first message, and the
                    response at its end came back as the result of that call
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
    """Which of these requests of one key are one conversation, by their messages alone?

    Every request once; one that belongs to no other is a conversation alone. Messages that are not
    stored, redacted messages and single calls (an embedding, an image) never join, nor does the
    same opening alone: different people and nightly jobs send it too. If two conversations with the
    same messages are possible, neither is joined. Bodies are read one by one and not kept. No
    requests give none.
    """
    reader = Reader()
    listened = [fingerprint(request, reader) for request in requests]
    linker = Linker()
    for request in sorted(listened, key=lambda one: (one.started_at, one.request_id)):
        linker.add(request)
    link_beginnings(linker)
    rows = [RowId(one.request_id, one.started_at) for one in linker.requests]
    return Joined(
        tuple(tuple(rows[number] for number in group) for group in linker.groups.all()),
        tuple(Link(rows[one], rows[other], reason) for one, other, reason in linker.links),
    )
