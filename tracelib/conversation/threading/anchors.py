"""Known items in a history that its client rewrote: they show which conversation it continues."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from tracelib.conversation.threading.alignment import is_like, is_same, is_unchanged
from tracelib.conversation.threading.canonical import RESPONSE_KINDS, Item, Key, together
from tracelib.conversation.threading.item_tree import ItemTree
from tracelib.conversation.threading.pairs import ALIKE
from tracelib.conversation.threading.sent import Piece
from tracelib.conversation.threading.spellings import common_share

# How many items before the last response are compared if several conversations are possible.
MOST_COMPARED = 12
# A response that nothing follows yet counts as much as this many equal items before it.
NEWEST_COUNTS = 3
# A response that its client rewrote is searched for among this many last ones of a history.
MOST_EDITED = 3
# A response that was moved behind others is searched for this far before it.
MOST_MOVED = 64
# The share of its words that must be kept if its question is not.
MOSTLY_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a history was followed: from `start` to `node`, by its first `count` pieces."""

    start: int
    node: int
    count: int


def last_response(
    tree: ItemTree, pieces: Sequence[Piece], followed: Followed
) -> tuple[int, int] | None:
    """The position and node of the last response that is known, or like a known one.

    A response that used to come before the one that it now follows was moved, as clients move
    messages they write in the model's name; then that other one is the last.
    """
    found = _last_known(tree, pieces, followed)
    if found is None:
        return None
    last, node = found
    for at in range(last - 1, max(followed.count, last - MOST_MOVED) - 1, -1):
        item = pieces[at].item
        if item.kind in RESPONSE_KINDS and not item.is_empty:
            others = (one for one in reversed(tree.responses_like(item)) if one != node)
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
        if item.kind not in RESPONSE_KINDS or item.is_empty:
            continue
        nodes = _not_followed(tree, tree.responses_like(item), followed)
        if not nodes and edited < MOST_EDITED and at + 1 < len(pieces):
            edited += 1
            newest = _not_followed(tree, tree.newest_responses(), followed)
            nodes = [node for node in newest if _is_edited(tree, pieces, at, node)]
        if nodes:
            return at, _best(tree, pieces, at, nodes, followed)
    return None


def _best(
    tree: ItemTree, pieces: Sequence[Piece], at: int, nodes: Sequence[int], followed: Followed
) -> int:
    """The node that fits the piece best; of equals the one with most in common, then the newest."""
    contexts = {node: _context(tree, pieces, at, node, followed) for node in nodes}
    best = max(contexts.values())
    equals = [node for node, context in contexts.items() if context == best]
    if len(equals) == 1:
        return equals[0]
    newest = sorted(equals)[-MOST_COMPARED:]
    return max(newest, key=lambda node: (*_common(tree, pieces, at, node), node))


def _common(tree: ItemTree, pieces: Sequence[Piece], at: int, node: int) -> tuple[int, float]:
    """How many items shortly before the piece and the node are the same; how alike questions are.

    The latter is the share of words that the questions before both have in common.
    """
    above = tree.above(tree.parent(node), tree.start_of(node), MOST_COMPARED)
    known = [tree.item(one) for one in above]
    sent = [piece.item for piece in pieces[max(0, at - MOST_COMPARED) : at]]
    question, before = tree.question_of(node), _question_before(pieces, at)
    share = common_share(before.vocabulary, question.vocabulary) if before and question else 0.0
    return sum(any(is_same(one, item) for one in known) for item in sent), share


def run_before(
    tree: ItemTree, pieces: Sequence[Piece], at: int, node: int, followed: Followed
) -> Iterator[tuple[int, int]]:
    """Positions and nodes that are the same one by one, from these backwards."""
    while at >= followed.count and node != followed.node and not tree.is_start(node):
        if not tree.is_same(node, pieces[at].item):
            return
        yield at, node
        at, node = at - 1, tree.parent(node)


def _not_followed(tree: ItemTree, nodes: Iterable[int], followed: Followed) -> list[int]:
    return [node for node in nodes if not tree.is_above(node, followed.node)]


def _is_edited(tree: ItemTree, pieces: Sequence[Piece], at: int, node: int) -> bool:
    """May this be the response at the node, changed by a client, by its words and its question?"""
    share = common_share(pieces[at].item.vocabulary, tree.item(node).vocabulary)
    if share >= MOSTLY_ALIKE:
        return True
    sent, question = _question_before(pieces, at), tree.question_of(node)
    is_same_question = sent is None or question is None or is_like(sent, question)
    return share >= ALIKE and is_same_question


def _context(
    tree: ItemTree, pieces: Sequence[Piece], at: int, node: int, followed: Followed
) -> tuple[bool, float, int, bool, bool]:
    """How well does this node fit the piece? By what comes just before both."""
    item, known = pieces[at].item, tree.item(node)
    sent, question = _question_before(pieces, at), tree.question_of(node)
    is_same_question = sent is not None and question is not None and is_same(sent, question)
    before = run_before(tree, pieces, at - 1, tree.parent(node), followed)
    alike = sum(1 for _ in islice(before, MOST_COMPARED)) + NEWEST_COUNTS * tree.is_newest(node)
    share = common_share(item.vocabulary, known.vocabulary)
    is_here = tree.start_of(node) == followed.start
    same_call = item.call_id is not None and item.call_id == known.call_id
    return same_call, share, alike, is_same_question, is_here


def _question_before(pieces: Sequence[Piece], at: int) -> Item | None:
    before = (one.item for one in reversed(pieces[:at]) if one.item.kind == "user")
    return next(before, None)


# A system message with changed words, the previous one, and its node if it has one.
Restated = tuple[Piece, Item, int | None]


def restated(
    tree: ItemTree, start: int, sent: Iterable[tuple[Piece, int | None]]
) -> Iterator[Restated]:
    """Which of these system messages, each with its node if it has one, have changed words?

    They are recognised by a part of their words: a client puts the time or retrieved text into
    them. Without a node, the newest one below this start is compared.
    """
    for piece, node in sent:
        before = tree.reminder(start, piece.item) if node is None else tree.item(node)
        if before is not None and not is_unchanged(before, piece.item):
            yield piece, before, node


@dataclass(frozen=True, slots=True)
class Located:
    """How much of a request's history is known.

    `node` is the last known item. It `is_followed` if all known items were sent unchanged, from the
    first on. Else `responses_known` counts the responses among them, and it `is_whole` if nothing
    was dropped and changed items have most words in common.

    `fresh` are the new pieces, in order; the last `tail` of them follow the known ones. `changed`
    are pieces with the nodes that they replace. `restated` are system messages with changed words.
    `steps` lead from one known item to the next as this client sends them. `dropped` counts the
    messages that are no longer sent: before the first known one, and between known ones.
    """

    node: int
    is_known: bool
    is_followed: bool
    is_whole: bool
    responses_known: int
    fresh: tuple[Piece, ...]
    tail: int
    changed: tuple[tuple[Piece, int], ...]
    restated: tuple[Restated, ...]
    steps: tuple[tuple[int, Item, int], ...]
    dropped: tuple[int, int]

    def without(self, keys: Collection[Key]) -> "Located":
        """This without new pieces of these keys, which the client puts after every question."""
        rest = tuple(one for one in self.fresh if one.item.keys[0] not in keys)
        return replace(self, fresh=rest, tail=self.tail - len(self.fresh) + len(rest))


# The text of the message at a position; None if it holds more than text.
WordsAt = Callable[[int], str | None]

# A message that was split is searched for in at most this many pieces.
MOST_PIECES = 8


def rejoined(tree: ItemTree, pieces: Sequence[Piece], first: int, words_at: WordsAt) -> list[Piece]:
    """The pieces, with each message that was split joined again.

    Those before `first` stay as they are.
    """
    found = list(pieces)
    for at in range(first, len(found)):
        if at < len(found) and not _is_known(tree, found[at].item):
            _join(tree, found, at, words_at)
    return found


def learn_together(tree: ItemTree, node: int, pieces: Sequence[Piece], words_at: WordsAt) -> None:
    """Also learn the questions that end at this node as one, because they may be sent joined."""
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
    return bool(tree.responses_like(item)) if item.kind == "words" else tree.is_known(item)


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
    """The pieces that may continue this one: more text of a response, or of a question."""
    kind = pieces[at].item.kind
    if kind not in ("words", "user"):
        return
    for other in range(at + 1, min(at + MOST_PIECES, len(pieces))):
        following = pieces[other].item.kind
        if following == kind:
            yield other
        elif kind == "user" or following in ("user", "system"):
            return
