"""The histories of many requests as one tree: who was answered where, who asked what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracelib.conversation.identity import Key, Said
from tracelib.conversation.tree import MessageTree
from tracelib.stitching.heard import Heard

# The end of a conversation proves less than its beginning: it must hold so many answers.
ANSWERS_IN_A_TAIL = 2
# "Go on" is said in many conversations; the newest of them are tried.
PLACES_TRIED = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a history into the tree: from this node on, these of its messages.

    `path` holds the nodes of the messages that are known there, from the first on. A history
    whose beginning is missing, or stands under another system prompt, is read as a `tail`.
    """

    start: int
    messages: tuple[Said, ...]
    path: tuple[int, ...]
    is_tail: bool = False

    def proves(self, depth: int) -> bool:
        """Do so many known messages show that this is the same conversation?"""
        said = self.messages[:depth]
        answers = sum(message.role == "assistant" for message in said)
        return answers >= ANSWERS_IN_A_TAIL if self.is_tail else True


class Histories:
    """Messages under the messages they followed, with the requests they stand for by number."""

    def __init__(self) -> None:
        self._tree = MessageTree()
        self._answered: dict[int, list[int]] = {}  # node of an answer -> who was given it
        self._asked: dict[int, list[int]] = {}  # node of a last message -> who ended with it
        self._opened: dict[int, list[int]] = {}  # node of a first user message -> who began so
        self._places: dict[Key, list[int]] = {}  # what a user said -> its nodes

    def whole(self, request: Heard) -> Reading:
        """This history, read from the beginning of all."""
        root = self._root()
        return Reading(root, request.asked, self._path(root, request.asked))

    def tails(self, request: Heard) -> Iterator[Reading]:
        """This history, read from where its first message was said in others, newest first."""
        rest = request.asked[len(request.opening) :]
        first = request.opening[-1].keys[0] if request.opening else b""
        for place in reversed(self._places.get(first, ())):
            yield Reading(place, rest, self._path(place, rest), is_tail=True)

    def answered_at(self, node: int) -> Sequence[int]:
        """Which requests were given this answer, the first on top?"""
        return self._answered.get(node, ())

    def asked_at(self, reading: Reading) -> Sequence[int]:
        """Which requests sent just these messages, the first on top?"""
        is_known = len(reading.path) == len(reading.messages) > 0
        return self._asked.get(reading.path[-1], ()) if is_known else ()

    def opened_like(self, request: Heard) -> Sequence[int]:
        """Which requests have the system prompt and the first message of this one?"""
        path = self._path(self._root(), request.opening)
        is_known = len(path) == len(request.opening) > 0
        return self._opened.get(path[-1], ()) if is_known else ()

    def add(self, number: int, request: Heard, reading: Reading) -> None:
        """Remember what this request asked, read so, and what it was answered."""
        path = self._tree.grow(reading.start, reading.messages, number)
        end = path[-1] if path else reading.start
        self._asked.setdefault(end, []).append(number)
        for answer in request.answered:
            node = self._tree.grow(end, [answer], number)[0]
            self._answered.setdefault(node, []).append(number)
        for message, node in zip(reading.messages, path, strict=True):
            self._remember_place(message, node)
        if not reading.is_tail and request.opening:
            self._opened.setdefault(path[len(request.opening) - 1], []).append(number)

    def _root(self) -> int:
        return self._tree.start("histories", 0)

    def _path(self, node: int, messages: Sequence[Said]) -> tuple[int, ...]:
        path = []
        for message in messages:
            walk = self._tree.walk(node, [message])
            if not walk.depth:
                break
            node = walk.node
            path.append(node)
        return tuple(path)

    def _remember_place(self, message: Said, node: int) -> None:
        if message.role == "user":
            places = self._places.setdefault(message.keys[0], [])
            if node not in places:
                places.append(node)
                del places[:-PLACES_TRIED]
