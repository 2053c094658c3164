"""What the log adds up to, by day, owner, key, model, provider and tool."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    Subquery,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.types import BigInteger, DateTime, Text

from tracelib.filters import NONE, Filters
from tracelib.ledgers.cells import BookedRow, Cell, LogRow, Sums, rounded, summed
from tracelib.source import Postgres, Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.conditions import shown_key
from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.measures import alphabetical, client_tags
from tracelib.spendlogs.types import MONEY
from tracelib.window import TimeWindow

A_DAY = timedelta(days=1)
SUMS = ("requests", "failures", "usd", "prompt_tokens", "completion_tokens", "first_at", "last_at")
OWN = ("key_group", "deployment", "provider", "tool")


@dataclass(frozen=True, slots=True)
class Logged:
    """The log of some days: `rows` by user, team, key, model, provider and tool, `tags` by tag.

    In coarse sums, rows have no model, provider and tool, and tags have no key either: "".
    """

    rows: tuple[LogRow, ...] = ()
    tags: tuple[BookedRow, ...] = ()

    def plus(self, other: "Logged") -> "Logged":
        """Both together."""
        return Logged(self.rows + other.rows, self.tags + other.tags)


def logged(source: Source, first: date, last: date) -> Logged:
    """What does the log add up to on each UTC day from `first` to `last`, in coarse sums?

    PostgreSQL reads one day at a time. Requests without a client's tag are in no row of `tags`.
    """
    if not isinstance(source, Postgres):
        return log_of(source, source.requests(Filters(window_of(first, last))), is_coarse=True)
    found = Logged()
    for day in days_between(first, last):
        requests = source.requests(Filters(window_of(day, day)))
        found = found.plus(log_of(source, requests, is_coarse=True))
    return found


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


def log_of(source: Source, requests: Subquery, is_coarse: bool = False) -> Logged:
    """What do these requests add up to, by cell and by tag?"""
    rows = source.rows(_by_cell(requests, OWN[:1] if is_coarse else OWN))
    tags = log_by_tag(source, requests, client_tags, () if is_coarse else OWN)
    return Logged(tuple(sorted(map(_log_row, rows))), tags)


def log_by_tag(
    source: Source,
    requests: Subquery,
    tags_of: Callable[[ColumnElement[Any]], FromClause],
    own: Sequence[str] = OWN,
) -> tuple[BookedRow, ...]:
    """What do these requests add up to by these of their tags, and by these columns?"""
    rows = map(_tag_row, source.rows(_by_tag(requests, own, tags_of)))
    return tuple(BookedRow(*one) for one in sorted(summed(rows).items()))


def window_of(first: date, last: date) -> TimeWindow:
    """The window of these UTC days."""
    return TimeWindow(
        datetime.combine(first, time(), UTC), datetime.combine(last + A_DAY, time(), UTC)
    )


def days_between(first: date, last: date) -> Iterator[date]:
    """Each day from `first` to `last`."""
    for number in range((last - first).days + 1):
        yield first + number * A_DAY


def _by_cell(requests: Subquery, own: Sequence[str]) -> Select[Any]:
    """The sums of these requests by day, user, team and these columns; a key is its identity."""
    grouped = _grouped(requests, "user", "team", *own).subquery("grouped")
    return select(
        *(grouped.c[name] for name in ("day", "user", "team")),
        *_own(grouped),
        *(grouped.c[name] for name in SUMS),
    )


def _by_tag(
    requests: Subquery, own: Sequence[str], tags_of: Callable[[ColumnElement[Any]], FromClause]
) -> Select[Any]:
    """Equal lists of tags are added up before they are split: there are few of them."""
    lists = _grouped(requests, "request_tags", *own).where(requests.c.request_tags.is_not(None))
    listed = lists.cte("lists")
    tag = tags_of(listed.c.request_tags)
    return select(
        listed.c.day, tag.c.tag, *_own(listed), *(listed.c[name] for name in SUMS)
    ).select_from(listed.join(tag, true()))


def _grouped(requests: Subquery, *columns: str) -> Select[Any]:
    # Not a parameter, which would be another one in each place.
    day = func.date_trunc(literal_column("'day'"), requests.c.start_order, type_=DateTime())
    by = [requests.c[name] for name in columns]
    starts = requests.c.start_order
    sums = measures.named(
        requests=func.count(),
        failures=measures.failures(requests),
        usd=func.coalesce(func.sum(requests.c.spend_usd, type_=MONEY), literal(0, MONEY)),
        prompt_tokens=func.sum(requests.c.prompt_tokens, type_=BigInteger()),
        completion_tokens=func.sum(requests.c.completion_tokens, type_=BigInteger()),
        first_at=func.min(starts, type_=DateTime()),
        last_at=func.max(starts, type_=DateTime()),
    )
    return select(day.label("day"), *by, *sums).group_by(day, *by)


def _own(grouped: Any) -> list[ColumnElement[Any]]:
    """Key, model, provider and tool, as far as they are grouped by; else empty."""
    known = {name: grouped.c[name] for name in OWN if name in grouped.c}
    if "key_group" in known:
        known["key_group"] = shown_key(known["key_group"])
    return [known.get(name, literal("", Text())).label(f"own_{name}") for name in OWN]


def _log_row(row: Row[Any]) -> LogRow:
    user, team, key, model, provider, tool = (text or "" for text in tuple(row)[1:7])
    return LogRow(row.day.date(), user, team, key, model, provider, tool, _sums(row))


def _tag_row(row: Row[Any]) -> BookedRow:
    tag, *own = (text or "" for text in tuple(row)[1:6])
    return BookedRow(Cell(row.day.date(), tag, *own), _sums(row))


def _sums(row: Row[Any]) -> Sums:
    return sums_of(row[-len(SUMS) :])


def sums_of(values: Sequence[Any]) -> Sums:
    """The sums in these columns, in the order of SUMS."""
    requests, failures, usd, prompt, completion, first_at, last_at = values
    return Sums(
        int(requests or 0),
        int(failures or 0),
        rounded(usd),
        int(prompt or 0),
        int(completion or 0),
        first_at,
        last_at,
    )
