"""The pieces of a turn in the order they are drawn, each with its size in elements of a page."""

from collections.abc import Iterator
from dataclasses import dataclass

from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.results import Results
from tracelib.conversation.transcript import Turn

# So many characters count as much as an element.
CHARACTERS_AN_ELEMENT = 5_000
# What is shown of a text at first, and what of it is sent to a browser at all.
LINES_SHOWN = 12
CHARACTERS_SHOWN = 1_600
LONGEST_SENT = 60_000
# How many results are next to their call; the others follow it.
MOST_RESULTS = 20
# Elements around the parts: of a turn with its figures, a message, a call next to its results.
OF_TURN, OF_MESSAGE, OF_CALL = 5, 2, 3

CHANGES = 0  # the number of a turn's changes, where its messages have theirs
# The numbers of a turn, of a message in it (first the new ones, then the responses), of a part.
Address = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a message, and if it is a call, its results, or why there are none."""

    part: Part
    results: tuple[Part, ...] = ()
    why_no_result: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece with its address, its size in elements, and the message or change it is of."""

    address: Address
    elements: int
    piece: Piece | None = None
    message: Message | None = None
    total: int = 0
    change: int = 0


def units_of(turn: Turn, results: Results) -> Iterator[Unit]:
    """The pieces of this turn in the order they are drawn, and at last its figures."""
    part = 0
    for number, change in enumerate(turn.changes):
        if not change.messages:
            part += 1
            yield Unit((turn.number, CHANGES, part), 1, change=number)
        for message in change.messages:
            for piece in _pieces(message, results, with_calls=False):
                part += 1
                address = (turn.number, CHANGES, part)
                yield Unit(address, _elements(piece) + OF_MESSAGE, piece, message, 0, number)
    messages = (*turn.new_messages, *turn.responses)
    for number, message in enumerate(messages, start=1):
        left = results.without_results(message)
        if not (left.parts or left.ending or not message.parts):
            continue
        pieces = list(_pieces(left, results))
        if not pieces:
            yield Unit((turn.number, number, 1), OF_MESSAGE + 1, None, message)
        for at, piece in enumerate(pieces, start=1):
            elements = _elements(piece) + (OF_MESSAGE if at == 1 else 0)
            yield Unit((turn.number, number, at), elements, piece, message, len(pieces))
    yield Unit((turn.number, len(messages) + 1, 1), OF_TURN + len(turn.notes))


def _pieces(message: Message, results: Results, *, with_calls: bool = True) -> Iterator[Piece]:
    for part in message.parts:
        if part.kind != "tool_call" or not with_calls:
            yield Piece(part)
            continue
        found = results.of(part)
        yield Piece(part, found[:MOST_RESULTS], None if found else results.why_none(part))
        yield from map(Piece, found[MOST_RESULTS:])


def _elements(piece: Piece) -> int:
    around = OF_CALL if piece.part.kind == "tool_call" else 0
    return around + sum(map(_elements_of, (piece.part, *piece.results)))


def _elements_of(part: Part) -> int:
    """About how many elements show this part? Many characters count as more."""
    named = 0 if part.kind == "text" and not part.name else 1
    folded = 2 if is_folded(part.text) or part.kind == "reasoning" else 0
    characters = min(len(part.text), LONGEST_SENT) // CHARACTERS_AN_ELEMENT
    return 1 + named + folded + characters + (part.truncated_chars > 0)


def is_folded(text: str) -> bool:
    """Is this text so long that only its beginning is shown at first?"""
    return len(text) > CHARACTERS_SHOWN or text.count("\n", 0, CHARACTERS_SHOWN + 1) >= LINES_SHOWN
