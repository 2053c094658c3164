"""The history that a request sends, as pieces that are looked for one by one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile, zip_longest

from tracelib.conversation.threading.canonical import ANSWER_KINDS, Canonical, Item, Key


@dataclass(frozen=True, slots=True)
class Piece:
    """An item of a request, with the position of its message.

    Where it is one item that came in several messages, `made_of` are those.
    """

    item: Item
    position: int
    made_of: tuple["Piece", ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to a request. `joined` is its key together with the answer that it completes."""

    message: Canonical
    joined: Key | None = None


@dataclass(frozen=True, slots=True)
class SentHistory:
    """The messages of a request: the system prompts that it begins with, and all that follows.

    The first `repeated` of `pieces` are all that the request read before it sent, 0 where they
    are not. `size` is in characters.
    """

    messages: Sequence[Canonical] = ()
    prompts: tuple[Piece, ...] = ()
    pieces: Sequence[Piece] = ()
    size: int = 0
    is_redacted: bool = False
    repeated: int = 0

    def extended(self, messages: Sequence[Canonical]) -> "SentHistory":
        """This history with these messages behind it."""
        first = len(self.messages)
        found = [
            Piece(item, at)
            for at, message in enumerate(messages, start=first)
            for item in message.items
        ]
        prompts: tuple[Piece, ...] = ()
        if len(self.prompts) == first:
            prompts = tuple(takewhile(lambda one: messages[one.position - first].is_system, found))
        pieces = [*self.pieces, *_without_hollow(found[len(prompts) :])]
        is_hollow = bool(self.pieces and found) and _is_hollow(self.pieces[-1], found[0])
        if is_hollow:
            del pieces[len(self.pieces) - 1]
        return SentHistory(
            [*self.messages, *messages],
            (*self.prompts, *prompts),
            pieces,
            self.size + sum(message.size for message in messages),
            self.is_redacted or any(message.is_redacted for message in messages),
            0 if is_hollow else len(self.pieces),
        )

    @property
    def prompt_items(self) -> tuple[Item, ...]:
        """The system prompts at the beginning."""
        return tuple(piece.item for piece in self.prompts)

    def calls_not_repeated(self) -> Iterator[tuple[str, str]]:
        """Ids and names of the tools called in what the request before did not send."""
        items = (piece.item for piece in islice(self.pieces, self.repeated, None))
        calls = (item for item in items if item.kind == "call")
        return ((item.call_id, item.name) for item in calls if item.call_id and item.name)

    def said_behind(self) -> frozenset[Key]:
        """The user's messages behind the first one after the last answer, by their keys."""
        later = takewhile(lambda one: one.item.kind not in ANSWER_KINDS, reversed(self.pieces))
        return frozenset(one.item.keys[0] for one in [*later][:-1] if one.item.kind == "user")


def by_message(
    messages: Sequence[Canonical], pieces: Sequence[Piece]
) -> tuple[tuple[int, tuple[int, ...] | None], ...]:
    """The positions of the pieces' messages with their parts; None where that is all of them."""
    found = []
    for position, group in groupby(pieces, key=lambda piece: piece.position):
        items = [piece.item for piece in group]
        is_whole = len(items) == len(messages[position].items)
        parts = sorted(part for item in items for part in item.parts)
        found.append((position, None if is_whole else tuple(parts)))
    return tuple(found)


def repeated_share(size: int, fresh: Sequence[Piece]) -> float:
    """The share of so many characters that these new pieces leave."""
    new = sum(piece.item.size for piece in fresh)
    return max(0.0, 1 - new / size) if size else 0.0


def _without_hollow(pieces: Sequence[Piece]) -> Iterable[Piece]:
    pairs = zip_longest(pieces, pieces[1:])
    return (one for one, after in pairs if not _is_hollow(one, after))


def _is_hollow(piece: Piece, after: Piece | None) -> bool:
    """Is this an empty message before the calls of the same answer, in a message of their own?"""
    return piece.item.is_empty and after is not None and after.item.kind == "call"
