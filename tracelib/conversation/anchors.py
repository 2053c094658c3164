"""The last answer in a rewritten history that is known: it tells which conversation it is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tracelib.conversation.alignment import is_like, is_same
from tracelib.conversation.canonical import ANSWER_KINDS, Item
from tracelib.conversation.item_tree import ItemTree
from tracelib.conversation.pairs import ALIKE
from tracelib.conversation.sent import Piece
from tracelib.conversation.vocabulary import common_share

# So many items before the last answer are compared where several conversations could be meant.
MOST_COMPARED = 12
# That nothing follows an answer yet counts as much as so many items before it.
NEWEST_COUNTS = 3
# An answer that its client rewrote is looked for among the last ones of a history.
MOST_EDITED = 3
# An answer that was moved behind others is looked for so far before it.
MOST_MOVED = 64
# So much of its words must be kept where its question is not.
MOSTLY_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a history was followed: from `start` to `node`, by its first `count` pieces."""

    start: int
    node: int
    count: int


def last_answer(
    tree: ItemTree, pieces: Sequence[Piece], followed: Followed
) -> tuple[int, int] | None:
    """The place of the last answer that is known, or like a known one, and the node of that.

    An answer that stood before one that it now follows was moved, as clients move what they say
    in the model's name; then that other one is the last.
    """
    found = _last_known(tree, pieces, followed)
    if found is None:
        return None
    last, node = found
    for at in range(last - 1, max(followed.count, last - MOST_MOVED) - 1, -1):
        item = pieces[at].item
        if item.kind in ANSWER_KINDS and not item.is_empty:
            others = (one for one in reversed(tree.answers_like(item)) if one != node)
            below = next((one for one in others if tree.is_above(node, one)), None)
            if below is not None:
                return at, below
    return found


def _last_known(
    tree: ItemTree, pieces: Sequence[Piece], followed: Followed
) -> tuple[int, int] | None:
    edited = 0
    for at in range(len(pieces) - 1, followed.count - 1, -1):
        item = pieces[at].item
        if item.kind not in ANSWER_KINDS or item.is_empty:
            continue
        nodes = _not_followed(tree, tree.answers_like(item), followed)
        if not nodes and edited < MOST_EDITED and at + 1 < len(pieces):
            edited += 1
            newest = _not_followed(tree, tree.newest_answers(), followed)
            nodes = [node for node in newest if _is_edited(tree, pieces, at, node)]
        if nodes:
            return at, max(nodes, key=lambda node: _context(tree, pieces, at, node, followed))
    return None


def run_before(
    tree: ItemTree, pieces: Sequence[Piece], at: int, node: int, followed: Followed
) -> Iterator[tuple[int, int]]:
    """Places and nodes that are the same one by one, from these backwards."""
    while at >= followed.count and node != followed.node and not tree.is_start(node):
        if not tree.is_same(node, pieces[at].item):
            return
        yield at, node
        at, node = at - 1, tree.parent(node)


def _not_followed(tree: ItemTree, nodes: Iterable[int], followed: Followed) -> list[int]:
    return [node for node in nodes if not tree.is_above(node, followed.node)]


def _is_edited(tree: ItemTree, pieces: Sequence[Piece], at: int, node: int) -> bool:
    """May this be the answer at the node as a client changed it, by its words and its question?"""
    share = common_share(pieces[at].item.vocabulary, tree.item(node).vocabulary)
    if share >= MOSTLY_ALIKE:
        return True
    asked, question = _question_before(pieces, at), tree.question_of(node)
    is_asked = asked is None or question is None or is_like(asked, question)
    return share >= ALIKE and is_asked


def _context(
    tree: ItemTree, pieces: Sequence[Piece], at: int, node: int, followed: Followed
) -> tuple[bool, float, int, bool, bool, int]:
    """How well does this node fit the piece? By what comes before both, then the newest."""
    item, known = pieces[at].item, tree.item(node)
    asked, question = _question_before(pieces, at), tree.question_of(node)
    is_asked = asked is not None and question is not None and is_same(asked, question)
    before = run_before(tree, pieces, at - 1, tree.parent(node), followed)
    alike = sum(1 for _ in islice(before, MOST_COMPARED)) + NEWEST_COUNTS * tree.is_newest(node)
    share = common_share(item.vocabulary, known.vocabulary)
    is_here = tree.start_of(node) == followed.start
    same_call = item.call_id is not None and item.call_id == known.call_id
    return same_call, share, alike, is_asked, is_here, node


def _question_before(pieces: Sequence[Piece], at: int) -> Item | None:
    before = (one.item for one in reversed(pieces[:at]) if one.item.kind == "user")
    return next(before, None)
