"""A session as it is handed on: what it came to, what was said, and what vouches for that."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tracelib import sessions
from tracelib.conversation import StoredRequest, Transcript, Turn
from tracelib.conversation.history import History, opened
from tracelib.conversation.order import turns_in_order
from tracelib.conversation.session_rows import stored_in_batches
from tracelib.conversation.transcript import told_once, turn_of
from tracelib.handover.redacted import redacted
from tracelib.handover.rows import row_line
from tracelib.redaction import Redaction
from tracelib.selection import RowId, Selection
from tracelib.sessions import SessionSummary
from tracelib.source import Source

MOST_REQUESTS = 5_000
# Of bodies as they are stored; histories that are sent again and again are most of it.
MOST_CHARACTERS = 200_000_000
# Of what is shown, once each: more than a browser opens gladly.
MOST_WORDS = 50_000_000


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """A session without what was chosen to be masked; whole unless `is_complete` is False.

    `rows` are those it was made from, in the order of their turns, and `sha256` is over them as
    they were stored, before masking. `masked` counts what was masked, by kind. The figures are of
    all requests of the session, also where not all of them are told.
    """

    figures: SessionSummary
    transcript: Transcript
    rows: tuple[RowId, ...]
    sha256: str
    redaction: Redaction
    masked: Mapping[str, int]
    exported_at: datetime

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The ids of `rows`."""
        return tuple(row.request_id for row in self.rows)

    @property
    def is_complete(self) -> bool:
        return len(self.rows) >= self.figures.requests


def session_document(
    source: Source,
    selection: Selection,
    redaction: Redaction,
    now: datetime,
    most_requests: int = MOST_REQUESTS,
    most_characters: int = MOST_CHARACTERS,
) -> SessionDocument:
    """What is handed on of these requests?

    The first `most_requests` turns of them at most, and fewer where their bodies hold more than
    about `most_characters`, or the transcript more than 50,000,000. Raises NoSuchSession
    where no row is left.
    """
    summary = sessions.summary(source, selection)
    order = turns_in_order(source, selection)[:most_requests]
    history, digest, counts = History(), hashlib.sha256(), Counter[str]()
    turns: list[Turn] = []
    words = 0
    for request in stored_in_batches(source, selection, order, most_characters):
        turn, found = redacted(_turn(history, request), redaction)
        words += _characters(turn)
        if words > MOST_WORDS and turns:
            break
        for row in request.rows:
            digest.update(row_line(row))
        counts += found
        turns.append(turn)
    figures, found = redacted(summary, redaction)
    return SessionDocument(
        figures=figures,
        transcript=told_once(turns),
        rows=tuple(row for turn in turns for row in turn.request.row_ids),
        sha256=digest.hexdigest(),
        redaction=redaction,
        masked=dict(sorted((counts + found).items())),
        exported_at=now,
    )


def _turn(history: History, request: StoredRequest) -> Turn:
    one = opened(request)
    return turn_of(history, history.add(one), one)


def _characters(turn: Turn) -> int:
    messages = (*turn.asked, *turn.answered)
    return sum(len(part.text) for message in messages for part in message.parts)
