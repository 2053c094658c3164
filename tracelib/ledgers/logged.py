"""What the log adds up to, by day, owner, key, model, provider and tool."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Subquery,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.types import Text

from tracelib.filters import NONE, Filters
from tracelib.ledgers import subtotals
from tracelib.ledgers.cells import BookedRow, Cell, LogRow, Owner, Sums, summed, sums_of
from tracelib.ledgers.subtotals import Subtotals
from tracelib.permissions.access import Scope
from tracelib.source import Postgres, Source
from tracelib.spendlogs.conditions import can_be_stored, shown_key
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.measures import alphabetical, client_tags
from tracelib.spendlogs.sums import SUMS, by_day
from tracelib.window import TimeWindow

A_DAY = timedelta(days=1)
# The columns of coarse sums, after the day.
OWNERS = ("user", "team", "key_group")
OWN = ("key_group", "deployment", "provider", "tool")


@dataclass(frozen=True, slots=True)
class Logged:
    """The log of some days: `rows` by user, team, key, model, provider and tool, `tags` by tag.

    In coarse sums, rows have no model, provider and tool, and tags have no key either: "".
    `subtotals` are those of finished days, of which `rows` has only what is looked into.
    """

    rows: tuple[LogRow, ...] = ()
    tags: tuple[BookedRow, ...] = ()
    subtotals: tuple[Subtotals, ...] = ()

    def plus(self, other: "Logged") -> "Logged":
        """Both together."""
        return Logged(
            self.rows + other.rows, self.tags + other.tags, self.subtotals + other.subtotals
        )


def logged(source: Source, first: date, last: date) -> Logged:
    """What does the log add up to on the UTC days from `first` to `last`: subtotals, and tags?

    PostgreSQL reads one day at a time. Requests without a client's tag are in no row of `tags`.
    """
    found = Logged()
    for start, end in _at_a_time(source, first, last):
        window = window_of(start, end)
        owners = select(source.sums_by_day(window, OWNERS)).cte("owners")
        rows = source.rows(subtotals.statement(_by_owner(owners, source.scope)))
        tags = source.rows(_by_tag(source.sums_by_day(window, ("request_tags",)), (), client_tags))
        part = Subtotals(start, end, subtotals.subtotals(rows))
        found = found.plus(Logged(tags=_cells(tags), subtotals=(part,)))
    return found


def log_cells(source: Source, first: date, last: date) -> Logged:
    """What are the coarse sums of the log on the UTC days from `first` to `last`, but of tags?

    PostgreSQL reads one day at a time.
    """
    found: dict[LogRow, Sums] = {}
    for start, end in _at_a_time(source, first, last):
        owners = source.sums_by_day(window_of(start, end), OWNERS)
        for row in map(_log_row, source.rows(_shown(owners))):
            # A day may be in several files of a replica.
            own = row._replace(sums=Sums())
            found[own] = found[own].plus(row.sums) if own in found else row.sums
    return Logged(tuple(sorted(own._replace(sums=sums) for own, sums in found.items())))


def _at_a_time(source: Source, first: date, last: date) -> list[tuple[date, date]]:
    if not isinstance(source, Postgres):
        return [(first, last)]
    return [(day, day) for day in days_between(first, last)]


def _by_owner(owners: CTE, scope: Scope) -> Mapping[Owner, Select[Any]]:
    """The sums by user, and those by team of requests with a team that the scope names."""
    sums = [owners.c[name] for name in SUMS]
    key = shown_key(owners.c.key_group).label("key")
    of_teams = [owners.c.team != ""]
    if not scope.is_all:
        of_teams.append(owners.c.team.in_([one for one in scope.teams if can_be_stored(one)]))
    user = select(owners.c.day, owners.c.user.label("own"), key, *sums)
    team = select(owners.c.day, owners.c.team.label("own"), key, *sums).where(*of_teams)
    return {"user": user, "team": team}


def log_details(source: Source, day: date, keys: tuple[str, ...], tags: tuple[str, ...]) -> Logged:
    """What does the log of a UTC day add up to, in all columns, of these keys and these tags?"""
    found = log_of(source, source.requests(Filters(window_of(day, day))))
    return Logged(
        tuple(row for row in found.rows if row.key in keys),
        tuple(row for row in found.tags if row.cell.owner in tags),
    )


def uncounted(source: Postgres, day: date, keys: tuple[str, ...]) -> Logged:
    """Which requests of these keys were LiteLLM's own calls, or earlier attempts of a retried one?

    It reads the metadata of their requests of one UTC day, so it is for days that differ. Nothing
    if the metadata may not be read.
    """
    if not source.schema.has("metadata"):
        return Logged()
    chosen = tuple(one or NONE for one in keys)
    requests = source.requests(Filters(window_of(day, day), key=chosen))
    facts = decoded(requests.c.metadata, "object").op("->>", return_type=Text())
    is_uncounted = or_(facts("internal_call_origin") != "", facts("billed_retry_attempt") == "true")
    return log_of(source, select(*requests.c).where(is_uncounted).subquery("uncounted"))


MOST_MODELS = 50


def models_of_cell(source: Source, day: date, key: str, deployment: str) -> tuple[str, ...]:
    """Under which public names was this deployment called by a key on a UTC day?

    In order of the names, at most 50; none if the log has no such request.
    """
    requests = source.requests(Filters(window_of(day, day), key=(key or NONE,)))
    found = (
        select(requests.c.model)
        .where(func.coalesce(requests.c.deployment, "") == deployment)
        .group_by(requests.c.model)
        .order_by(alphabetical(requests.c.model))
        .limit(MOST_MODELS)
    )
    return tuple(row.model for row in source.rows(found))


def log_of(source: Source, requests: Subquery) -> Logged:
    """What do these requests add up to, by cell and by tag?"""
    rows = source.rows(_shown(by_day(requests, ("user", "team", *OWN)).subquery("grouped")))
    return Logged(tuple(sorted(map(_log_row, rows))), log_by_tag(source, requests, client_tags))


def log_by_tag(
    source: Source, requests: Subquery, tags_of: Callable[[ColumnElement[Any]], FromClause]
) -> tuple[BookedRow, ...]:
    """What do these requests add up to by these of their tags, in all columns?"""
    lists = by_day(requests, ("request_tags", *OWN)).subquery("grouped")
    return _cells(source.rows(_by_tag(lists, OWN, tags_of)))


def _cells(rows: Sequence[Row[Any]]) -> tuple[BookedRow, ...]:
    return tuple(BookedRow(*one) for one in sorted(summed(map(_tag_row, rows)).items()))


def window_of(first: date, last: date) -> TimeWindow:
    """The window of these UTC days."""
    return TimeWindow(
        datetime.combine(first, time(), UTC), datetime.combine(last + A_DAY, time(), UTC)
    )


def days_between(first: date, last: date) -> Iterator[date]:
    """Each day from `first` to `last`."""
    for number in range((last - first).days + 1):
        yield first + number * A_DAY


def _shown(grouped: Subquery) -> Select[Any]:
    """Sums by day, user, team, and what else they are grouped by; a key is its identity."""
    return select(
        *(grouped.c[name] for name in ("day", "user", "team")),
        *_own(grouped),
        *(grouped.c[name] for name in SUMS),
    )


def _by_tag(
    lists: Subquery, own: Sequence[str], tags_of: Callable[[ColumnElement[Any]], FromClause]
) -> Select[Any]:
    """Equal lists of tags are added up before they are split: there are few of them."""
    columns = ("day", "request_tags", *own, *SUMS)
    has_tags = lists.c.request_tags.is_not(None)
    listed = select(*(lists.c[name] for name in columns)).where(has_tags).cte("lists")
    tag = tags_of(listed.c.request_tags)
    return select(
        listed.c.day, tag.c.tag, *_own(listed), *(listed.c[name] for name in SUMS)
    ).select_from(listed.join(tag, true()))


def _own(grouped: Any) -> list[ColumnElement[Any]]:
    """Key, model, provider and tool, as far as they are grouped by; else empty."""
    known = {name: grouped.c[name] for name in OWN if name in grouped.c}
    if "key_group" in known:
        known["key_group"] = shown_key(known["key_group"])
    return [known.get(name, literal("", Text())).label(f"own_{name}") for name in OWN]


def _log_row(row: Row[Any]) -> LogRow:
    user, team, key, model, provider, tool = (text or "" for text in tuple(row)[1:7])
    return LogRow(
        row.day.date(), user, team, key, model, provider, tool, sums_of(row[-len(SUMS) :])
    )


def _tag_row(row: Row[Any]) -> BookedRow:
    tag, *own = (text or "" for text in tuple(row)[1:6])
    return BookedRow(Cell(row.day.date(), tag, *own), sums_of(row[-len(SUMS) :]))
