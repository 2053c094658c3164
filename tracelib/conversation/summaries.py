"""Summaries that a request starts from: answers of earlier requests that it holds word by word."""

from collections.abc import Iterator, Sequence

from tracelib.conversation.alignment import align, holds
from tracelib.conversation.canonical import Item
from tracelib.conversation.item_tree import ItemTree
from tracelib.conversation.sent import Piece
from tracelib.conversation.vocabulary import numbers_of

# A summary has so many different words.
SHORTEST_SUMMARY = 8


def summaries(tree: ItemTree, pieces: Sequence[Piece]) -> Iterator[tuple[int, Piece]]:
    """Which of the newest answers do these questions and prompts hold? The newest first.

    Nodes, each with the first piece that holds it.
    """
    texts = [piece for piece in pieces if piece.item.kind in ("user", "system")]
    for node in tree.newest_answers():
        answer = tree.item(node)
        holder = next((piece for piece in texts if _holds_summary(piece.item, answer)), None)
        if holder is not None:
            yield node, holder


def holds_any(items: Sequence[Item], node: int, tree: ItemTree) -> bool:
    """Does one of these items hold the answer of this node?"""
    return any(_holds_summary(item, tree.item(node)) for item in items)


def new_beside_summary(
    tree: ItemTree, node: int, pieces: Sequence[Piece], summary_at: int
) -> Sequence[Piece]:
    """These pieces but for those before the summary that the conversation up to this node has.

    `summary_at` is the position of the message that holds the summary.
    """
    before = [one for one in pieces if one.position < summary_at]
    known = [tree.item(one) for one in tree.above(node, tree.start_of(node))]
    matches = align(known, [one.item for one in before])
    kept = {match.sent for match in matches if match.fate == "kept"}
    new = [one for at, one in enumerate(before) if at not in kept]
    return [*new, *pieces[len(before) :]]


def _holds_summary(item: Item, answer: Item) -> bool:
    is_long = len(numbers_of(answer.vocabulary)) >= SHORTEST_SUMMARY
    return is_long and holds(item, answer)
