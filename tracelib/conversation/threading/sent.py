"""The history that a request sends, as pieces that are searched for one by one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile, zip_longest

from tracelib.conversation.threading.canonical import RESPONSE_KINDS, Canonical, Item, Key


@dataclass(frozen=True, slots=True)
class Piece:
    """An item of a request, with the position of its message.

    If several messages make up one item, `made_of` are their pieces.
    """

    item: Item
    position: int
    made_of: tuple["Piece", ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """One response to a request. `joined` is its key together with the response it completes."""

    message: Canonical
    joined: Key | None = None


@dataclass(frozen=True, slots=True)
class SentHistory:
    """The messages of a request: the system prompts at its beginning, and all that follows.

    The first `repeated` of `pieces` are all pieces of the previous request; 0 if it was not
    repeated. `size` is in characters.
    """

    messages: Sequence[Canonical] = ()
    prompts: tuple[Piece, ...] = ()
    pieces: Sequence[Piece] = ()
    size: int = 0
    is_redacted: bool = False
    repeated: int = 0

    def extended(self, messages: Sequence[Canonical]) -> "SentHistory":
        """This history followed by these messages."""
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
        """IDs and names of the tools called in messages that the previous request did not send."""
        items = (piece.item for piece in islice(self.pieces, self.repeated, None))
        calls = (item for item in items if item.kind == "call")
        return ((item.call_id, item.name) for item in calls if item.call_id and item.name)

    def user_messages_behind(self) -> frozenset[Key]:
        """The keys of the user's messages after the first one that follows the last response."""
        later = takewhile(lambda one: one.item.kind not in RESPONSE_KINDS, reversed(self.pieces))
        return frozenset(one.item.keys[0] for one in [*later][:-1] if one.item.kind == "user")


def by_message(
    messages: Sequence[Canonical], pieces: Sequence[Piece]
) -> tuple[tuple[int, tuple[int, ...] | None], ...]:
    """The positions of the pieces' messages with their parts; None if these are all of them."""
    found = []
    for position, group in groupby(pieces, key=lambda piece: piece.position):
        items = [piece.item for piece in group]
        is_whole = len(items) == len(messages[position].items)
        parts = sorted(part for item in items for part in item.parts)
        found.append((position, None if is_whole else tuple(parts)))
    return tuple(found)


def repeated_share(size: int, fresh: Sequence[Piece]) -> float:
    """The share of this many characters that these new pieces leave."""
    new = sum(piece.item.size for piece in fresh)
    return max(0.0, 1 - new / size) if size else 0.0


def _without_hollow(pieces: Sequence[Piece]) -> Iterable[Piece]:
    pairs = zip_longest(pieces, pieces[1:])
    return (one for one, after in pairs if not _is_hollow(one, after))


def _is_hollow(piece: Piece, after: Piece | None) -> bool:
    """Is this an empty message before the calls of the same response, in a message of their own?"""
    return piece.item.is_empty and after is not None and after.item.kind == "call"
