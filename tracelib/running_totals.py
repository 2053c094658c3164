"""LiteLLM's running totals and budget windows: how they are read, and whose may be seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, cast, column, select, table
from sqlalchemy.types import DateTime, Float, Text

from tracelib.keys import key_identity
from tracelib.permissions.access import Scope
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import can_be_stored, shown_key
from tracelib.spendlogs.types import GREATEST_AMOUNT, MONEY, utc

# LiteLLM's own pseudo user, to whom it books everything again.
PSEUDO_USER = "litellm-proxy-budget"
WINDOWS = "LiteLLM_BudgetWindowSpend"
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class WindowSpend:
    """What LiteLLM has counted in a budget window since its start, aware UTC, in US dollars."""

    duration: str
    start: datetime
    spend_usd: Decimal


def window_spends(source: Postgres) -> Mapping[tuple[str, str], tuple[WindowSpend, ...]]:
    """What has LiteLLM counted in the budget windows whose start it stores?

    By kind (key, team) and ID, a key's identity. Empty if the table may not be read.
    """
    schema = source.schema
    names = ("entity_type", "entity_id", "window_duration", "window_start", "spend")
    if not schema.reads(WINDOWS, *names):
        return {}
    rows = table(
        WINDOWS,
        *(column(one, Text()) for one in names[:3]),
        column("window_start", DateTime()),
        column("spend", Float()),
        schema=schema.name,
    )
    found: dict[tuple[str, str], tuple[WindowSpend, ...]] = {}
    statement = select(*list(rows.c)[:3], utc(rows.c.window_start), amount(rows.c.spend))
    for row in source.rows(statement):
        kind, own, duration, start, spend = tuple(row)
        one = WindowSpend(duration, start, Decimal(spend or 0))
        place = (kind.lower(), key_identity(own) if kind.lower() == "key" else own)
        found[place] = (*found.get(place, ()), one)
    return found


def amount(spend: ColumnElement[Any]) -> ColumnElement[Any]:
    """The spend as exact money; NULL if it is no possible amount."""
    return cast(case((spend.between(-GREATEST_AMOUNT, GREATEST_AMOUNT), spend)), MONEY)


def whose(own: ColumnElement[str], kind: str, scope: Scope) -> list[ColumnElement[bool]]:
    """Which IDs are in the scope themselves? A total of another ID has figures of others in it."""
    if scope.is_all:
        return []
    if kind == "key":
        return [shown_key(own).in_([one for one in map(key_identity, scope.keys) if one])]
    ids = {"team": scope.teams, "user": scope.users}.get(kind, ())
    return [own.in_([one for one in ids if can_be_stored(one)])]


def length_of(duration: str, end: datetime) -> timedelta | None:
    """How long is a budget window of this duration that ends then? None if it is no duration.

    >>> from datetime import UTC
    >>> length_of("30d", datetime(2026, 3, 1, tzinfo=UTC)).days
    30
    >>> length_of("1mo", datetime(2026, 3, 1, tzinfo=UTC)).days, length_of("soon", datetime.max)
    (28, None)
    """
    number, unit = duration.rstrip("smhdwo"), duration.lstrip("0123456789")
    if not number.isdecimal() or len(number) > 4:
        return None
    if unit in UNITS_S:
        return timedelta(seconds=int(number) * UNITS_S[unit])
    if unit != "mo":
        return None
    month = end.year * 12 + end.month - 1 - int(number)
    if month < 12:
        return None
    year, place = divmod(month, 12)
    start = end.replace(year=year, month=place + 1, day=min(end.day, 28))
    return end - start
