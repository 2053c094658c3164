"""What LiteLLM has added up, and everything that explains a difference, as of one moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Subquery, and_, or_, select

from tracelib.filters import Filters
from tracelib.ledgers import daily, deliveries, totals
from tracelib.ledgers.cells import Owner
from tracelib.ledgers.daily import Daily
from tracelib.ledgers.deliveries import Undelivered
from tracelib.ledgers.logged import A_DAY, Logged, days_between, log_of, window_of
from tracelib.ledgers.totals import Totals
from tracelib.permissions.access import Scope
from tracelib.running_totals import WINDOWS
from tracelib.source import Postgres
from tracelib.spendlogs import extent, names
from tracelib.spendlogs.extent import GATEWAY, GATEWAY_COLUMNS
from tracelib.window import TimeWindow

# LiteLLM writes what it has added up every 10 to 60 seconds, and tags less often.
YOUNG, YOUNG_TAG = timedelta(seconds=60), timedelta(seconds=150)
# A request may have started this long before its row is written.
LONGEST = timedelta(hours=1)
# Another clock may be ahead of the database's.
AHEAD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Booked:
    """The ledgers as of one moment, and the log of the days that have not long ended.

    `oldest_at` and `newest_at` are the ends of the log, None if it is empty, `now` is the clock of
    the database: all aware UTC. `daily` has the readable daily tables by kind of owner. `young`
    are requests that were logged in the last minute, so that they may not be added up yet.
    `repeated` are the requests and rows of IDs that came twice. `has_deliveries` says that LiteLLM
    records what is to be added up. `first_booked` is the first day of its totals, None if it is
    unknown, or not for this viewer. `gateway` is how many requests the gateway has
    counted each day, None if it does not. `none_models` are those of rows with the ID `None`, which
    old versions gave to all failures of an endpoint. `scope` is whose requests all of this is.
    `names` are those of IDs, by kind; `missing` is what cannot be compared, a sentence each.
    """

    oldest_at: datetime | None
    newest_at: datetime | None
    now: datetime
    log: Logged
    daily: Mapping[Owner, Daily]
    pending: Undelivered
    parked: Undelivered
    young: Logged
    repeated: Logged
    has_deliveries: bool
    first_booked: date | None
    none_models: frozenset[str]
    gateway: Mapping[date, int] | None
    scope: Scope
    totals: Totals
    names: Mapping[tuple[str, str], str]
    missing: tuple[str, ...]


def booked(source: Postgres, first: date, last: date, open_from: date) -> Booked:
    """What has LiteLLM added up on the UTC days from `first` to `last`, and what not yet?

    The log is read from the day `open_from` on, in all columns, as are the daily tables from there;
    before, these are coarse sums. All of it as of one moment. Raises a TraceError.
    """
    window = window_of(first, last)
    with source.snapshot() as moment:
        ends = moment.row(extent.first_and_last(moment.schema))
        now: datetime = ends.server_time.astimezone(UTC)
        every = {
            owner: daily.daily(moment, owner, first, last, open_from) for owner in daily.TABLES
        }
        tables = {owner: one for owner, one in every.items() if one is not None}
        return Booked(
            oldest_at=ends.oldest,
            newest_at=ends.newest,
            now=now,
            log=_open_log(moment, max(first, open_from), last),
            daily=tables,
            pending=deliveries.undelivered(moment, deliveries.PENDING, window),
            parked=deliveries.undelivered(moment, deliveries.PARKED, window),
            young=_young(moment, now) if first <= now.date() <= last + A_DAY else Logged(),
            repeated=deliveries.repeated(moment, window),
            has_deliveries=deliveries.are_recorded(moment),
            first_booked=_first_booked(moment),
            none_models=_none_models(moment),
            gateway=_gateway(moment, first, last),
            scope=source.schema.scope,
            totals=totals.totals(moment, first, last, tables),
            names=_names(moment),
            missing=tuple(_missing(moment)),
        )


def _open_log(source: Postgres, first: date, last: date) -> Logged:
    found = Logged()
    for day in days_between(first, last):
        found = found.plus(log_of(source, source.requests(Filters(window_of(day, day)))))
    return found


def _young(source: Postgres, now: datetime) -> Logged:
    """The requests that were logged a moment ago, by the database's clock where it is known."""
    every = source.requests(Filters(TimeWindow(now - LONGEST, now + AHEAD)))
    tags = log_of(source, _since(every, now - YOUNG_TAG, now + AHEAD)).tags
    rows = log_of(source, _since(every, now - YOUNG, now + AHEAD)).rows
    return Logged(rows, tags)


def _since(requests: Subquery, start: datetime, end: datetime) -> Subquery:
    """Those that ended or were logged then: versions may log by the server's own time zone."""
    times = (requests.c.created_at, requests.c.ended_at)
    is_then = or_(*(and_(at >= start, at < end) for at in times))
    return select(*requests.c).where(is_then).subquery("young")


def _none_models(source: Postgres) -> frozenset[str]:
    found = source.by_id("request_id", ["None"])
    rows = source.rows(select(found.c.deployment).distinct())
    return frozenset(row.deployment for row in rows if row.deployment)


def _first_booked(source: Postgres) -> date | None:
    """The first day of LiteLLM's totals by day: of all requests, so for who may see all."""
    statement = extent.first_booked_day(source.schema) if source.schema.scope.is_all else None
    return None if statement is None else extent.day_of(source.row(statement).day)


def _gateway(source: Postgres, first: date, last: date) -> Mapping[date, int] | None:
    """How many requests has the gateway counted each day? None for a viewer of a part of them."""
    statement = extent.gateway_counts(source.schema, first, last + A_DAY)
    return None if statement is None else dict(_by_day(source.rows(statement)))


def _by_day(rows: Any) -> Iterator[tuple[date, int]]:
    for text, requests in rows:
        if day := extent.day_of(text):
            yield day, int(requests or 0)


def _names(source: Postgres) -> Mapping[tuple[str, str], str]:
    """The names of IDs, by kind and ID; the first table that has one counts."""
    found: dict[tuple[str, str], str] = {}
    for statement in names.all_names(source.schema):
        for row in source.rows(statement):
            if row.name and row.id:
                found.setdefault((row.dimension, row.id), row.name)
    return found


def _missing(source: Postgres) -> Iterator[str]:
    """What cannot be compared, a sentence each: LiteLLM lacks the table, or it is not granted."""
    schema = source.schema
    needed = {
        **{name: daily.reads(schema, owner) for owner, name in daily.TABLES.items()},
        **{name: totals.reads(schema, kind) for kind, (name, _) in totals.TABLES.items()},
        GATEWAY: schema.reads(GATEWAY, *GATEWAY_COLUMNS),
        deliveries.TABLE: deliveries.is_known(schema),
        WINDOWS: schema.reads(WINDOWS, "entity_id", "window_start", "spend"),
    }
    for name, is_read in needed.items():
        if not is_read:
            is_there = schema.exists(name)
            why = "may not be read as far as needed" if is_there else "is not in this database"
            yield f"{name} {why}: {CONSEQUENCES[name]}"


CONSEQUENCES = {
    "LiteLLM_DailyUserSpend": "days, keys and users are not compared.",
    "LiteLLM_DailyTeamSpend": "teams are not compared.",
    "LiteLLM_DailyTagSpend": "tags are not compared.",
    "LiteLLM_VerificationToken": "keys have no running totals.",
    "LiteLLM_TeamTable": "teams have no running totals.",
    "LiteLLM_UserTable": "users have no running totals.",
    "LiteLLM_TagTable": "tags have no running totals.",
    GATEWAY: "the gateway’s own count of requests is unknown.",
    deliveries.TABLE: "requests in flight are known by their age alone, and parked ones are not.",
    WINDOWS: "budget windows are computed from the next reset.",
}
