"""All conversations of a session as one tree of messages, each known once."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracelib.conversation.identity import Key, Said, digest


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a request's messages are known: the node reached, and what led there."""

    node: int
    depth: int  # messages known
    changed: tuple[int, ...]  # positions of those recognised by their beginning only


class MessageTree:
    """Messages under the messages they followed. Walking and growing take one step a message."""

    def __init__(self) -> None:
        self._children: dict[tuple[int, Key], int] = {}
        self._brought_by: list[int] = []

    def __len__(self) -> int:
        return len(self._brought_by)

    def start(self, name: object, request: int) -> int:
        """The node from which all conversations of this name start."""
        return self._child(-1, (digest(("start", name)),), request)

    def detached(self, request: int) -> int:
        """A node that no walk reaches."""
        self._brought_by.append(request)
        return len(self._brought_by) - 1

    def brought_by(self, node: int) -> int:
        """The request that brought this message first."""
        return self._brought_by[node]

    def walk(self, node: int, messages: Sequence[Said]) -> Walk:
        """How far down from this node are these messages known?"""
        changed: list[int] = []
        for position, message in enumerate(messages):
            found = self._step(node, message)
            if found is None:
                return Walk(node, position, tuple(changed))
            key, node = found
            if key == message.beginning:
                changed.append(position)
        return Walk(node, len(messages), tuple(changed))

    def grow(self, node: int, messages: Sequence[Said], request: int) -> list[int]:
        """The nodes of these messages below this node, made where there were none."""
        path = []
        for message in messages:
            node = self._child(node, message.keys, request)
            path.append(node)
        return path

    def _step(self, node: int, message: Said) -> tuple[Key, int] | None:
        for key in message.keys:
            child = self._children.get((node, key))
            if child is not None:
                if len(message.keys) > 1:
                    self._learn(node, message.keys, child)
                return key, child
        return None

    def _child(self, node: int, keys: Sequence[Key], request: int) -> int:
        known = (self._children.get((node, key)) for key in keys)
        child = next((found for found in known if found is not None), None)
        if child is None:
            child = self.detached(request)
        self._learn(node, keys, child)
        return child

    def _learn(self, node: int, keys: Sequence[Key], child: int) -> None:
        for key in keys:
            self._children.setdefault((node, key), child)
