"""Where in the known conversations a request's history is, even if its client rewrote it."""

from collections.abc import Container, Iterator, Sequence
from itertools import pairwise

from tracelib.conversation.threading.alignment import (
    Fate,
    Match,
    align,
    continued,
    holds,
    is_alike,
    moved,
)
from tracelib.conversation.threading.anchors import (
    Followed,
    Located,
    WordsAt,
    last_response,
    rejoined,
    restated,
    run_before,
)
from tracelib.conversation.threading.canonical import REFERENCE, RESPONSE_KINDS, Item
from tracelib.conversation.threading.item_tree import ItemTree
from tracelib.conversation.threading.pairs import SHORT
from tracelib.conversation.threading.sent import Piece

# How many items are compared after the last known one, and dropped ones before it.
MOST_FOLLOWING = 64
MOST_DROPPED = 200


def located(
    tree: ItemTree,
    start: int,
    pieces: Sequence[Piece],
    words_at: WordsAt = lambda _: None,
    begun: tuple[int, int] | None = None,
) -> Located:
    """How much of this history is known, below this start?

    `begun` is the node that its first pieces lead to, and their number, if that is known. First the
    history is followed as it was sent. If a response comes after the first difference, the last
    known response shows which conversation it is, and the items between are aligned with it.
    """
    search = _Search(tree, start, pieces, begun or (start, 0))
    search.walk()
    if search.at < len(pieces):
        search.pieces = rejoined(tree, search.pieces, search.at, words_at)
        search.walk()
        search.anchor()
        search.follow()
        search.match_question()
    return search.result()


class _Search:
    """The search for one history in the tree.

    `at` pieces are placed, the last of them at `node`.
    """

    def __init__(
        self, tree: ItemTree, start: int, pieces: Sequence[Piece], begun: tuple[int, int]
    ) -> None:
        self.tree, self.start = tree, start
        self.pieces = list(pieces)
        self.node, self.at = begun
        self.begun = self.at
        self.known: set[int] = set()  # pieces, except those that were simply followed
        self.changed: list[tuple[Piece, int]] = []
        self.followed, self.base = 0, start  # this many pieces led from the start to there
        self.nodes: list[int] = []  # found after them
        self.matched: list[tuple[int, int]] = []  # pieces with their nodes
        self.moved: set[int] = set()  # messages among them that the client moves to the end

    def walk(self) -> None:
        """Follow the pieces as far as they lead."""
        self.node, self.at = self._walked(self.node, self.at)
        self.followed, self.base = self.at, self.node

    def _walked(self, node: int, at: int, within: Container[int] | None = None) -> tuple[int, int]:
        while at < len(self.pieces):
            child = self.tree.step(node, self.pieces[at].item)
            if child is None and within is None:
                child, beyond = self._through_step(node, at)
            else:
                beyond = at + 1
            if child is None and self._is_named(node, at):
                child, beyond = node, at + 1
            if child is None or (within is not None and child not in within):
                break
            node, at = child, beyond
        return node, at

    def _through_step(self, node: int, at: int) -> tuple[int | None, int]:
        """Follow calls and results of one step in any order, if all of them exist.

        A text that a client added to a response with only tool calls is skipped.
        """
        if self._is_filler(at):
            return self.tree.step(node, self.pieces[at + 1].item), at + 2
        step = self.tree.rest_of_step(node)
        left = list(step)
        while left and at < len(self.pieces):
            found = next((one for one in left if self._is_same(at, one)), None)
            if found is None:
                break
            left.remove(found)
            at += 1
        return (None, at) if left or not step else (step[-1], at)

    def _is_named(self, node: int, at: int) -> bool:
        """Does this piece refer to a part of the message that this node ends?"""
        if self.pieces[at].item.name != REFERENCE:
            return False
        return any(self._is_same(at, one) for one in self.tree.message_of(node))

    def _is_filler(self, at: int) -> bool:
        kinds = [piece.item.kind for piece in self.pieces[at : at + 2]]
        return kinds == ["words", "call"]

    def anchor(self) -> None:
        """Place the last known response, and align what comes before it."""
        here = Followed(self.start, self.node, self.at)
        found = last_response(self.tree, self.pieces, here)
        if found is None:
            return
        last, node = found
        before = self.node, self.at
        if self.at and not self.tree.is_above(self.node, node):
            above = set(self.tree.above(node, self.tree.start_of(node)))
            self.node, self.at = self._walked(self.start, 0, above)
        here = Followed(self.start, self.node, self.at)
        before_response = run_before(self.tree, self.pieces, last - 1, self.tree.parent(node), here)
        run = [(last, node), *before_response]
        first, first_node = run[-1]
        sent = [piece.item for piece in self.pieces[self.at : first]]
        gap: list[int] = []
        if sent or any(self.tree.is_known(piece.item) for piece in self.pieces[last + 1 :]):
            reach = 4 * len(sent) + MOST_DROPPED
            gap = self.tree.above(self.tree.parent(first_node), self.node, reach)
        items = [self.tree.item(one) for one in gap]
        matches = align(items, sent, is_closed=True)
        kept = len(run) + sum(
            match.fate != "changed" or is_alike(items[match.known], sent[match.sent])
            for match in matches
        )
        if self.at or kept > 1 or self.tree.start_of(node) == self.start:
            self._take(gap, matches, run)
        else:
            self.node, self.at = before

    def _is_same(self, at: int, node: int) -> bool:
        return self.tree.is_same(node, self.pieces[at].item)

    def _take(
        self, gap: Sequence[int], matches: Sequence[Match], run: Sequence[tuple[int, int]]
    ) -> None:
        last, node = run[0]
        self.followed, self.base = self.at, self.node
        for match in matches:
            self._take_match(self.followed + match.sent, gap[match.known], match.fate)
        for at, one in run:
            self._take_match(at, one, "kept" if self._is_same(at, one) else "changed")
        step = self.tree.rest_of_step(node)
        self._take_moved([*gap, *(one for _, one in reversed(run)), *step])
        self._skip_fillers(self.followed, run[-1][0])
        node = next((one for one in reversed(step) if one in self.nodes), node)
        self.node, self.at = self._walked(node, last + 1)
        self.known.update(range(last + 1, self.at))
        self.nodes += self.tree.above(self.node, node)

    def _take_match(self, at: int, node: int, fate: Fate) -> None:
        self.known.add(at)
        self.nodes.append(node)
        self.matched.append((at, node))
        if fate == "moved" and self.pieces[at].item.kind in ("user", "system"):
            self.moved.add(at)
        known = self.tree.item(node)
        if fate == "changed" and not (known.kind == "system" or known.is_empty):
            self.changed.append((self.pieces[at], node))

    def _skip_fillers(self, begun: int, end: int) -> None:
        for at in range(begun, end):
            if self._is_filler(at) and at not in self.known and at + 1 in self.known:
                self.known.add(at)

    def _take_moved(self, path: Sequence[int]) -> None:
        """Match moved items: parts of a response, reminders that move to the end."""
        taken = {at for at, node in enumerate(path) if node in self.nodes}
        if self.base != self.start:
            taken.add(-1)
        left = [at for at in range(self.followed, len(self.pieces)) if at not in self.known]
        sent = [at for at in left if self.tree.is_known(self.pieces[at].item)]
        if not sent or taken.issuperset(range(len(path))):
            return
        items = [self.tree.item(node) for node in path]
        for match in moved(items, [self.pieces[at].item for at in sent], taken):
            self._take_match(sent[match.sent], path[match.known], match.fate)

    def follow(self) -> None:
        """Match items that come back changed after the last known item."""
        if self.node == self.start:
            return
        below = self.tree.below(self.node, MOST_FOLLOWING)
        rest = [piece.item for piece in self.pieces[self.at :]]
        matches = continued([self.tree.item(node) for node in below], rest)
        begun = self.at
        for match in matches:
            self._take_match(begun + match.sent, below[match.known], match.fate)
            self.node, self.at = below[match.known], begun + match.sent + 1

    def match_question(self) -> None:
        """Match the newest question with the last, unanswered one if it contains all of it."""
        child = self.tree.without_response(self.node)
        if child is None or self.at != len(self.pieces) - 1:
            return
        old, new = self.tree.item(child), self.pieces[self.at].item
        is_whole = new.kind == "user" and old.media in (b"", new.media) and holds(new, old)
        if is_whole and old.size > SHORT:
            self._take_match(self.at, child, "changed")
            self.node, self.at = child, self.at + 1

    def result(self) -> Located:
        """The result of the search.

        A system message that is sent again in every request is not new, nor is a reference to a
        known item.
        """
        start = self.tree.start_of(self.node)
        rest = [at for at in range(self.followed, len(self.pieces)) if at not in self.known]
        new = [at for at in rest if not self._is_repeated(start, self.pieces[at].item)]
        fresh = [(at, one) for at in new for one in self.pieces[at].made_of or (self.pieces[at],)]
        return Located(
            self.node,
            self.node != self.start,
            not self.nodes,
            self._is_whole(),
            self._responses(),
            tuple(one for _, one in fresh),
            sum(at >= self.at for at, _ in fresh),
            tuple(self.changed),
            tuple(restated(self.tree, start, self._systems())),
            tuple(self._steps()),
            self._dropped(),
        )

    def _is_repeated(self, start: int, item: Item) -> bool:
        is_reference = item.name == REFERENCE and self.tree.is_known(item)
        return is_reference or self.tree.reminder(start, item) is not None

    def _systems(self) -> Iterator[tuple[Piece, int | None]]:
        """The system messages that were compared, each with its node if it has one."""
        reach = range(self.begun, len(self.pieces))
        places = [at for at in reach if self.pieces[at].item.kind == "system"]
        walked = [at for at in places if at < self.followed]
        path = self.tree.above(self.base, self.start) if walked else []
        known = [node for node in path if self.tree.item(node).kind == "system"]
        nodes = dict(zip(reversed(walked), reversed(known), strict=False)) | dict(self.matched)
        return ((self.pieces[at], nodes.get(at)) for at in places)

    def _steps(self) -> Iterator[tuple[int, Item, int]]:
        """The steps of this client, which leaves out and changes the same items later, too."""
        in_place = (pair for pair in self.matched if pair[0] not in self.moved)
        matched = sorted(in_place, key=lambda pair: self.tree.depth(pair[1]))
        for at, node in matched:
            yield self.tree.parent(node), self.pieces[at].item, node
        walked = [(self.followed - 1, self.base)] if self.base != self.start else []
        for (at_before, before), (at, node) in pairwise([*walked, *matched]):
            if at_before < at:
                yield before, self.pieces[at].item, node

    def _is_whole(self) -> bool:
        alike = (is_alike(self.tree.item(node), piece.item) for piece, node in self.changed)
        is_here = self.tree.start_of(self.node) == self.start
        return is_here and self._dropped() == (0, 0) and all(alike)

    def _responses(self) -> int:
        changed = {node for _, node in self.changed}
        kept = (node for node in self.nodes if node not in changed)
        nodes = (node for node in kept if self.tree.item(node).kind in RESPONSE_KINDS)
        return len({self.tree.ordinal(node) for node in nodes})

    def _dropped(self) -> tuple[int, int]:
        nodes = sorted(set(self.nodes), key=self.tree.depth)
        if not nodes:
            return 0, 0
        base = self.tree.ordinal(self.base)
        places = [self.tree.ordinal(node) for node in nodes]
        between = sum(max(0, after - before - 1) for before, after in pairwise(places))
        first = max(0, places[0] - base - 1)
        return (0, first + between) if self.followed else (first, between)
