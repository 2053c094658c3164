"""System messages that a client sends anew in every request, with other words."""

from collections.abc import Iterable, Iterator

from tracelib.conversation.alignment import is_unchanged
from tracelib.conversation.canonical import Item
from tracelib.conversation.item_tree import ItemTree
from tracelib.conversation.sent import Piece

# A system message with other words than before, what it was, and its node if it has one.
Restated = tuple[Piece, Item, int | None]


def restated(
    tree: ItemTree, start: int, sent: Iterable[tuple[Piece, int | None]]
) -> Iterator[Restated]:
    """Which of these system messages, each with its node if it has one, have other words?

    They are recognised by a part of their words: a client puts the time or retrieved text into
    them. Without a node the newest one below this start is meant.
    """
    for piece, node in sent:
        before = tree.reminder(start, piece.item) if node is None else tree.item(node)
        if before is not None and not is_unchanged(before, piece.item):
            yield piece, before, node
