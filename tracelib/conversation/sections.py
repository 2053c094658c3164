"""A page of a conversation in sections, each drawn at once: bounded, whatever its requests hold.

A section is some requests, or a part of one: some of its messages, or some parts of one message.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

from tracelib.conversation.bodies.messages import Message
from tracelib.conversation.pieces import CHANGES, OF_MESSAGE, Address, Piece, Unit, units_of
from tracelib.conversation.results import Results
from tracelib.conversation.transcript import Turn, origin_in_words

# The elements of one section, and of one in a turn that needs several.
MOST_ELEMENTS = 800
MOST_OF_A_TURN = 300


@dataclass(frozen=True, slots=True)
class MessageExcerpt:
    """Some pieces of a message, the first of them number `first` of `total`.

    `message` has no parts here; `number` is its own in the turn, from 1.
    """

    message: Message
    number: int
    pieces: tuple[Piece, ...]
    first: int
    total: int

    @property
    def ends(self) -> bool:
        """Is the last piece among these?"""
        return self.first + len(self.pieces) > self.total

    @property
    def extent(self) -> str:
        """Which pieces these are, as text; empty for all of them."""
        if len(self.pieces) == self.total:
            return ""
        return f"parts {self.first:,} to {self.first + len(self.pieces) - 1:,} of {self.total:,}"


@dataclass(frozen=True, slots=True)
class ChangeExcerpt:
    """A change of the history, with some of its new texts, or none if it has none."""

    sentence: str
    number: int
    messages: tuple[MessageExcerpt, ...]


@dataclass(frozen=True, slots=True)
class TurnExcerpt:
    """Some messages of a turn, which has none itself here; `start` is the address of the first.

    `origin` names the request it continues, unless that is the one above. `new_messages` counts
    those of the whole turn. `begins` with its first message, `ends` with its figures.
    """

    turn: Turn
    start: Address
    origin: str | None
    changes: tuple[ChangeExcerpt, ...]
    messages: tuple[MessageExcerpt, ...]
    new_messages: int
    begins: bool
    ends: bool


@dataclass(frozen=True)
class Section:
    """What is drawn at once: excerpts of turns in their order, made when they are first drawn."""

    divisions: tuple["_Division", ...]

    @property
    def start(self) -> Address:
        """The address of its first piece."""
        return self.divisions[0].units[0].address

    @cached_property
    def turns(self) -> tuple[TurnExcerpt, ...]:
        """The excerpts."""
        return tuple(map(_excerpt, self.divisions))

    @property
    def extent(self) -> str:
        """Which requests or messages these are, as text."""
        first, last = self.turns[0], self.turns[-1]
        if len(self.turns) > 1:
            return f"Requests {first.turn.number:,} to {last.turn.number:,}"
        return f"Request {first.turn.number:,}{_messages_in_words(first)}"


def _messages_in_words(one: TurnExcerpt) -> str:
    if one.begins and one.ends:
        return ""
    words = ["changes of the history"] if one.changes else []
    new = [shown for shown in one.messages if shown.number <= one.new_messages]
    if new:
        words.append(_numbers([shown.number for shown in new], one.new_messages))
    parts = [shown.extent for shown in one.messages[:1] if len(one.messages) == 1 and shown.extent]
    if len(new) < len(one.messages):
        words.append("the response")
    words += parts
    return f": {', '.join(words)}" if words else ""


def _numbers(numbers: Sequence[int], total: int) -> str:
    if len(numbers) == 1:
        return f"message {numbers[0]:,} of {total:,}"
    return f"messages {numbers[0]:,} to {numbers[-1]:,} of {total:,}"


@dataclass(frozen=True, slots=True)
class _Division:
    """Some units of a turn, the turn above it, and whether its first and last ones are here."""

    turn: Turn
    above: Turn | None
    units: Sequence[Unit]
    begins: bool = True
    ends: bool = True


def sections(turns: Sequence[Turn], results: Results) -> tuple[Section, ...]:
    """Which sections do these turns have, in order?

    A turn that fits into a section is not divided. A longer one has sections of its own; they are
    filled from its end, so that its newest messages stand together with its response. No turns have
    no sections.
    """
    found: list[list[_Division]] = []
    size = MOST_ELEMENTS
    for above, turn in zip((None, *turns), turns, strict=False):
        units = list(units_of(turn, results))
        whole = sum(unit.elements for unit in units)
        if whole > MOST_ELEMENTS:
            found += [[one] for one in _divided(turn, above, units)]
            size = MOST_ELEMENTS
        elif size + whole > MOST_ELEMENTS:
            found.append([_Division(turn, above, units)])
            size = whole
        else:
            found[-1].append(_Division(turn, above, units))
            size += whole
    return tuple(Section(tuple(some)) for some in found)


def section_at(found: Sequence[Section], address: Address) -> int:
    """Which of these sections, by its index, holds this address?"""
    return max(0, bisect_right(found, address, key=lambda section: section.start) - 1)


def written_message(at: Address) -> str:
    """A message of a turn, and a part of it after the first, as a link names them.

    >>> written_message((3, 150, 1)), written_message((3, 2, 401))
    ('150', '2.401')
    """
    _, message, part = at
    return str(message) if part < 2 else f"{message}.{part}"


def read_message(text: str) -> tuple[int, int] | None:
    """The message and the part that a link names; None for any other text.

    >>> read_message("150"), read_message("2.401"), read_message("x")
    ((150, 1), (2, 401), None)
    """
    found = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?", text)
    return (int(found[1]), int(found[2] or 1)) if found else None


def newest_address(turn: Turn) -> Address:
    """Where a reader begins with this turn: at its response, below its newest messages."""
    return (turn.number, len(turn.new_messages) + 1, 1)


def _divided(turn: Turn, above: Turn | None, units: Sequence[Unit]) -> list[_Division]:
    """The divisions of a turn, filled from its end."""
    found: list[list[Unit]] = []
    size = MOST_OF_A_TURN
    for unit in reversed(units):
        size += unit.elements
        if size > MOST_OF_A_TURN:
            found.append([])
            size = OF_MESSAGE + unit.elements  # it may begin within a message
        found[-1].append(unit)
    last = len(found) - 1
    return [
        _Division(turn, above, found[at][::-1], begins=at == last, ends=at == 0)
        for at in range(last, -1, -1)
    ]


def _excerpt(one: _Division) -> TurnExcerpt:
    return TurnExcerpt(
        replace(one.turn, new_messages=(), responses=(), changes=()),
        one.units[0].address,
        origin_in_words(one.turn, one.above) if one.begins else None,
        tuple(_changes(one.turn, [unit for unit in one.units if unit.address[1] == CHANGES])),
        tuple(_messages([unit for unit in one.units if unit.address[1] and unit.message])),
        len(one.turn.new_messages),
        one.begins,
        one.ends,
    )


def _changes(turn: Turn, units: Sequence[Unit]) -> Iterator[ChangeExcerpt]:
    for number, group in groupby(units, key=lambda unit: unit.change):
        with_texts = [unit for unit in group if unit.message]
        by_message = groupby(with_texts, key=lambda unit: id(unit.message))
        messages = [list(some) for _, some in by_message]
        shown = [_message(some, at, len(some)) for at, some in enumerate(messages)]
        yield ChangeExcerpt(turn.changes[number].sentence, number, tuple(shown))


def _messages(units: Sequence[Unit]) -> Iterator[MessageExcerpt]:
    for number, group in groupby(units, key=lambda unit: unit.address[1]):
        some = list(group)
        yield _message(some, number, some[0].total)


def _message(units: Sequence[Unit], number: int, total: int) -> MessageExcerpt:
    message = units[0].message
    assert message is not None
    pieces = tuple(unit.piece for unit in units if unit.piece)
    return MessageExcerpt(replace(message, parts=()), number, pieces, units[0].address[2], total)
