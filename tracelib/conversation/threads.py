"""Which request continues which: the threads of one session, and what each request adds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from tracelib.conversation.alignment import holds, is_alike, is_same
from tracelib.conversation.asked import CHAT
from tracelib.conversation.canonical import ANSWER_KINDS, Canonical, Item, Key
from tracelib.conversation.changes import Change, change_of, dropped, merged
from tracelib.conversation.item_tree import ItemTree
from tracelib.conversation.locating import Located, Piece, located, pieces_of
from tracelib.conversation.vocabulary import numbers_of

# So many kinds of system prompts are compared with a new one.
MOST_LINEAGES = 50
# A summary has so many different words.
SHORTEST_SUMMARY = 20


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to a request. `joined` is its key together with the answer that it completes."""

    message: Canonical
    joined: Key | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What a request continues, and what it adds.

    `parent` is the index of the request it continues. `fresh` are the positions of the messages
    that are new, each with the parts that are; None stands for all of them. `changes` tell how
    the rest of its history differs from the conversation so far. `repeated_share` of its
    characters were in the conversation before.
    """

    parent: int | None
    thread: int
    branches: bool
    fresh: tuple[tuple[int, tuple[int, ...] | None], ...] = ()
    changes: tuple[Change, ...] = ()
    repeated_share: float = 0.0


@dataclass(frozen=True, slots=True)
class _Request:
    state: int  # the node of its answer, or of its last message where none came
    prompts: tuple[Item, ...]  # the system prompts in force
    thread: int
    parent: int | None
    dropped: tuple[int, int] = (0, 0)  # messages of the conversation that it does not send
    said_behind: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class _Lineage:
    """System prompts that are one prompt as it changes, and the start of what is said below."""

    name: object
    prompts: tuple[Item, ...]
    start: int


@dataclass(frozen=True, slots=True)
class _SummedUp:
    """The request whose answer is the summary, and the last one of the conversation it is of."""

    answer: int
    request: int


class Threads:
    """Places the requests of a session one after another, in the order they started.

    A request continues the earlier one that gave the last known answer in its history, or else
    the one whose messages it begins with. A shared system prompt alone joins nothing: sub-agents
    share it too.
    """

    def __init__(self) -> None:
        self._tree = ItemTree()
        self._requests: list[_Request] = []
        self._answered_at: dict[int, int] = {}  # node -> last request with this answer
        self._asked_at: dict[int, int] = {}  # node -> last request whose messages end there
        self._newest: dict[int, int] = {}  # thread -> its last request
        self._lineages: list[_Lineage] = []
        self._has_chat = False

    def place(
        self,
        messages: Sequence[Canonical],
        replies: Sequence[Reply],
        kind: str,
        after: int | str | None = None,
        words_at: Callable[[int], str] = lambda _: "",
    ) -> Place:
        """Where does this request belong?

        `after` is what it says it continues: the index of an earlier request, or the id of a
        response that is not there. `words_at` gives the words of the message at a position.
        """
        if not messages or any(message.is_redacted for message in messages):
            return self._place_unknown(len(messages), after)
        index = len(self._requests)
        prompts, pieces = pieces_of(messages)
        start = self._start(kind, after, tuple(one.item for one in prompts))
        found = located(self._tree, start, pieces, words_at)
        summed_up = None if found.is_known else self._summed_up(prompts, pieces)
        parent = self._parent(found, after) if summed_up is None else summed_up.answer
        found = self._without_reminders(found, parent)
        origin = parent if summed_up is None else summed_up.request
        before = () if origin is None else self._requests[origin].prompts
        is_apart = origin is None or not (isinstance(after, int) or _are_alike(before, prompts))
        fresh = [*_new_prompts(before, prompts, is_apart), *found.fresh]
        changes = [*_prompt_changes(before, prompts, is_apart), *self._changes(found, parent)]
        if summed_up:
            changes.append(Change("summary", "message"))
        place = Place(
            parent,
            self._thread_of(origin, is_apart),
            summed_up is None and self._branches(found, start, parent, kind, is_apart),
            _fresh(messages, fresh),
            merged(changes),
            _repeated_share(messages, fresh),
        )
        state = self._settle(index, self._grow(found, index), replies)
        items = tuple(one.item for one in prompts)
        self._requests.append(
            _Request(state, items, place.thread, parent, found.dropped, found.said_behind)
        )
        self._newest[place.thread] = index
        self._has_chat = self._has_chat or kind == CHAT
        return place

    def messages_known(self) -> int:
        """How many items are remembered, each once for every conversation it is part of?"""
        return len(self._tree)

    def _place_unknown(self, count: int, after: int | str | None) -> Place:
        """Nothing tells where a request without a readable prompt belongs: with the one before."""
        index = len(self._requests)
        parent = after if isinstance(after, int) else None
        last = self._requests[-1].thread if self._requests else self._next_thread()
        thread = last if parent is None else self._requests[parent].thread
        prompts = () if parent is None else self._requests[parent].prompts
        self._requests.append(_Request(self._tree.detached(index), prompts, thread, parent))
        self._newest.setdefault(thread, index)
        return Place(parent, thread, False, tuple((at, None) for at in range(count)))

    def _start(self, kind: str, after: int | str | None, prompts: tuple[Item, ...]) -> int:
        """From where is this request's history followed? Prompts that are alike share a start."""
        if isinstance(after, int):
            return self._requests[after].state
        name = (kind, after)
        for lineage in reversed(self._lineages):
            if lineage.name == name and _are_same(lineage.prompts, prompts):
                return lineage.start
        start = self._tree.start((name, len(self._lineages)))
        self._lineages = [*self._lineages[1 - MOST_LINEAGES :], _Lineage(name, prompts, start)]
        return start

    def _parent(self, found: Located, after: int | str | None) -> int | None:
        if not found.is_known:
            return after if isinstance(after, int) else None
        known = self._answered_at.get(found.node, self._asked_at.get(found.node))
        return self._tree.request(found.node) if known is None else known

    def _without_reminders(self, found: Located, parent: int | None) -> Located:
        """A message that the client puts behind every question is not new each time."""
        if parent is None:
            return found
        reminders = found.said_behind & self._requests[parent].said_behind
        rest = tuple(one for one in found.fresh if one.item.keys[0] not in reminders)
        removed = len(found.fresh) - len(rest)
        return replace(found, fresh=rest, tail=found.tail - removed) if removed else found

    def _summed_up(self, prompts: Sequence[Piece], pieces: Sequence[Piece]) -> _SummedUp | None:
        """Which conversation does a request continue whose first message holds a summary of it?

        The summary is the answer of an earlier request, word by word, and the system prompt that
        of the conversation: judges quote answers too.
        """
        first = pieces[0].item if pieces else None
        if not prompts or first is None or first.kind != "user":
            return None
        for node in self._tree.newest_answers():
            answer = self._tree.item(node)
            if len(numbers_of(answer.vocabulary)) < SHORTEST_SUMMARY or not holds(first, answer):
                continue
            request: int | None = self._answered_at[node]
            while request is not None and not _are_same_prompts(self._prompts(request), prompts):
                request = self._requests[request].parent
            if request is not None:
                return _SummedUp(self._answered_at[node], request)
        return None

    def _prompts(self, request: int) -> tuple[Item, ...]:
        return self._requests[request].prompts

    def _thread_of(self, parent: int | None, is_apart: bool) -> int:
        if parent is None or is_apart:
            return self._next_thread()
        return self._requests[parent].thread

    def _next_thread(self) -> int:
        return len(self._newest)

    def _branches(
        self, found: Located, start: int, parent: int | None, kind: str, is_apart: bool
    ) -> bool:
        if kind != CHAT:
            return False
        if parent is None or is_apart:
            return self._has_chat
        is_newest = self._newest[self._requests[parent].thread] == parent
        node = found.node if found.is_known else start
        is_its_state = self._answered_at.get(node) == parent
        return not (is_newest and (is_its_state or self._requests[parent].state == node))

    def _changes(self, found: Located, parent: int | None) -> Iterator[Change]:
        for piece, node in found.changed:
            yield change_of(self._tree.item(node), piece.item, piece.position)
        before = (0, 0) if parent is None else self._requests[parent].dropped
        if found.dropped != before:
            yield from dropped(*found.dropped)
        inserted = found.fresh[: len(found.fresh) - found.tail]
        positions = {one.position for one in inserted if one.item.kind in ("user", "system")}
        if positions:
            yield Change("inserted", "message", len(positions), min(positions))

    def _grow(self, found: Located, index: int) -> int:
        """The node of the request's last message; what is new is added to the tree."""
        for before, item, node in found.steps:
            self._tree.learn(before, item, node)
        node, position = found.node, -1
        for piece in found.fresh:
            begins = piece.position != position
            node = self._tree.add(node, piece.item, index, begins_message=begins)
            position = piece.position
        return node

    def _settle(self, index: int, end: int, replies: Sequence[Reply]) -> int:
        """Where the next request of this conversation is met: below any of the answers."""
        self._asked_at[end] = index
        states = []
        for reply in replies:
            if not reply.message.is_redacted:
                states.append(self._answer(index, end, reply))
        return states[0] if states else end

    def _answer(self, index: int, end: int, reply: Reply) -> int:
        node, begins = end, True
        for item in reply.message.items:
            node = self._tree.add(node, item, index, begins_message=begins)
            self._answered_at[node] = index
            begins = False
        if reply.joined and end != node:
            self._tree.add_spelling(self._before_answer(end), reply.joined, node)
        return node

    def _before_answer(self, node: int) -> int:
        """The node before the answer that this node ends."""
        while not self._tree.is_start(node) and self._tree.item(node).kind in ANSWER_KINDS:
            node = self._tree.parent(node)
        return node


def _are_same(before: Sequence[Item], after: Sequence[Item]) -> bool:
    return len(before) == len(after) and all(map(is_same, before, after))


def _is_one_prompt(one: Item, other: Item) -> bool:
    return is_same(one, other) or is_alike(one, other)


def _are_same_prompts(before: Sequence[Item], prompts: Sequence[Piece]) -> bool:
    return bool(before) and _are_alike(before, prompts)


def _are_alike(before: Sequence[Item], prompts: Sequence[Piece]) -> bool:
    """Are these the same prompts as they change? Where there are none, nothing differs."""
    if not before or not prompts:
        return True
    return any(_is_one_prompt(old, new.item) for old in before for new in prompts)


def _new_prompts(
    before: Sequence[Item], prompts: Sequence[Piece], is_apart: bool
) -> Sequence[Piece]:
    return prompts if is_apart else prompts[len(before) :]


def _prompt_changes(
    before: Sequence[Item], prompts: Sequence[Piece], is_apart: bool
) -> Iterator[Change]:
    if is_apart:
        if before:
            yield Change("other_prompt", "System prompt")
        return
    for old, new in zip(before, prompts, strict=False):
        if old.keys[0] != new.item.keys[0]:
            yield change_of(old, new.item, new.position)
    if len(before) > len(prompts):
        yield Change("dropped", "system prompt", len(before) - len(prompts))


def _fresh(
    messages: Sequence[Canonical], pieces: Sequence[Piece]
) -> tuple[tuple[int, tuple[int, ...] | None], ...]:
    found = []
    for position, group in groupby(pieces, key=lambda piece: piece.position):
        items = [piece.item for piece in group]
        is_whole = len(items) == len(messages[position].items)
        parts = sorted(part for item in items for part in item.parts)
        found.append((position, None if is_whole else tuple(parts)))
    return tuple(found)


def _repeated_share(messages: Sequence[Canonical], fresh: Sequence[Piece]) -> float:
    size = sum(message.size for message in messages)
    new = sum(piece.item.size for piece in fresh)
    return max(0.0, 1 - new / size) if size else 0.0
