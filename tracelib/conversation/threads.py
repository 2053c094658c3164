"""Which request goes on from which: the threads of one session."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tracelib.conversation.asked import CHAT
from tracelib.conversation.identity import Said
from tracelib.conversation.tree import MessageTree, Walk


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands: its parent's index, and the positions of its unseen messages."""

    parent: int | None
    thread: int
    branches: bool
    new: tuple[int, ...]


@dataclass(slots=True)
class _Request:
    state: int  # the node of its answer, or of its last message where none came
    system: Said | None  # the system prompt in force
    thread: int


class Threads:
    """Places the requests of a session one after another, in the order they started.

    A request goes on from the earlier one that shares the longest run of first messages with
    it, answer included. A shared system prompt alone joins nothing: sub-agents share it too.
    """

    def __init__(self) -> None:
        self._tree = MessageTree()
        self._requests: list[_Request] = []
        self._answered_at: dict[int, int] = {}  # node -> last request whose state it is
        self._asked_at: dict[int, int] = {}  # node -> last request whose messages end there
        self._windows: dict[tuple[int, Hashable], int] = {}  # user messages by system prompt
        self._newest: dict[int, int] = {}  # thread -> its last request
        self._has_chat = False

    def place(
        self,
        asked: Sequence[Said],
        answered: Sequence[Said],
        kind: str,
        after: int | str | None = None,
    ) -> Place:
        """Where does this request stand?

        `after` is what it says it goes on from: the index of an earlier request, or the id
        of a response that is not there.
        """
        if not asked or any(message.is_redacted for message in asked):
            return self._place_unknown(len(asked), after)
        index = len(self._requests)
        start = self._start(kind, after, index)
        skipped = int(self._repeats_system(asked[0], after))
        messages = asked[skipped:]
        walk, is_extension = self._known(start, messages)
        parent = self._parent(walk.node, after, is_extension)
        branches = self._branches(walk.node if is_extension else start, parent, kind)
        thread = self._newest_thread() if parent is None else self._requests[parent].thread
        path = self._tree.grow(walk.node, messages[walk.depth :], index)
        self._remember_windows(start, messages, path)
        state = self._settle(index, path[-1] if path else walk.node, answered)
        system = asked[0] if asked[0].is_system else self._system(after)
        self._requests.append(_Request(state, system, thread))
        self._newest[thread] = index
        self._has_chat = self._has_chat or kind == CHAT
        new = _unseen(walk, len(messages)) if is_extension else range(len(messages))
        return Place(parent, thread, branches, tuple(skipped + position for position in new))

    def _place_unknown(self, count: int, after: int | str | None) -> Place:
        """Nothing tells where a request without readable prompt belongs: with the one before."""
        index = len(self._requests)
        parent = after if isinstance(after, int) else None
        last = self._requests[-1].thread if self._requests else self._newest_thread()
        thread = last if parent is None else self._requests[parent].thread
        self._requests.append(_Request(self._tree.detached(index), self._system(after), thread))
        self._newest.setdefault(thread, index)
        return Place(parent, thread, False, tuple(range(count)))

    def _start(self, kind: str, after: int | str | None, index: int) -> int:
        if isinstance(after, int):
            return self._requests[after].state
        return self._tree.start((kind, after), index)

    def _system(self, after: int | str | None) -> Said | None:
        return self._requests[after].system if isinstance(after, int) else None

    def _repeats_system(self, first: Said, after: int | str | None) -> bool:
        """Instructions are sent with every response of a chain, and stored with every one."""
        before = self._system(after)
        return before is not None and first.keys[0] == before.keys[0]

    def _known(self, start: int, messages: Sequence[Said]) -> tuple[Walk, bool]:
        walk = self._tree.walk(start, messages)
        if not all(message.is_system for message in messages[: walk.depth]):
            return walk, True
        window = self._window(start, messages)
        return (window, True) if window else (walk, False)

    def _window(self, start: int, messages: Sequence[Said]) -> Walk | None:
        """Clients that forget their oldest messages send the end of a conversation only."""
        systems = _leading_systems(messages)
        above = self._tree.walk(start, messages[:systems])
        rest = messages[systems:]
        if above.depth < systems or not rest:
            return None
        first = self._windows.get((above.node, rest[0].keys[0]))
        if first is None:
            return None
        walk = self._tree.walk(first, rest[1:])
        if not any(message.message.role == "assistant" for message in rest[1 : walk.depth + 1]):
            return None
        return Walk(walk.node, systems + 1 + walk.depth, above.changed)

    def _parent(self, node: int, after: int | str | None, is_extension: bool) -> int | None:
        if not is_extension:
            return after if isinstance(after, int) else None
        known = self._answered_at.get(node, self._asked_at.get(node))
        return self._tree.brought_by(node) if known is None else known

    def _branches(self, node: int, parent: int | None, kind: str) -> bool:
        if kind != CHAT:
            return False
        if parent is None:
            return self._has_chat
        before = self._requests[parent]
        is_newest = self._newest[before.thread] == parent
        return not (is_newest and self._is_state_of(node, parent))

    def _is_state_of(self, node: int, request: int) -> bool:
        return self._answered_at.get(node) == request or self._requests[request].state == node

    def _newest_thread(self) -> int:
        return len(self._newest)

    def _settle(self, index: int, end: int, answered: Sequence[Said]) -> int:
        """Where the next request of this conversation will be met: below any of the answers."""
        self._asked_at[end] = index
        known = [answer for answer in answered if not answer.is_redacted]
        states = [self._tree.grow(end, [answer], index)[0] for answer in known] or [end]
        self._answered_at.update(dict.fromkeys(states, index))
        return states[0]

    def _remember_windows(self, start: int, messages: Sequence[Said], path: Sequence[int]) -> None:
        above = self._tree.walk(start, messages[: _leading_systems(messages)]).node
        grown = messages[len(messages) - len(path) :]
        for message, node in zip(grown, path, strict=True):
            if message.message.role == "user":
                self._windows[above, message.keys[0]] = node


def _unseen(walk: Walk, count: int) -> tuple[int, ...]:
    return (*walk.changed, *range(walk.depth, count))


def _leading_systems(messages: Sequence[Said]) -> int:
    return next(
        (position for position, message in enumerate(messages) if not message.is_system),
        len(messages),
    )
