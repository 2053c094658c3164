"""Requests one after another: which goes on from which, told by what they say."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from tracelib.stitching.groups import Groups
from tracelib.stitching.heard import Heard
from tracelib.stitching.histories import Histories, Reading

Reason = Literal[
    "names it", "extends it", "sends it again", "begins anew", "sums it up", "was handed on"
]

# Two proxies' clocks differ a little; nobody goes on from an answer before it came.
CLOCKS_APART = timedelta(seconds=1)
SOON = timedelta(minutes=2)
# Where two conversations of the same words could be meant, the nearer must be nearer by far.
NEARER_BY = 4
SHORTEST_GAP = timedelta(minutes=1)


class Following:
    """What is known after the requests so far, by number, which come in the order they started.

    `groups` are the conversations, `links` the pairs that made them; `followers` extend a
    request; `beginnings` are those of which nothing before told where they belong.
    """

    def __init__(self) -> None:
        self.requests: list[Heard] = []
        self.groups = Groups()
        self.links: list[tuple[int, int, Reason]] = []
        self.followers: dict[int, list[int]] = {}
        self.beginnings: list[int] = []
        self.histories = Histories()
        self._number_of: dict[str, int] = {}

    def add(self, request: Heard) -> None:
        """Place the next request."""
        number = self.groups.add()
        self.requests.append(request)
        known = (self._number_of.get(one) for one in request.previous_ids)
        named = next((one for one in known if one is not None), None)
        if named is not None:
            self.link(number, named, "names it")
        elif request.asked:
            self._place(number)
        self._number_of[request.request_id] = number
        # A response replayed from LiteLLM's cache keeps its id, its row gets a suffix.
        self._number_of.setdefault(request.request_id.split("_cache_hit")[0], number)

    def link(self, number: int, other: int, reason: Reason) -> None:
        """These two are one conversation, for this reason."""
        self.groups.join(number, other)
        self.links.append((number, other, reason))

    def may_follow(self, number: int, other: int) -> bool:
        """Was the other one over when this one began, and asked by the same end user?"""
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

    def _before(self, number: int, reading: Reading) -> int | None:
        """The request whose messages and answer this history holds; the longest such."""
        if not reading.is_proven:
            return None
        for node in reading.answers:
            others = self.histories.answered_at(node)
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

    def _failed_before(self, number: int, reading: Reading) -> int | None:
        """The failed request that sent just the same shortly before."""
        same = self.histories.asked_at(reading)
        failed = (other for other in reversed(same) if self.requests[other].is_failure)
        return next((other for other in failed if self.is_soon_after(number, other)), None)

    def _gap(self, number: int, other: int) -> timedelta:
        return self.requests[number].started_at - self.requests[other].ended_at
