"""Which request continues which, inferred from the messages alone."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tracelib.conversation.threading.anchors import Located
from tracelib.conversation.threading.item_tree import ItemTree
from tracelib.conversation.threading.locating import located
from tracelib.conversation.threading.sent import SentHistory
from tracelib.stitching.fingerprint import Fingerprint


class Groups:
    """Union-find: numbers from 0, each a group of its own until joined to another."""

    def __init__(self) -> None:
        self._towards: list[int] = []

    def add(self) -> int:
        """The next number, as a group of its own."""
        self._towards.append(len(self._towards))
        return len(self._towards) - 1

    def join(self, one: int, other: int) -> None:
        """Merge the groups of these two."""
        self._towards[self.of(one)] = self.of(other)

    def of(self, one: int) -> int:
        """The group of this number, as one of its members."""
        while self._towards[one] != one:
            self._towards[one] = self._towards[self._towards[one]]
            one = self._towards[one]
        return one

    def all(self) -> Iterator[list[int]]:
        """Every group with its members, by the first of them."""
        members: dict[int, list[int]] = {}
        for number in range(len(self._towards)):
            members.setdefault(self.of(number), []).append(number)
        yield from members.values()


# A part of a conversation must have this many of its responses to identify it.
RESPONSES_IN_A_PART = 2


@dataclass(frozen=True, slots=True)
class KnownHistory:
    """One history as far as it is known in the tree, and whether that proves where it belongs.

    `responses` are the nodes of its responses, the last first.
    """

    found: Located
    responses: tuple[int, ...]
    is_proven: bool


class Histories:
    """Messages as children of the messages they followed, with the numbers of their requests."""

    def __init__(self) -> None:
        self._tree = ItemTree()
        self._starts: dict[Hashable, int] = {}
        # node of a response -> the requests that received it
        self._received: dict[int, list[int]] = {}
        # node of a last message -> the requests that ended with it
        self._ended_with: dict[int, list[int]] = {}
        self._opened: dict[Hashable, list[int]] = {}  # opening -> the requests that began with it

    def read(self, request: Fingerprint) -> KnownHistory:
        """How much of this history is known, from its beginning or from any point in others?"""
        pieces = SentHistory().extended(request.history).pieces
        found = located(self._tree, self._start(request), pieces)
        responses = tuple(self._responses_above(found)) if found.is_known else ()
        return KnownHistory(found, responses, _is_proven(found))

    def response_requests(self, node: int) -> Sequence[int]:
        """Which requests received this response, the first on top?"""
        return self._received.get(node, ())

    def prompt_requests(self, reading: KnownHistory) -> Sequence[int]:
        """Which requests sent exactly these messages, the first on top?"""
        is_whole = reading.found.is_followed and not reading.found.fresh
        return self._ended_with.get(reading.found.node, ()) if is_whole else ()

    def same_opening(self, request: Fingerprint) -> Sequence[int]:
        """Which requests have the system prompt and the first message of this one?"""
        return self._opened.get(_opening(request), ()) if request.opening else ()

    def add(self, number: int, request: Fingerprint, reading: KnownHistory) -> None:
        """Add the messages of this request, as read, and its responses."""
        found = reading.found
        end = found.node if reading.is_proven else self._start(request)
        for before, item, node in found.steps if reading.is_proven else ():
            self._tree.learn(before, item, node)
        pieces = SentHistory().extended(request.history).pieces
        for piece in found.fresh if reading.is_proven else pieces:
            end = self._tree.add(end, piece.item, number, begins_message=True)
        self._ended_with.setdefault(end, []).append(number)
        for response in request.responses:
            node = end
            for item in response.items:
                node = self._tree.add(node, item, number, begins_message=node == end)
                self._received.setdefault(node, []).append(number)
        if request.opening:
            self._opened.setdefault(_opening(request), []).append(number)

    def _start(self, request: Fingerprint) -> int:
        name = tuple(item.keys[0] for item in request.prompts)
        return self._starts.setdefault(name, self._tree.start(name))

    def _responses_above(self, found: Located) -> Iterator[int]:
        node = found.node
        while not self._tree.is_start(node):
            if node in self._received:
                yield node
            node = self._tree.parent(node)


def _is_proven(found: Located) -> bool:
    if found.is_followed:
        return True
    return found.responses_known >= (1 if found.is_whole else RESPONSES_IN_A_PART)


def _opening(request: Fingerprint) -> Hashable:
    return tuple(item.keys[0] for message in request.opening for item in message.items)


Reason = Literal[
    "names it", "extends it", "sends it again", "restarts it", "summarises it", "works for it"
]

# Two proxies' clocks differ a little; no one continues a response before it arrived.
CLOCKS_APART = timedelta(seconds=1)
SOON = timedelta(minutes=2)
# If two conversations with the same text are possible, the nearer must be nearer by this factor.
NEARER_BY = 4
SHORTEST_GAP = timedelta(minutes=1)


class Linker:
    """The state after the requests so far, by number; they come by start.

    `groups` are the conversations, `links` the pairs that made them; `followers` continue a
    request; `beginnings` are those that no earlier request explains.
    """

    def __init__(self) -> None:
        self.requests: list[Fingerprint] = []
        self.groups = Groups()
        self.links: list[tuple[int, int, Reason]] = []
        self.followers: dict[int, list[int]] = {}
        self.beginnings: list[int] = []
        self.histories = Histories()
        self._number_of: dict[str, int] = {}

    def add(self, request: Fingerprint) -> None:
        """Place the next request."""
        number = self.groups.add()
        self.requests.append(request)
        known = (self._number_of.get(one) for one in request.previous_ids)
        named = next((one for one in known if one is not None), None)
        if named is not None:
            self.link(number, named, "names it")
        elif request.history:
            self._place(number)
        self._number_of[request.request_id] = number
        # A response from LiteLLM's cache keeps its ID, its row gets a suffix.
        self._number_of.setdefault(request.request_id.split("_cache_hit")[0], number)

    def link(self, number: int, other: int, reason: Reason) -> None:
        """Join these two into one conversation, for this reason."""
        self.groups.join(number, other)
        self.links.append((number, other, reason))

    def may_follow(self, number: int, other: int) -> bool:
        """Was the other one over when this one began, and sent by the same end user?"""
        one, earlier = self.requests[number], self.requests[other]
        return one.user == earlier.user and earlier.ended_at <= one.started_at + CLOCKS_APART

    def is_soon_after(self, number: int, other: int) -> bool:
        """Did this one begin within two minutes of the other's end?"""
        return self.may_follow(number, other) and self._gap(number, other) <= SOON

    def _place(self, number: int) -> None:
        reading = self.histories.read(self.requests[number])
        before = self._before(number, reading)
        if before is not None:
            self.followers.setdefault(before, []).append(number)
            self.link(number, before, "extends it")
        elif (failed := self._failed_before(number, reading)) is not None:
            self.link(number, failed, "sends it again")
        else:
            self.beginnings.append(number)
        self.histories.add(number, self.requests[number], reading)

    def _before(self, number: int, reading: KnownHistory) -> int | None:
        """The request whose messages and response this history contains; the longest such."""
        if not reading.is_proven:
            return None
        for node in reading.responses:
            others = self.histories.response_requests(node)
            meant = [other for other in others if self.may_follow(number, other)]
            if meant:
                return self._nearest(number, meant)
        return None

    def _nearest(self, number: int, others: Sequence[int]) -> int | None:
        nearest = min(others, key=lambda other: self._gap(number, other))
        near = NEARER_BY * max(self._gap(number, nearest), SHORTEST_GAP)
        rivals = (
            other
            for other in others
            if not self.followers.get(other) and self.groups.of(other) != self.groups.of(nearest)
        )
        return None if any(self._gap(number, rival) < near for rival in rivals) else nearest

    def _failed_before(self, number: int, reading: KnownHistory) -> int | None:
        """The failed request that sent exactly the same shortly before."""
        same = self.histories.prompt_requests(reading)
        failed = (other for other in reversed(same) if self.requests[other].is_failure)
        return next((other for other in failed if self.is_soon_after(number, other)), None)

    def _gap(self, number: int, other: int) -> timedelta:
        return self.requests[number].started_at - self.requests[other].ended_at
