"""An exported session: figures, transcript, what was masked, and a hash over its stored rows."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from tracelib import sessions
from tracelib.conversation import StoredRequest, Transcript, Turn
from tracelib.conversation.order import turns_in_order
from tracelib.conversation.session_rows import BODY_FIELDS, stored_in_batches
from tracelib.conversation.threading.history import History, read_turn
from tracelib.conversation.transcript import turn_of, with_shared_notes
from tracelib.redaction import NONE, Redaction, masked
from tracelib.selection import RowId, Selection
from tracelib.sessions import SessionSummary
from tracelib.source import Postgres

TOO_DEEP = "nested too deeply"


def rows_sha256(requests: Iterable[StoredRequest]) -> str:
    """The SHA-256 of these rows, in this order. Hexadecimal; that of nothing without rows.

    It is computed over the `row_line` of each. docs/exports.md computes it from the table.
    """
    digest = hashlib.sha256()
    for request in requests:
        digest.update(row_line(request))
    return digest.hexdigest()


def row_line(request: StoredRequest) -> bytes:
    r"""The line of this row that is hashed: one line of JSON, before anything is masked.

    Sorted keys, no spaces, all but ASCII as \u escapes, a line feed at the end: ID, start and end
    in UTC to the microsecond, LiteLLM's model column, spend to 15 digits, tokens, whether it
    failed, and the three bodies.
    """
    facts = {
        "request_id": request.request_id,
        "startTime": request.started_at.isoformat(timespec="microseconds"),
        "endTime": request.ended_at.isoformat(timespec="microseconds"),
        "model": request.deployment or "",
        "spend": request.spend_usd,
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": request.completion_tokens,
        "is_failure": request.is_failure,
        "proxy_server_request": request.request_body,
        "response": request.response_body,
        "messages": request.messages_body,
    }
    try:
        return _line(facts)
    except RecursionError:
        bodies = dict.fromkeys(("proxy_server_request", "response", "messages"), TOO_DEEP)
        return _line(facts | bodies)


def _line(facts: dict[str, object]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode() + b"\n"


T = TypeVar("T")
# Fields by which rows are found and calls paired. None of them holds a person's text.
IDS = frozenset(
    {
        *("request_id", "call_id", "background_id", "called_in", "answered_in"),
        *("api_key", "reference"),
    }
)
# Stored bodies, and fields that hold arguments or images unmasked to compare them.
LEFT_OUT: dict[str, Any] = {**dict.fromkeys(BODY_FIELDS), "fingerprint": ""}
SHORT = 200


def redacted(value: T, redaction: Redaction) -> tuple[T, Counter[str]]:
    """What is this with its private data masked, and how much was masked, by kind?

    `value` is a turn, a page of them, a message, a summary or a tuple of such: every text in it is
    masked, except IDs. Stored bodies are left out, whatever the redaction. A text that occurs twice
    counts twice.
    """
    counts: Counter[str] = Counter()
    return _without(value, redaction, counts), counts


def _without(value: Any, redaction: Redaction, counts: Counter[str]) -> Any:
    if isinstance(value, str):
        return _masked(value, redaction, counts)
    if isinstance(value, RowId):
        return value
    if isinstance(value, tuple):
        return tuple(_without(one, redaction, counts) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        masked_ones = {
            name: _without(one, redaction, counts)
            for name, one in named.items()
            if name not in IDS and name not in LEFT_OUT
        }
        left_out = {name: LEFT_OUT[name] for name in named if name in LEFT_OUT}
        return replace(value, **masked_ones, **left_out)
    return value


def _masked(text: str, redaction: Redaction, counts: Counter[str]) -> str:
    if redaction == NONE:
        return text
    without, found = (masked_name if len(text) <= SHORT else masked)(text, redaction)
    counts.update(found)
    return without


@lru_cache(maxsize=4_096)
def masked_name(text: str, redaction: Redaction) -> tuple[str, Counter[str]]:
    """`masked`, cached: roles, names and notes are repeated in many rows."""
    return masked(text, redaction)


MOST_REQUESTS = 5_000
# Of stored bodies; histories that are sent again and again are most of it.
MOST_CHARACTERS = 200_000_000
# Of shown text, each once: more than a browser opens easily.
MOST_WORDS = 50_000_000


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """A session with the chosen data masked; whole unless `is_complete` is False.

    `rows` are those it was made from, in the order of their turns, and `sha256` is over them as
    they were stored, before masking. `masked` counts what was masked, by kind. The figures are of
    all requests of the session, even if some are left out.
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
        """The IDs of `rows`."""
        return tuple(row.request_id for row in self.rows)

    @property
    def is_complete(self) -> bool:
        return len(self.rows) >= self.figures.requests


def session_document(
    source: Postgres,
    selection: Selection,
    redaction: Redaction,
    now: datetime,
    most_requests: int = MOST_REQUESTS,
    most_characters: int = MOST_CHARACTERS,
) -> SessionDocument:
    """Which document is exported for these requests?

    Their first `most_requests` turns at most, and fewer if their bodies hold more than about
    `most_characters`, or the transcript more than 50,000,000. Raises NoSuchSession if none of the
    rows is left.
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
        transcript=with_shared_notes(turns),
        rows=tuple(row for turn in turns for row in turn.request.row_ids),
        sha256=digest.hexdigest(),
        redaction=redaction,
        masked=dict(sorted((counts + found).items())),
        exported_at=now,
    )


def _turn(history: History, request: StoredRequest) -> Turn:
    one = read_turn(request)
    return turn_of(history, history.add(one), one)


def _characters(turn: Turn) -> int:
    messages = (*turn.new_messages, *turn.responses)
    return sum(len(part.text) for message in messages for part in message.parts)
