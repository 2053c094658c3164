"""Messages that a client sends as several, or several that it sends as one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, takewhile

from tracelib.conversation.canonical import Item, together
from tracelib.conversation.item_tree import ItemTree
from tracelib.conversation.sent import Piece

# The words of the message at a position; None where it holds more than words.
WordsAt = Callable[[int], str | None]

# A message that comes back in several ones is looked for in so many.
MOST_PIECES = 8


def rejoined(tree: ItemTree, pieces: Sequence[Piece], first: int, words_at: WordsAt) -> list[Piece]:
    """The pieces with each message that came back in several ones as the one that it is.

    Those before `first` are left as they are.
    """
    found = list(pieces)
    for at in range(first, len(found)):
        if at < len(found) and not _is_known(tree, found[at].item):
            _join(tree, found, at, words_at)
    return found


def learn_together(tree: ItemTree, node: int, pieces: Sequence[Piece], words_at: WordsAt) -> None:
    """Let the questions that end at this node be known as one, too: they may come back so."""
    newest = takewhile(lambda one: one.item.kind == "user", reversed(pieces))
    questions = [*islice(newest, MOST_PIECES)]
    above, words = node, ""
    for piece in questions if len(questions) > 1 else []:
        more = words_at(piece.position)
        if more is None or not tree.is_same(above, piece.item):
            return
        words = more + words
        parent = tree.parent(above)
        if above != node:
            tree.learn(parent, together(piece.item, words), node)
        above = parent


def _is_known(tree: ItemTree, item: Item) -> bool:
    return bool(tree.answers_like(item)) if item.kind == "words" else tree.is_known(item)


def _join(tree: ItemTree, pieces: list[Piece], at: int, words_at: WordsAt) -> None:
    others = list(_more_words(pieces, at))
    words = words_at(pieces[at].position) if others else None
    for count, other in enumerate(others, start=1):
        more = words_at(pieces[other].position)
        if words is None or more is None:
            return
        words += more
        whole = together(pieces[at].item, words)
        if _is_known(tree, whole):
            parts = (pieces[at], *(pieces[one] for one in others[:count]))
            pieces[at] = replace(pieces[at], item=whole, made_of=parts)
            for joined in reversed(others[:count]):
                del pieces[joined]
            return


def _more_words(pieces: Sequence[Piece], at: int) -> Iterator[int]:
    """The pieces that may go on from this one: further words of an answer, or of a question."""
    kind = pieces[at].item.kind
    if kind not in ("words", "user"):
        return
    for other in range(at + 1, min(at + MOST_PIECES, len(pieces))):
        following = pieces[other].item.kind
        if following == kind:
            yield other
        elif kind == "user" or following in ("user", "system"):
            return
