"""The history that a request sends, as pieces that are looked for one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from tracelib.conversation.canonical import ANSWER_KINDS, Canonical, Item, Key


@dataclass(frozen=True, slots=True)
class Piece:
    """An item of a request, with the position of its message."""

    item: Item
    position: int


def pieces_of(messages: Sequence[Canonical]) -> tuple[list[Piece], list[Piece]]:
    """The system prompts that a history begins with, and the items of all that follows."""
    count = sum(1 for _ in takewhile(lambda one: one.is_system, messages))
    found = [Piece(item, at) for at, message in enumerate(messages) for item in message.items]
    rest = zip(found[count:], [*found[count + 1 :], None], strict=True)
    return found[:count], [piece for piece, after in rest if not _is_hollow(piece, after)]


def said_behind(pieces: Sequence[Piece]) -> frozenset[Key]:
    """The user's messages behind the first one after the last answer, by their keys."""
    later = list(takewhile(lambda one: one.item.kind not in ANSWER_KINDS, reversed(pieces)))
    return frozenset(one.item.keys[0] for one in later[:-1] if one.item.kind == "user")


def _is_hollow(piece: Piece, after: Piece | None) -> bool:
    """Is this an empty message before the calls of the same answer, in a message of their own?"""
    return piece.item.is_empty and after is not None and after.item.kind == "call"
