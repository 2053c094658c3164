"""The requests of a conversation with the bodies of their prompts and responses."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, Subquery, and_, cast, or_, select
from sqlalchemy.types import Text

from tracelib.conversation.json_values import read_json
from tracelib.conversation.requests import StoredRequest, TurnRows
from tracelib.schema import BODY_COLUMNS
from tracelib.selection import Selection
from tracelib.source import Postgres
from tracelib.spendlogs.facts import with_facts

BODY_FIELDS = ("request_body", "response_body", "messages_body")
FACTS = (
    "error_class",
    "error_code",
    "error_message",
    "cached_prompt_tokens",
    "asked_model",
    "attempted_retries",
    "attempted_fallbacks",
    "cold_storage_key",
)
COLUMNS = (
    "request_id",
    "call_id",
    "call_type",
    "background_id",
    "started_at",
    "ended_at",
    "model",
    "deployment",
    "provider",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "spend_usd",
    "latency_ms",
    "ttft_ms",
    "is_cache_hit",
    "is_failure",
)

# Bodies grow from request to request: the size of a batch follows from the batch before.
FIRST_BATCH = 10
LARGEST_BATCH = 200
BATCH_CHARACTERS = 4_000_000


def stored_requests(
    source: Postgres,
    selection: Selection,
    limit: int = 200,
    after: tuple[datetime, str] | None = None,
) -> tuple[StoredRequest, ...]:
    """Which bodies do these requests have, row by row?

    By start, ties by request ID, at most `limit`; `after` is the start and ID of the last request
    of the previous page. A body is None if its column is missing or not granted. An empty selection
    has no requests.
    """
    return tuple(_requests(source, source.rows(_page(source, selection, limit, after))))


def stored_in_batches(
    source: Postgres,
    selection: Selection,
    turns: Sequence[TurnRows],
    most_characters: int | None = None,
) -> Iterator[StoredRequest]:
    """Which bodies do these turns of the selection have, in their order?

    A turn is one request with its other rows in `rest`. They are read a few megabytes at a time, so
    that those already used can be freed. Ends early once this many characters of bodies were read.
    Rows that do not exist are skipped.
    """
    read, batch = 0, FIRST_BATCH
    while turns and (most_characters is None or read < most_characters):
        some, turns = turns[:batch], turns[batch:]
        needed = [row for turn in some for row in turn]
        rows = source.rows(_page(source, replace(selection, rows=tuple(needed)), len(needed)))
        size = sum(len(row._mapping[name] or "") for row in rows for name in BODY_FIELDS)
        yield from _as_turns(some, _requests(source, rows))
        read += size
        batch = min(max(BATCH_CHARACTERS * len(some) // (size + 1), 1), LARGEST_BATCH)


def _as_turns(
    turns: Iterable[TurnRows], requests: Iterable[StoredRequest]
) -> Iterator[StoredRequest]:
    found = {request.row: request for request in requests}
    for turn in turns:
        there = [found[row] for row in turn if row in found]
        if there:
            yield replace(there[0], rest=tuple(there[1:]))


def _page(
    source: Postgres,
    selection: Selection,
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> Select[Any]:
    requests = source.selected(selection)
    page = (
        select(*requests.c)
        .where(*_beyond(requests, after))
        .order_by(requests.c.started_at, requests.c.request_id)
        .limit(limit)
        .subquery("page")
    )
    return _with_bodies(page)


def _beyond(requests: Subquery, after: tuple[datetime, str] | None) -> Sequence[Any]:
    if after is None:
        return ()
    moment, request_id = after
    same = and_(requests.c.started_at == moment, requests.c.request_id > request_id)
    return (or_(requests.c.started_at > moment, same),)


def _with_bodies(page: Subquery) -> Select[Any]:
    """Bodies are fetched as text: a client's JSON may be nested deeper than a parser allows."""
    bodies = [cast(page.c[name], Text()).label(name) for name in BODY_FIELDS]
    known = with_facts(page, *COLUMNS).add_columns(*bodies)
    return known.order_by(page.c.started_at, page.c.request_id)


def _requests(source: Postgres, rows: Sequence[Row[Any]]) -> Iterator[StoredRequest]:
    is_withheld = not BODY_COLUMNS.isdisjoint(source.schema.unreadable)
    return (_request(row, is_withheld) for row in rows)


def _request(row: Row[Any], is_withheld: bool) -> StoredRequest:
    stored = row._asdict()
    facts: dict[str, Any] = {name: stored[name] for name in (*COLUMNS, *FACTS)}
    if facts["spend_usd"] is not None:
        facts["spend_usd"] = float(facts["spend_usd"])
    if facts["asked_model"] == facts["model"]:
        facts["asked_model"] = None
    bodies = {name: _parsed(stored[name]) for name in BODY_FIELDS}
    return StoredRequest(**facts, **bodies, is_withheld=is_withheld)


def _parsed(body: str | None) -> Any:
    if body is None:
        return None
    try:
        return read_json(body)
    except (ValueError, RecursionError):
        return body
