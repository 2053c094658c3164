"""A long conversation, read page by page; the bodies of other pages are read once and dropped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock

from tracelib.conversation.notes import NOT_COMPARED, TOO_MANY
from tracelib.conversation.order import MOST_TURNS, KnownOrder, turns_in_order
from tracelib.conversation.requests import StoredRequest, TurnRows
from tracelib.conversation.results import Results
from tracelib.conversation.sections import Section, sections
from tracelib.conversation.session_rows import stored_in_batches
from tracelib.conversation.threading.history import History, ReadTurn, as_message, read_turn
from tracelib.conversation.tool_use import ToolUse, offered_never_called, tool_uses
from tracelib.conversation.transcript import Turn, turn_of, with_shared_notes
from tracelib.selection import Selection
from tracelib.source import Postgres

TURNS_A_PAGE = 40
# Characters of earlier bodies per call: about a second for PostgreSQL and Python.
CHARACTERS_AT_ONCE = 32_000_000
# A kilobyte each. Conversations resend their messages; one that never does is not held completely.
MOST_MESSAGES_KNOWN = 60_000
BYTES_OF_A_PART = 400  # besides its text


@dataclass(frozen=True)
class TurnPage:
    """Some turns of a conversation.

    `total` counts all its turns; `first` is the number of the first one here, from 1. `notes` hold
    for every turn of the page. If `is_compared` is False, the page was read alone: what its
    requests share with earlier ones is unknown, and its threads are its own.
    """

    turns: tuple[Turn, ...]
    notes: tuple[str, ...]
    total: int
    first: int
    is_compared: bool

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        messages = (one for turn in self.turns for one in (*turn.new_messages, *turn.responses))
        parts = (part for message in messages for part in message.parts)
        return 2_000 * len(self.turns) + sum(BYTES_OF_A_PART + len(part.text) for part in parts)

    @cached_property
    def results(self) -> Results:
        """The calls of these turns with their results."""
        return Results(self.turns, self._uses, is_whole=len(self.turns) == self.total)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """What is drawn at once of these turns, computed once for all viewers."""
        return sections(self.turns, self.results)

    @cached_property
    def never_called(self) -> tuple[str, ...]:
        """The tools that were offered and not called."""
        return offered_never_called(self.turns, self._uses)

    @cached_property
    def _uses(self) -> tuple[ToolUse, ...]:
        return tool_uses(self.turns)


class Reading:
    """The state of reading a conversation: how far it was read, and fingerprints, not texts.

    Threads may share it. It is reset if a request appears before the end of what was read, for
    example a slow one that was written late, or if one was deleted.
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.lock = Lock()
        self._history = History()
        self._read: dict[TurnRows, int] = {}  # in order, with their index in the history

    def __repr__(self) -> str:
        return f"Reading({self.selection!r})"

    def keep_to(self, order: Sequence[TurnRows]) -> None:
        """Reset unless these requests begin with those that were read."""
        if list(self._read) != list(order[: len(self._read)]):
            self._history, self._read = History(), {}

    def read_up_to(self, source: Postgres, order: Sequence[TurnRows], most_characters: int) -> bool:
        """Read on as far as is allowed. Are all these requests read?"""
        left = order[len(self._read) :]
        if left and self._history.messages_known() < MOST_MESSAGES_KNOWN:
            for request in stored_in_batches(source, self.selection, left, most_characters):
                self._add(read_turn(request))
        return len(self._read) >= len(order)

    def turns(self, source: Postgres, page: Sequence[TurnRows]) -> Iterator[Turn]:
        """These turns, which are read already or follow what was read."""
        for request in stored_in_batches(source, self.selection, page):
            one = read_turn(request)
            index = self._read.get(request.row_ids)
            yield turn_of(self._history, self._add(one) if index is None else index, one)

    def only(self, source: Postgres, page: Sequence[TurnRows]) -> Iterator[Turn]:
        """The only turn of a conversation, which is compared with nothing, nor remembered."""
        for request in stored_in_batches(source, self.selection, page):
            one = read_turn(request)
            history = History()
            yield turn_of(history, history.add_only(one), one)

    def _add(self, one: ReadTurn) -> int:
        index = self._history.add(one)
        self._read[one.request.row_ids] = index
        return index


def turns(
    source: Postgres,
    reading: Reading,
    first: int = 1,
    count: int = TURNS_A_PAGE,
    most_characters: int = CHARACTERS_AT_ONCE,
    known: KnownOrder | None = None,
) -> TurnPage:
    """Which messages do the turns from number `first` on have, each message once, in order?

    Reads the bodies of the page, and those of earlier requests that `reading` does not know yet: up
    to about `most_characters` of them, else the page is read alone, and the next call continues
    from there. `known` is the order of the turns if it was queried already. The requests of the
    turns come without their bodies. A page beyond the end has no turns, nor has one of an empty
    selection.
    """
    with reading.lock:
        order = known.turns if known else turns_in_order(source, reading.selection)
        before, page = order[: first - 1], order[first - 1 : first - 1 + count]
        reading.keep_to(order)
        is_compared = not page or reading.read_up_to(source, before, most_characters)
        if len(order) == 1:
            found = reading.only(source, page)
        elif is_compared:
            found = reading.turns(source, page)
        else:
            found = _alone(source, reading, page, first)
        shown = with_shared_notes([_without_bodies(turn) for turn in found])
    notes = [] if is_compared else [NOT_COMPARED]
    notes += [TOO_MANY] if sum(map(len, order)) == MOST_TURNS else []
    return TurnPage(shown.turns, (*notes, *shown.notes), len(order), first, is_compared)


def _alone(
    source: Postgres, reading: Reading, page: Sequence[TurnRows], first: int
) -> Iterator[Turn]:
    """A page compared with itself only: for turns that start there, only the newest is shown."""
    history = History()
    for request in stored_in_batches(source, reading.selection, page):
        one = read_turn(request)
        index = history.add(one)
        turn = turn_of(history, index, one)
        parent_number = turn.parent_number
        if parent_number is None:
            newest = turn_of(history, index, one, hidden=_quoted_count(one))
            turn = replace(newest, starts_line=False)
        else:
            parent_number += first - 1
        yield replace(turn, number=first + index, parent_number=parent_number)


def _quoted_count(one: ReadTurn) -> int:
    """How many messages does this request have up to the last response that it quotes?"""
    messages = one.question.messages
    ends = range(len(messages), 0, -1)
    return next((end for end in ends if as_message(messages[end - 1]).role == "assistant"), 0)


def _without_bodies(turn: Turn) -> Turn:
    """The turn without its bodies: megabytes that a page does not need."""
    return replace(turn, request=_bare(turn.request))


def _bare(request: StoredRequest) -> StoredRequest:
    rest = tuple(map(_bare, request.rest))
    return replace(request, request_body=None, response_body=None, messages_body=None, rest=rest)
