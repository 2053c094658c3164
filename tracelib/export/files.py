"""The files: a session as HTML or JSON, a table as CSV with units, exact values and no formulas."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tracelib import formatting
from tracelib.conversation import Message, Part, ShownChange, StoredRequest, Turn
from tracelib.conversation.transcript import (
    ROLES,
    failure_in_words,
    figures_in_words,
    origin_in_words,
)
from tracelib.export.document import SessionDocument
from tracelib.formatting import Kind
from tracelib.sessions import SessionSummary
from tracelib.spendlogs.figures import FIGURES as DECLARED

BYTE_ORDER_MARK = "\ufeff".encode()  # without it Excel does not read the file as UTF-8
# A spreadsheet takes text that begins like this for a formula; some skip the space before it.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
SPLITTING = ("\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading on a page, and its name in a file with the unit in it.

    `written` formats its values on a page, if not as all of its kind. Money can be drawn as a bar.
    """

    heading: str
    exported: str
    kind: Kind = Kind.TEXT
    width: Any = None
    explained: str | None = None
    alignment: Literal["left", "right"] | None = None
    written: Callable[[Any], str] | None = None
    is_bar: bool = False

    @classmethod
    def of(cls, figure: str, **others: Any) -> "Column":
        """The column of one of `FIGURES`, as it is declared except for these fields."""
        declared = DECLARED[figure]
        fields: dict[str, Any] = {
            "heading": declared.title,
            "exported": declared.exported,
            "kind": declared.kind,
            "explained": declared.definition,
        }
        return cls(**fields | others)


def table_csv(frame: pd.DataFrame, columns: Mapping[str, Column]) -> bytes:
    """The rows of a frame as a CSV file with these of its columns.

    A line of names, a line per row, UTF-8 with a byte order mark. Shares are in percent, times ISO
    8601 in UTC; unknown is empty. Without rows there is only the line of names.
    """
    known = frame[list(columns)].astype(object)
    known = known.where(known.notna(), None)
    kinds = [column.kind for column in columns.values()]
    rows = (
        [_in_unit(value, kind) for value, kind in zip(row, kinds, strict=True)]
        for row in known.itertuples(index=False)
    )
    names = [column.exported for column in columns.values()]
    return BYTE_ORDER_MARK + csv_lines([names]) + csv_lines(rows)


def csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """These rows as lines of CSV; a cell that a spreadsheet would run is escaped."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue().encode()


def iso_utc(moment: datetime) -> str:
    """
    >>> iso_utc(datetime(2026, 11, 23, 12, 0, 1, 500, tzinfo=UTC))
    '2026-11-23T12:00:01.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_unit(value: Any, kind: Kind) -> Any:
    """
    >>> _in_unit(0.07, Kind.SHARE), _in_unit(3.0, Kind.COUNT), _in_unit(None, Kind.SHARE)
    (7.0, 3, None)
    """
    if value is None:
        return None
    if kind is Kind.SHARE:
        # Times 100, 0.07 is 7.000000000000001.
        return float(f"{value * 100:.15g}")
    if kind is Kind.COUNT:
        return int(value)
    return iso_utc(value) if kind is Kind.MOMENT else value


def _cell(value: Any) -> Any:
    """
    >>> [_cell(value) for value in ("=1+1", " =1", "gpt-4o", -1.5, True, None)]
    ["'=1+1", "' =1", 'gpt-4o', -1.5, 'yes', None]
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(SPLITTING) or value.lstrip().startswith(FORMULA)
    return f"'{value}" if is_formula else value


FORMAT = 1  # increases when a key is renamed, left out, or changes its meaning
FIGURES = (
    *("session_id", "user", "user_name", "team", "team_name", "key_name", "agent", "end_user"),
    *("tags", "models", "providers", "started_at", "ended_at", "duration_ms", "model_ms"),
    *("requests", "failures", "cache_hits", "cost_usd", "prompt_tokens", "completion_tokens"),
    *("total_tokens", "replayed_tokens", "response_ms_avg", "response_ms_p95", "ttft_ms_p50"),
)
REQUEST = (
    *("request_id", "call_type", "started_at", "ended_at", "model", "deployment", "provider"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "cached_prompt_tokens", "spend_usd"),
    *("latency_ms", "ttft_ms", "is_cache_hit", "is_failure", "error_class", "error_code"),
    *("error_message", "asked_model", "attempted_retries", "attempted_fallbacks"),
)
PART = (
    *("kind", "text", "name", "call_id", "is_json", "size_bytes", "truncated_chars"),
    *("is_redacted", "is_error"),
)


def as_json(document: SessionDocument) -> Iterator[str]:
    """The document as one JSON object, indented, piece by piece."""
    pieces = json.JSONEncoder(ensure_ascii=False, indent=1, default=_time).iterencode(
        _whole(document)
    )
    while some := "".join(islice(pieces, PIECES_AT_ONCE)):
        yield some


def _whole(document: SessionDocument) -> dict[str, Any]:
    transcript = document.transcript
    return {
        "format": FORMAT,
        "exported_at": document.exported_at,
        "is_complete": document.is_complete,
        "redaction": {"masks": document.redaction.names(), "masked": document.masked},
        "figures": _chosen(document.figures, FIGURES),
        "notes": transcript.notes,
        "turns": [_turn(turn) for turn in transcript.turns],
        "rows": {
            "request_ids": [row.request_id for row in document.rows],
            "started_at": [row.started_at for row in document.rows],
            "sha256": document.sha256,
        },
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "number": turn.number,
        "parent_id": turn.parent_id,
        "parent_number": turn.parent_number,
        "branches": turn.starts_line,
        "thread": turn.thread,
        "request": _chosen(turn.request, REQUEST),
        "other_rows": [_chosen(one, REQUEST) for one in turn.request.rest],
        "settings": dict(turn.settings),
        "repeated": turn.repeated,
        "changes": [_change(change) for change in turn.changes],
        "asked": [_message(message) for message in turn.new_messages],
        "answered": [_message(message) for message in turn.responses],
        "notes": turn.notes,
    }


def _change(change: ShownChange) -> dict[str, Any]:
    messages = [_message(message) for message in change.messages]
    return {"sentence": change.sentence, "messages": messages}


def _message(message: Message) -> dict[str, Any]:
    parts = [{name: getattr(part, name) for name in PART} for part in message.parts]
    named = {name: getattr(message, name) for name in ("role", "name", "ending", "choice")}
    return {**named, "parts": parts}


def _chosen(value: SessionSummary | StoredRequest, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _time(value: object) -> str:
    """
    >>> _time(datetime(2026, 11, 23, 9, tzinfo=UTC))
    '2026-11-23T09:00:00.000Z'
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} has no JSON")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


PIECES_AT_ONCE = 500


def as_html(document: SessionDocument, zone: str = "UTC") -> Iterator[str]:
    """The document as an HTML file, piece by piece. Clock times are of `zone`.

    All text is escaped, and a policy in the file keeps it from loading anything.
    """
    stream = _template().stream(
        document=document,
        figures=_figures(document.figures),
        facts=_facts(document.figures, zone),
        turns=zip(document.transcript.turns, (None, *document.transcript.turns), strict=False),
        zone=zone,
        clock=lambda moment: _clock(moment, zone),
    )
    stream.enable_buffering(PIECES_AT_ONCE)
    return stream


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "origin": origin_in_words,
        "role": _role,
        "metrics": figures_in_words,
        "failure": failure_in_words,
        "title": _title,
    }
    return environment.get_template("session.html")


def _figures(figures: SessionSummary) -> list[tuple[str, str]]:
    return [
        ("Cost", formatting.money(figures.cost_usd)),
        ("Requests", formatting.exact(figures.requests)),
        ("Failures", formatting.exact(figures.failures)),
        ("Tokens", formatting.exact(figures.total_tokens)),
        ("Duration", formatting.duration(figures.duration_ms)),
        ("Cache hits", formatting.exact(figures.cache_hits)),
    ]


def _facts(figures: SessionSummary, zone: str) -> list[tuple[str, str]]:
    """Users, models and times of the session: only what is known."""
    known = (
        ("User", figures.user_name),
        ("Team", figures.team_name),
        ("Key", figures.key_name),
        ("Agent", figures.agent),
        ("End user", figures.end_user),
        ("Models", ", ".join(figures.models)),
        ("Providers", ", ".join(figures.providers)),
        ("Tags", ", ".join(figures.tags)),
        ("From", formatting.clock(figures.started_at, zone)),
        ("To", formatting.clock(figures.ended_at, zone)),
    )
    return [(name, value) for name, value in known if value]


def _role(message: Message) -> str:
    """The role as a class of the file's own style: never text of a caller."""
    return message.role if message.role in ROLES else "other"


def _title(thing: Message | Part) -> str:
    if isinstance(thing, Message):
        return ROLES.get(thing.role, thing.role)
    named = thing.name or thing.call_id or "a tool"
    titles = {
        "reasoning": "Reasoning",
        "tool_call": f"Calls {named}",
        "tool_result": f"{'Error' if thing.is_error else 'Result'} of {named}",
        "citation": f"Cites {thing.name}" if thing.name else "Cites",
        "data": thing.name or "Data",
    }
    return titles.get(thing.kind, thing.name or "")


def _clock(moment: datetime, zone: str) -> str:
    return formatting.clock(moment, zone)
