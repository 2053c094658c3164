"""What is known of the history that a request sends: where it lies, what is new, what changed."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from tracelib.conversation.canonical import Item, Key
from tracelib.conversation.reminders import Restated
from tracelib.conversation.sent import Piece


@dataclass(frozen=True, slots=True)
class Located:
    """How far a request's history is known.

    `node` is the last known item. It `is_followed` where all known ones were sent as they were
    said, from the first on. Else `answers` counts the known answers among them, and it `is_whole`
    where nothing was dropped and what changed has most words in common.

    `fresh` are the pieces that are new, in order; the last `tail` of them follow the known ones.
    `changed` are pieces with the nodes that they replace. `restated` are system messages that are
    sent with other words than before. `steps` lead from one known item to the next as this client
    sends them. `dropped` counts the messages that are not sent any more: before the first known
    one, and between known ones.
    """

    node: int
    is_known: bool
    is_followed: bool
    is_whole: bool
    answers: int
    fresh: tuple[Piece, ...]
    tail: int
    changed: tuple[tuple[Piece, int], ...]
    restated: tuple[Restated, ...]
    steps: tuple[tuple[int, Item, int], ...]
    dropped: tuple[int, int]

    def without(self, keys: Collection[Key]) -> "Located":
        """This without new pieces of these keys, which the client puts behind every question."""
        rest = tuple(one for one in self.fresh if one.item.keys[0] not in keys)
        return replace(self, fresh=rest, tail=self.tail - len(self.fresh) + len(rest))
