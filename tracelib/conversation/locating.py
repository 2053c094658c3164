"""Where in the known conversations a request's history lies, also where its client rewrote it."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from tracelib.conversation.alignment import Fate, Match, align, continued, is_alike, moved
from tracelib.conversation.canonical import ANSWER_KINDS, Canonical, Item, words_key
from tracelib.conversation.item_tree import ItemTree

WordsAt = Callable[[int], str]

# An answer that comes back in several messages is looked for in so many.
MOST_PIECES = 8
# So many items before the last answer are compared where several conversations could be meant.
MOST_COMPARED = 12
# Items after the last known one are looked at so far, dropped ones before it so far back.
MOST_FOLLOWING = 64
MOST_DROPPED = 400


@dataclass(frozen=True, slots=True)
class Piece:
    """An item of a request, with the position of its message."""

    item: Item
    position: int


@dataclass(frozen=True, slots=True)
class Located:
    """How far a request's history is known.

    `node` is the last known item; it `is_followed` where all known ones were sent as they were
    said, from the first on. Where they were not, `answers` counts the known answers among them, and it
    `is_whole` where nothing was dropped and what changed has most words in common. `fresh` are the pieces that are new, in order; the last `tail`
    of them follow the known ones. `changed` are pieces with the nodes that they replace.
    `dropped` counts the messages that are not sent any more: before the first known one, and
    between known ones.
    """

    node: int
    is_known: bool
    is_followed: bool
    is_whole: bool
    answers: int
    fresh: tuple[Piece, ...]
    tail: int
    changed: tuple[tuple[Piece, int], ...]
    dropped: tuple[int, int]


def pieces_of(messages: Sequence[Canonical]) -> tuple[list[Piece], list[Piece]]:
    """The system prompts that a history begins with, and the items of all that follows."""
    count = sum(1 for _ in takewhile(lambda one: one.is_system, messages))
    found = [Piece(item, at) for at, message in enumerate(messages) for item in message.items]
    return found[:count], found[count:]


def located(tree: ItemTree, start: int, pieces: Sequence[Piece], words_at: WordsAt) -> Located:
    """How far is this history known, below this start?

    First it is followed as it was sent. Where an answer comes after the first difference, the
    last known answer tells which conversation it is, and what lies between is aligned with that.
    """
    search = _Search(tree, start, pieces, words_at)
    search.walk()
    if search.at < len(pieces):
        search.rejoin()
        search.anchor()
        search.follow()
    return search.result()


class _Search:
    """One history on its way down the tree: `at` pieces are placed, the last of them at `node`."""

    def __init__(
        self, tree: ItemTree, start: int, pieces: Sequence[Piece], words_at: WordsAt
    ) -> None:
        self.tree, self.start, self.words_at = tree, start, words_at
        self.pieces = list(pieces)
        self.node, self.at = start, 0
        self.known: set[int] = set()  # pieces, but for those that were simply followed
        self.changed: list[tuple[Piece, int]] = []
        self.followed, self.base = 0, start  # so many pieces led from the start to there
        self.nodes: list[int] = []  # met after them

    def walk(self) -> None:
        """Follow the pieces as far as they lead."""
        self.node, self.at = self._walked(self.node, self.at)
        self.followed, self.base = self.at, self.node

    def _walked(self, node: int, at: int, within: Container[int] | None = None) -> tuple[int, int]:
        while at < len(self.pieces):
            child = self.tree.step(node, self.pieces[at].item)
            if child is None or (within is not None and child not in within):
                break
            node, at = child, at + 1
        return node, at

    def rejoin(self) -> None:
        """Take an answer that came back in several messages for the one answer it is."""
        for at in range(self.at, len(self.pieces)):
            if at < len(self.pieces) and self._is_unknown_answer(at):
                self._join(at)

    def _is_unknown_answer(self, at: int) -> bool:
        item = self.pieces[at].item
        return item.kind == "words" and not self.tree.answers_like(item)

    def _join(self, at: int) -> None:
        piece, joined = self.pieces[at], []
        words = self.words_at(piece.position) if self._has_more_words(at) else ""
        for other in self._more_words(at):
            joined.append(other)
            words += self.words_at(self.pieces[other].position)
            whole = replace(piece.item, keys=(words_key(words),))
            if self.tree.answers_like(whole):
                self.pieces[at] = replace(piece, item=whole)
                for one in reversed(joined):
                    del self.pieces[one]
                return

    def _has_more_words(self, at: int) -> bool:
        return next(self._more_words(at), None) is not None

    def _more_words(self, at: int) -> Iterator[int]:
        for other in range(at + 1, min(at + MOST_PIECES, len(self.pieces))):
            kind = self.pieces[other].item.kind
            if kind in ("user", "system"):
                return
            if kind == "words":
                yield other

    def anchor(self) -> None:
        """Place the last known answer, and align what comes before it."""
        found = self._last_answer()
        if found is None:
            return
        last, node = found
        before = self.node, self.at
        if self.at and not self.tree.is_above(self.node, node):
            above = set(self.tree.above(node, self.tree.start_of(node)))
            self.node, self.at = self._walked(self.start, 0, above)
        run = list(self._run(last, node))
        first, first_node = run[-1]
        reach = 4 * (first - self.at) + MOST_DROPPED
        gap = self.tree.above(self.tree.parent(first_node), self.node, reach)
        items = [self.tree.item(one) for one in gap]
        sent = [piece.item for piece in self.pieces[self.at : first]]
        matches = align(items, sent, is_closed=True)
        kept = len(run) + sum(
            match.fate != "changed" or is_alike(items[match.known], sent[match.sent])
            for match in matches
        )
        if self.at or kept > 1 or self.tree.start_of(node) == self.start:
            self._take(gap, matches, run)
        else:
            self.node, self.at = before

    def _last_answer(self) -> tuple[int, int] | None:
        for at in range(len(self.pieces) - 1, self.at - 1, -1):
            item = self.pieces[at].item
            if item.kind in ANSWER_KINDS and not item.is_empty:
                nodes = self.tree.answers_like(item)
                if nodes:
                    return at, max(nodes, key=lambda node: self._context(at, node))
        return None

    def _context(self, at: int, node: int) -> tuple[int, bool, bool, int]:
        """How well does this node fit the piece? By what comes before both, then the newest."""
        call_id = self.pieces[at].item.call_id
        same_call = call_id is not None and call_id == self.tree.item(node).call_id
        is_here = self.tree.start_of(node) == self.start
        alike = sum(1 for _ in self._run(at, node, MOST_COMPARED))
        return alike, is_here, same_call, node

    def _run(self, at: int, node: int, limit: int | None = None) -> Iterator[tuple[int, int]]:
        """Pieces and nodes that are the same, from these backwards."""
        count = 0
        while at >= self.at and node != self.node and not self.tree.is_start(node):
            if not self.tree.is_same(node, self.pieces[at].item) or count == limit:
                return
            yield at, node
            at, node, count = at - 1, self.tree.parent(node), count + 1

    def _take(
        self, gap: Sequence[int], matches: Sequence[Match], run: Sequence[tuple[int, int]]
    ) -> None:
        last, node = run[0]
        self.followed, self.base = self.at, self.node
        for match in matches:
            self._take_match(self.followed + match.sent, gap[match.known], match.fate)
        self.known.update(at for at, _ in run)
        self.nodes += [one for _, one in run]
        self._skip_fillers(self.followed, run[-1][0])
        answer = self.tree.rest_of_message(node)
        self._take_moved([*gap, *(one for _, one in reversed(run)), *answer])
        node = next((one for one in reversed(answer) if one in self.nodes), node)
        self.node, self.at = self._walked(node, last + 1)
        self.known.update(range(last + 1, self.at))
        self.nodes += self.tree.above(self.node, node)

    def _take_match(self, at: int, node: int, fate: Fate) -> None:
        self.known.add(at)
        self.nodes.append(node)
        if fate == "changed" and not self.tree.item(node).is_empty:
            self.changed.append((self.pieces[at], node))

    def _skip_fillers(self, begun: int, end: int) -> None:
        """Clients put a word into an answer that only called tools."""
        for at in range(begun, end):
            piece, after = self.pieces[at], self.pieces[at + 1]
            is_beside = piece.position == after.position and at + 1 in self.known
            if piece.item.kind == "words" and after.item.kind == "call" and is_beside:
                self.known.add(at)

    def _take_moved(self, path: Sequence[int]) -> None:
        """Take what is in another place: parts of an answer, reminders that move with the end."""
        taken = {at for at, node in enumerate(path) if node in self.nodes} | {-1, len(path)}
        left = [at for at in range(self.followed, len(self.pieces)) if at not in self.known]
        sent = [at for at in left if self.tree.is_known(self.pieces[at].item)]
        if not sent or len(taken) == len(path) + 2:
            return
        items = [self.tree.item(node) for node in path]
        for match in moved(items, [self.pieces[at].item for at in sent], taken):
            self.known.add(sent[match.sent])
            self.nodes.append(path[match.known])

    def follow(self) -> None:
        """Take what comes back changed after the last known item."""
        if self.node == self.start:
            return
        below = self.tree.below(self.node, MOST_FOLLOWING)
        rest = [piece.item for piece in self.pieces[self.at :]]
        matches = continued([self.tree.item(node) for node in below], rest)
        begun = self.at
        for match in matches:
            self._take_match(begun + match.sent, below[match.known], match.fate)
            self.node, self.at = below[match.known], begun + match.sent + 1

    def result(self) -> Located:
        """What was found."""
        fresh = [at for at in range(self.followed, len(self.pieces)) if at not in self.known]
        return Located(
            self.node,
            self.node != self.start,
            not self.nodes,
            self._is_whole(),
            self._answers(),
            tuple(self.pieces[at] for at in fresh),
            sum(at >= self.at for at in fresh),
            tuple(self.changed),
            self._dropped(),
        )

    def _is_whole(self) -> bool:
        alike = (is_alike(self.tree.item(node), piece.item) for piece, node in self.changed)
        is_here = self.tree.start_of(self.node) == self.start
        return is_here and self._dropped() == (0, 0) and all(alike)

    def _answers(self) -> int:
        changed = {node for _, node in self.changed}
        kept = (node for node in self.nodes if node not in changed)
        answers = (node for node in kept if self.tree.item(node).kind in ANSWER_KINDS)
        return len({self.tree.ordinal(node) for node in answers})

    def _dropped(self) -> tuple[int, int]:
        nodes = sorted(set(self.nodes), key=self.tree.depth)
        if not nodes:
            return 0, 0
        base = self.tree.ordinal(self.base)
        places = [self.tree.ordinal(node) for node in nodes]
        between = sum(max(0, after - before - 1) for before, after in pairwise(places))
        first = max(0, places[0] - base - 1)
        return (0, first + between) if self.followed else (first, between)
