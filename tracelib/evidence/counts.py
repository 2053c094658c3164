"""What the log holds of a range: rows, bodies, keys, and what was never logged."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, case, cast, func, select
from sqlalchemy.types import BigInteger, Date, DateTime, Text

from tracelib.filters import Filters
from tracelib.keys import HASH
from tracelib.source import Postgres
from tracelib.spendlogs import digests, extent, facts, measures
from tracelib.spendlogs.names import known_keys
from tracelib.window import TimeWindow

# Bodies that are read to see whether LiteLLM cut or replaced them; each is about 20 kB.
MOST_BODIES = 5_000
MOST_CLIENTS = 50
DAY = timedelta(days=1)
# The last requests of a day may be written this long after it.
WRITTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Marks:
    """What LiteLLM did not store whole, among the newest `read` requests."""

    read: int
    truncated: int | None
    redacted: int | None
    in_cold_storage: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the log holds of the requests in the filters.

    `days` has a row per UTC day with requests, in order:

        day                        text     as 2026-11-23
        requests, failures         int
        with_prompt, with_response int      None if the bodies may not be read
        without_key                int
        cost_usd                   double   US dollars
        gateway_requests           int      what the gateway counted on this whole day; None if it
                                            is unknown, or the viewer does not see everything
        daily_requests             int      what LiteLLM has added up on this whole day; the same

    `oldest` and `newest` are the ends of the viewer's log, not of the range. `unresolved_rows` have
    one of `unresolved_keys` that are in no table of keys; None if these may not be read. `clients`
    has a row per address and user agent of requests without a key, the most first: address,
    user_agent, requests, failures, newest_at.
    """

    window: TimeWindow
    days: pd.DataFrame
    oldest: datetime | None
    newest: datetime | None
    server_time: datetime
    marks: Marks
    unresolved_rows: int | None
    unresolved_keys: int | None
    clients: pd.DataFrame
    knows_bodies: bool
    knows_gateway: bool
    knows_daily: bool
    sees_all: bool

    def total(self, name: str) -> int | None:
        """The sum of a count over all days; None if it is unknown."""
        values = self.days[name]
        return None if len(values) and values.isna().all() else int(values.sum())

    @property
    def refused(self) -> int | None:
        """How many requests, at least, did the gateway count and the log not hold?"""
        return self._more("gateway_requests") if self.knows_gateway else None

    @property
    def unlogged(self) -> int | None:
        """How many requests, at least, has LiteLLM added up and the log not hold?"""
        return self._more("daily_requests") if self.knows_daily else None

    def _more(self, name: str) -> int | None:
        """How many more does this count have, on the days on which it has more? None if on none."""
        known = self.days.dropna(subset=[name])
        if known.empty:
            return None
        return int((known[name] - known["requests"]).clip(lower=0).sum())

    @property
    def compared_days(self) -> tuple[date, date]:
        """The first UTC day that can be compared with other counts, and the first after them."""
        return _whole_days(self.window, self.server_time)

    def days_without(self, name: str) -> int:
        """Of how many of the days that can be compared is this count unknown?"""
        first, end = (day.isoformat() for day in self.compared_days)
        days = self.days[(self.days["day"] >= first) & (self.days["day"] < end)]
        return int(days[name].isna().sum())

    @property
    def days_in_part(self) -> int:
        """How many days with requests are not wholly in the range, or not over?"""
        first, end = (day.isoformat() for day in self.compared_days)
        return int(((self.days["day"] < first) | (self.days["day"] >= end)).sum())


def evidence(source: Postgres, filters: Filters) -> Evidence:
    """What does the log hold of this range, and what does it lack?

    Of the requests in the filters and the viewer's scope. No request gives counts of 0.
    """
    ends = source.row(extent.first_and_last(source.schema))
    days = source.frame(_by_day(source, filters))
    whole_days = _whole_days(filters.window, ends.server_time)
    gateway, daily = (
        _counts_of_all(source, filters, count(source.schema, *whole_days))
        for count in (extent.gateway_counts, extent.booked_counts)
    )
    unresolved = _unresolved(source, filters)
    schema = source.schema
    return Evidence(
        window=filters.window,
        days=_with_count(_with_count(days, "gateway_requests", gateway), "daily_requests", daily),
        oldest=ends.oldest,
        newest=ends.newest,
        server_time=ends.server_time,
        marks=_marks(source, filters),
        unresolved_rows=unresolved[0],
        unresolved_keys=unresolved[1],
        clients=source.frame(_clients_without_key(source, filters)),
        knows_bodies=schema.has("response") and schema.has("proxy_server_request"),
        knows_gateway=gateway is not None,
        knows_daily=daily is not None,
        sees_all=schema.scope.is_all and not filters.chosen(),
    )


def _by_day(source: Postgres, filters: Filters) -> Select[Any]:
    requests = source.requests(filters)
    day = cast(requests.c.start_order, Date)
    return (
        select(
            cast(day, Text).label("day"),
            func.count().label("requests"),
            measures.failures(requests).label("failures"),
            _known_count(requests.c.has_prompt).label("with_prompt"),
            _known_count(requests.c.has_response).label("with_response"),
            func.count().filter(requests.c.key_group == "").label("without_key"),
            measures.cost_usd(requests).label("cost_usd"),
        )
        .group_by(day)
        .order_by(day)
    )


def _known_count(condition: ColumnElement[Any]) -> ColumnElement[Any]:
    """How many rows meet this condition? None if it is unknown of all."""
    return case((func.count(condition) > 0, func.count().filter(condition)))


def _counts_of_all(
    source: Postgres, filters: Filters, statement: Select[Any] | None
) -> dict[str, int] | None:
    """What does another count of all requests say of each day?

    It is kept for no filter: None for a viewer or filters that do not include all.
    """
    if statement is None or filters.chosen():
        return None
    rows = source.rows(statement)
    return {row.date: row.requests or 0 for row in rows if extent.day_of(row.date)}


def _whole_days(window: TimeWindow, now: datetime) -> tuple[date, date]:
    """The first UTC day that is wholly in the window, and the first after it that is not.

    A day is over when its last requests have been written, too.
    """
    start = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = start if start == window.start else start + DAY
    return first.date(), min(window.end, now.astimezone(UTC) - WRITTEN_AFTER).date()


def _with_count(days: pd.DataFrame, name: str, found: dict[str, int] | None) -> pd.DataFrame:
    """The days of the log and of this count: all that was counted there may be missing here."""
    counts = ["requests", "failures", "without_key"]
    missing = sorted((found or {}).keys() - set(days["day"]))
    if missing:
        days = days.set_index("day").reindex([*days["day"], *missing]).sort_index()
        days = days.rename_axis("day").reset_index()
        days[counts] = days[counts].fillna(0)
        days["cost_usd"] = days["cost_usd"].fillna(0.0)
    known = [(found or {}).get(day) for day in days["day"]]
    return days.assign(**{name: pd.Series(known, dtype="Int64", index=days.index)})


def _marks(source: Postgres, filters: Filters) -> Marks:
    requests = source.requests(filters)
    bodies = ("request_body", "response_body", "messages_body", "has_response")
    newest = facts.newest(requests, MOST_BODIES, *bodies)
    read = newest.c
    marks = digests.marks(read.request_body, read.response_body, read.messages_body, read.metadata)
    marked = select(*marks, read.has_response.is_not(None).label("is_read")).subquery("marked")
    counted = (func.count().filter(marked.c[name]).label(name) for name in digests.MARKS)
    found = source.row(
        select(func.count().label("read"), func.bool_or(marked.c.is_read).label("any"), *counted)
    )
    return Marks(
        found.read,
        found.truncated if found.any else None,
        found.redacted if found.any else None,
        found.in_cold_storage if source.schema.has("metadata") else None,
    )


def _unresolved(source: Postgres, filters: Filters) -> tuple[int | None, int | None]:
    """How many rows have a hash of a key that is in no table, and how many such keys are there?"""
    known = known_keys(source.schema)
    if known is None:
        return None, None
    requests = source.requests(filters)
    key = requests.c.key_group
    keys = select(key.label("key"), func.count().label("requests")).group_by(key).subquery("keys")
    joined = keys.outerjoin(known, known.c.token == keys.c.key)
    unknown = (known.c.token.is_(None), keys.c.key.regexp_match(f"^{HASH}$"))
    rows = cast(func.coalesce(func.sum(keys.c.requests), 0), BigInteger).label("requests")
    counted: list[ColumnElement[Any]] = [rows, func.count().label("keys")]
    found = source.row(select(*counted).select_from(joined).where(*unknown))
    return found.requests, found.keys


def _clients_without_key(source: Postgres, filters: Filters) -> Select[Any]:
    requests = source.requests(filters)
    client = (requests.c.requester_ip, requests.c.user_agent)
    number = func.count()
    return (
        select(
            client[0].label("address"),
            client[1],
            number.label("requests"),
            measures.failures(requests).label("failures"),
            func.max(requests.c.started_at, type_=DateTime(timezone=True)).label("newest_at"),
        )
        .where(requests.c.key_group == "")
        .group_by(*client)
        .order_by(number.desc(), *(measures.alphabetical(one) for one in client))
        .limit(MOST_CLIENTS)
    )
