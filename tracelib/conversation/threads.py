"""Which request goes on from which: the threads of one session."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from tracelib.conversation.asked import CHAT
from tracelib.conversation.identity import Key, Said
from tracelib.conversation.tree import MessageTree, Walk


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands, and which of its messages were not said before.

    `parent` is the index of the request it goes on from. Its first `known` messages were said
    before; at the positions `changed` a system prompt says something else than the parent's.
    """

    parent: int | None
    thread: int
    branches: bool
    known: int
    changed: tuple[int, ...] = ()

    def shown(self, count: int) -> tuple[int, ...]:
        """The positions of what is new, of so many messages."""
        renewed = (position for position in self.changed if position < self.known)
        return (*renewed, *range(self.known, count))


@dataclass(frozen=True, slots=True)
class _Request:
    state: int  # the node of its answer, or of its last message where none came
    systems: tuple[Key, ...]  # the system prompts in force
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
        self._windows: dict[tuple[int, Key], int] = {}  # user messages by system prompt
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
            return self._place_unknown(after)
        index = len(self._requests)
        start = self._start(kind, after, index)
        skipped = int(self._repeats_system(asked[0], after))
        messages = asked[skipped:]
        walk, is_extension = self._known(start, messages)
        parent = self._parent(walk.node, after, is_extension)
        branches = self._branches(walk.node if is_extension else start, parent, kind)
        thread = self._newest_thread() if parent is None else self._requests[parent].thread
        systems = _leading_systems(asked) or self._systems(after)
        changed = self._changed(parent, systems, walk if is_extension else None, skipped)
        path = self._tree.grow(walk.node, messages[walk.depth :], index)
        self._remember_windows(start, messages, path)
        state = self._settle(index, path[-1] if path else walk.node, answered)
        self._requests.append(_Request(state, systems, thread))
        self._newest[thread] = index
        self._has_chat = self._has_chat or kind == CHAT
        known = skipped + (walk.depth if is_extension else 0)
        return Place(parent, thread, branches, known, changed)

    def messages_known(self) -> int:
        """How many messages are remembered, each once for every conversation it is part of?"""
        return len(self._tree)

    def _place_unknown(self, after: int | str | None) -> Place:
        """Nothing tells where a request without readable prompt belongs: with the one before."""
        index = len(self._requests)
        parent = after if isinstance(after, int) else None
        last = self._requests[-1].thread if self._requests else self._newest_thread()
        thread = last if parent is None else self._requests[parent].thread
        state = self._tree.detached(index)
        self._requests.append(_Request(state, self._systems(after), thread))
        self._newest.setdefault(thread, index)
        return Place(parent, thread, branches=False, known=0)

    def _start(self, kind: str, after: int | str | None, index: int) -> int:
        if isinstance(after, int):
            return self._requests[after].state
        return self._tree.start((kind, after), index)

    def _systems(self, after: int | str | None) -> tuple[Key, ...]:
        return self._requests[after].systems if isinstance(after, int) else ()

    def _repeats_system(self, first: Said, after: int | str | None) -> bool:
        """Instructions are sent with every response of a chain, and stored with every one."""
        return first.keys[0] in self._systems(after)[:1]

    def _changed(
        self, parent: int | None, systems: tuple[Key, ...], walk: Walk | None, skipped: int
    ) -> tuple[int, ...]:
        """At which positions does a system prompt say something else than before?"""
        if parent is None:
            return ()
        before = self._requests[parent].systems
        pairs = enumerate(zip(before, systems, strict=False))
        leading = {position for position, (old, new) in pairs if old != new}
        further = {skipped + position for position in walk.changed} if walk else set()
        return tuple(sorted(leading | further))

    def _known(self, start: int, messages: Sequence[Said]) -> tuple[Walk, bool]:
        walk = self._tree.walk(start, messages)
        if not all(message.is_system for message in messages[: walk.depth]):
            return walk, True
        window = self._window(start, messages)
        return (window, True) if window else (walk, False)

    def _window(self, start: int, messages: Sequence[Said]) -> Walk | None:
        """Clients that forget their oldest messages send the end of a conversation only."""
        systems = len(_leading_systems(messages))
        above = self._tree.walk(start, messages[:systems])
        rest = messages[systems:]
        if above.depth < systems or not rest:
            return None
        first = self._windows.get((above.node, rest[0].keys[0]))
        if first is None:
            return None
        walk = self._tree.walk(first, rest[1:])
        if not any(message.role == "assistant" for message in rest[1 : walk.depth + 1]):
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
        above = self._tree.walk(start, messages[: len(_leading_systems(messages))]).node
        grown = messages[len(messages) - len(path) :]
        for message, node in zip(grown, path, strict=True):
            if message.role == "user":
                self._windows[above, message.keys[0]] = node


def _leading_systems(messages: Sequence[Said]) -> tuple[Key, ...]:
    """The system prompts above a conversation, each by the key of all that it says."""
    return tuple(message.keys[0] for message in takewhile(lambda one: one.is_system, messages))
