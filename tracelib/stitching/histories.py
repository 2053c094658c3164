"""The histories of many requests as one tree: who was answered where, who asked what."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from tracelib.conversation.item_tree import ItemTree
from tracelib.conversation.located import Located
from tracelib.conversation.locating import located
from tracelib.conversation.sent import SentHistory
from tracelib.stitching.heard import Heard

# A part of a conversation must hold so many of its answers to show which one it is.
ANSWERS_IN_A_PART = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One history as far as it is known in the tree, and whether that proves where it belongs.

    `answers` are the nodes of the answers that it holds, the last first.
    """

    found: Located
    answers: tuple[int, ...]
    is_proven: bool


class Histories:
    """Messages under the messages they followed, with the requests they belong to by number."""

    def __init__(self) -> None:
        self._tree = ItemTree()
        self._starts: dict[Hashable, int] = {}
        self._answered: dict[int, list[int]] = {}  # node of an answer -> who was given it
        self._asked: dict[int, list[int]] = {}  # node of a last message -> who ended with it
        self._opened: dict[Hashable, list[int]] = {}  # opening -> who began so

    def read(self, request: Heard) -> Reading:
        """How far is this history known, from its beginning or from any place in others?"""
        pieces = SentHistory().extended(request.asked).pieces
        found = located(self._tree, self._start(request), pieces)
        answers = tuple(self._answers_above(found)) if found.is_known else ()
        return Reading(found, answers, _is_proven(found))

    def answered_at(self, node: int) -> Sequence[int]:
        """Which requests were given this answer, the first on top?"""
        return self._answered.get(node, ())

    def asked_at(self, reading: Reading) -> Sequence[int]:
        """Which requests sent just these messages, the first on top?"""
        is_whole = reading.found.is_followed and not reading.found.fresh
        return self._asked.get(reading.found.node, ()) if is_whole else ()

    def opened_like(self, request: Heard) -> Sequence[int]:
        """Which requests have the system prompt and the first message of this one?"""
        return self._opened.get(_opening(request), ()) if request.opening else ()

    def add(self, number: int, request: Heard, reading: Reading) -> None:
        """Remember what this request asked, read so, and what it was answered."""
        found = reading.found
        end = found.node if reading.is_proven else self._start(request)
        for before, item, node in found.steps if reading.is_proven else ():
            self._tree.learn(before, item, node)
        pieces = SentHistory().extended(request.asked).pieces
        for piece in found.fresh if reading.is_proven else pieces:
            end = self._tree.add(end, piece.item, number, begins_message=True)
        self._asked.setdefault(end, []).append(number)
        for answer in request.answered:
            node = end
            for item in answer.items:
                node = self._tree.add(node, item, number, begins_message=node == end)
                self._answered.setdefault(node, []).append(number)
        if request.opening:
            self._opened.setdefault(_opening(request), []).append(number)

    def _start(self, request: Heard) -> int:
        name = tuple(item.keys[0] for item in request.prompts)
        return self._starts.setdefault(name, self._tree.start(name))

    def _answers_above(self, found: Located) -> Iterator[int]:
        node = found.node
        while not self._tree.is_start(node):
            if node in self._answered:
                yield node
            node = self._tree.parent(node)


def _is_proven(found: Located) -> bool:
    if found.is_followed:
        return True
    return found.answers >= (1 if found.is_whole else ANSWERS_IN_A_PART)


def _opening(request: Heard) -> Hashable:
    return tuple(item.keys[0] for message in request.opening for item in message.items)
