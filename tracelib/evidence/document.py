"""The evidence of a range as a file: JSON with its statement, counts and hashes."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from tracelib.evidence.counts import Evidence, evidence
from tracelib.evidence.statement import statement_of
from tracelib.filters import Filters
from tracelib.permissions.access import Access, Scope
from tracelib.source import Postgres
from tracelib.spendlogs import digests
from tracelib.spendlogs.names import shortened
from tracelib.window import TimeWindow

FORMAT = "llm-traceability-evidence/1"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Rows are hashed by one statement per step, so that none takes long; with bodies they are large.
STEPS = {False: DAY, True: HOUR}


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who makes the file, and what they may see; `who` is None if the app is open."""

    who: str | None
    access: Access


def evidence_file(
    source: Postgres, filters: Filters, signatory: Signatory, made_at: datetime, with_bodies: bool
) -> bytes:
    """What is the evidence of this range, as a file?

    JSON as docs/evidence.md describes it. Rows are hashed in the database, a UTC day at a time, or
    an hour if their bodies are included; in the memory of the app is one line per hour.
    """
    found = evidence(source, filters)
    columns = digests.hashed_columns(source.schema, with_bodies)
    hours = list(_hours(source, filters, found, columns, STEPS[with_bodies]))
    days = list(_days(hours))
    document = {
        "format": FORMAT,
        "made": {"at": _iso(made_at), "by": signatory.who, "role": signatory.access.role},
        "range": {"start": _iso(filters.window.start), "end": _iso(filters.window.end)},
        "filters": {name: _ids(name, ids) for name, ids in filters.chosen().items()},
        "scope": _scope(signatory.access.scope),
        "complete": statement_of(found).is_complete,
        "statement": list(statement_of(found).sentences()),
        "counts": _counts(found, days),
        "hashes": {"columns": list(columns), "days": days, "chain": _chain(days)},
    }
    return signed(document)


def signed(document: dict[str, Any]) -> bytes:
    """The document as JSON, with the SHA-256 of its canonical form as its last field."""
    own_hash = hashlib.sha256(canonical(document)).hexdigest()
    text = json.dumps(document | {"sha256": own_hash}, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def canonical(document: dict[str, Any]) -> bytes:
    """The JSON that is hashed: ASCII, keys in order, no white space.

    >>> canonical({"b": 1, "a": "é"})
    b'{"a":"\\\\u00e9","b":1}'
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _hours(
    source: Postgres, filters: Filters, found: Evidence, columns: tuple[str, ...], step: timedelta
) -> Iterator[Row[Any]]:
    """The hashes of all hours with requests, read a step at a time; empty days are not read."""
    filled = set(found.days["day"])
    for window in _steps(filters.window, step):
        if f"{window.start:%Y-%m-%d}" in filled:
            yield from source.rows(
                digests.hashes_by_hour(source.schema, filters.within(window), columns)
            )


def _steps(window: TimeWindow, step: timedelta) -> Iterator[TimeWindow]:
    """The window in steps of whole UTC days or hours."""
    start = window.start
    while start < window.end:
        floor = datetime.min.replace(tzinfo=UTC) + (
            (start - datetime.min.replace(tzinfo=UTC)) // step * step
        )
        end = min(floor + step, window.end)
        yield TimeWindow(start, end)
        start = end


def _days(hours: list[Row[Any]]) -> Iterator[dict[str, Any]]:
    for day, own in groupby(hours, key=lambda hour: hour.hour[:10]):
        lines = list(own)
        yield {
            "date": day,
            "requests": sum(one.requests for one in lines),
            "cost_usd": _plain(sum((one.cost_usd for one in lines), Decimal(0))),
            **{name: _sum([getattr(one, name) for one in lines]) for name in digests.MARKS},
            "sha256": _day_hash([(one.hour, one.requests, one.sha256) for one in lines]),
            "hours": [
                {"hour": one.hour, "requests": one.requests, "sha256": one.sha256} for one in lines
            ],
        }


def _day_hash(hours: list[tuple[str, int, str]]) -> str:
    lines = "".join(f"{hour} {requests} {digest}\n" for hour, requests, digest in hours)
    return hashlib.sha256(lines.encode()).hexdigest()


def _chain(days: list[dict[str, Any]]) -> str:
    """Each link is the hash of the one before it and of a day; the first has nothing before it."""
    link = ""
    for day in days:
        link = hashlib.sha256(f"{link}{day['sha256']}".encode()).hexdigest()
    return link


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _plain(amount: Decimal) -> str:
    """The amount with all its digits and no more.

    >>> _plain(Decimal("1.250000000000000")), _plain(Decimal("0E-15")), _plain(Decimal(100))
    ('1.25', '0', '100')
    """
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _counts(found: Evidence, days: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("requests", "failures", "with_prompt", "with_response", "without_key")
    return {
        **{name: found.total(name) for name in names},
        "hashed_requests": sum(day["requests"] for day in days),
        "unresolved_requests": found.unresolved_rows,
        "unresolved_keys": found.unresolved_keys,
        "refused_before_logging_at_least": found.refused,
        "in_daily_totals_only_at_least": found.unlogged,
        "among_newest": asdict(found.marks),
        "oldest_in_log": _iso(found.oldest) if found.oldest else None,
        "newest_in_log": _iso(found.newest) if found.newest else None,
    }


def _scope(scope: Scope) -> dict[str, Any]:
    if scope.is_all:
        return {"all": True}
    return {name: _ids(name, getattr(scope, name)) for name in ("teams", "users", "keys")}


def _ids(name: str, ids: tuple[str, ...]) -> list[str]:
    """The IDs; of a key's hash, its start."""
    return [shortened(one) for one in ids] if name in ("key", "keys") else list(ids)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
