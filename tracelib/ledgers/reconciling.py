"""Runs the queries of a comparison, and puts their results together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tracelib.ledgers.automatic import Automatic, automatic
from tracelib.ledgers.booked import Booked, booked
from tracelib.ledgers.cells import Owner
from tracelib.ledgers.classes import Difference
from tracelib.ledgers.comparison import (
    Compared,
    Later,
    Line,
    compared,
    days_by,
    largest,
    lines_by,
    lines_by_day,
)
from tracelib.ledgers.daily import daily_cells, daily_details
from tracelib.ledgers.deliveries import unlogged
from tracelib.ledgers.detailing import (
    MOST_DETAILS,
    Detail,
    days_that_differ,
    days_with_less,
    days_with_short_tags,
    keys_that_differ,
    what_differs,
    with_cells,
    with_details,
    without,
)
from tracelib.ledgers.logged import A_DAY, Logged, log_cells, log_details, logged, uncounted
from tracelib.ledgers.totals import KINDS, Kind
from tracelib.ledgers.windows import Run, Window, windows_of

# The log of a day that has ended this long ago does not change any more: a replica may have it.
FINISHED_AFTER = timedelta(hours=1)
# How many finished days one query reads.
AT_ONCE = 10
MOST_LINES = 1_000
# Deliveries are kept for a day, so that only the last days can have some.
MOST_UNLOGGED = 3
MOST_OF_TAGS = 3
OWNER_OF: Mapping[Kind, Owner] = {"key": "user", "team": "team", "user": "user", "tag": "tag"}


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The ledgers of the UTC days from `first` to `last`, next to each other.

    `lines` are those of keys, teams, users and tags, at most `MOST_LINES` of `counts`; a kind that
    cannot be compared is missing, and `days` are empty then. `windows` are the current budget
    windows by kind and ID. `largest` are the cells with the largest differences, by the kind of
    owner `days_by`. `unread` are days of which it is not known what LiteLLM does not count.
    """

    first: date
    last: date
    booked: Booked
    days_by: Owner | None
    days: Sequence[Line] = ()
    lines: Mapping[Kind, Sequence[Line]] = field(default_factory=dict)
    largest: Sequence[Difference] = ()
    windows: Mapping[tuple[Kind, str], Sequence[Window]] = field(default_factory=dict)
    counts: Mapping[Kind, int] = field(default_factory=dict)
    unread: Sequence[date] = ()


def ledgers(run: Run, first: date, last: date, now: datetime) -> Ledgers:
    """How do log, daily tables and running totals compare on these UTC days?

    Reads the log of finished days in queries that a replica can run, the rest and all ledgers as of
    one moment. Of finished days only subtotals, unless they differ. Metadata is read for days whose
    requests differ. Raises what `run` raises, unless only that metadata takes too long.
    """
    open_from = (now.astimezone(UTC) - FINISHED_AFTER).date()
    spans = [(logged, *span) for span in _spans(first, min(last, open_from - A_DAY))]
    known, *parts = run([(booked, first, last, open_from), *spans])
    log = known.log
    for part in parts:
        log = log.plus(part)
    log, known = _with_cells(run, log, known)
    found = _compared(log, known)
    if wanted := what_differs(found, known, open_from):
        log, known = _detailed(run, log, known, wanted)
        found = _compared(log, known)
    later, unread = _later(run, found, known)
    if later != Later():
        found = _compared(log, known, later)
    by = days_by(known)
    days = found.get(by) if by else None
    lines = dict(_lines(found, days, by, known))
    return Ledgers(
        first,
        last,
        known,
        by if days else None,
        lines_by_day(days, first, last, known.gateway) if days else (),
        {kind: every[:MOST_LINES] for kind, every in lines.items()},
        largest(days) if days else (),
        windows_of(run, lines, log, known, (first, last)),
        {kind: len(every) for kind, every in lines.items()},
        unread,
    )


def _spans(first: date, last: date) -> Iterator[tuple[date, date]]:
    start = first
    while start <= last:
        end = min(start + (AT_ONCE - 1) * A_DAY, last)
        yield start, end
        start = end + A_DAY


def _compared(
    log: Logged,
    known: Booked,
    later: Later = Later(),  # noqa: B008 - a value
) -> dict[Owner, Compared]:
    owners: tuple[Owner, ...] = ("user", "team", "tag")
    every = {owner: compared(log, known, owner, later) for owner in owners}
    return {owner: one for owner, one in every.items() if one is not None}


def _with_cells(run: Run, log: Logged, known: Booked) -> tuple[Logged, Booked]:
    """The log and the daily tables with the cells of the finished days that differ."""
    spans = [span for run in days_that_differ(log, known) for span in _spans(*run)]
    values = run([(log_cells, *one) for one in spans] + [(daily_cells, *one) for one in spans])
    for part in values[: len(spans)]:
        log = log.plus(part)
    return log, with_cells(known, values[len(spans) :])


def _detailed(
    run: Run, log: Logged, known: Booked, wanted: Sequence[Detail]
) -> tuple[Logged, Booked]:
    """The log and the daily tables with all columns of what differs on the finished days."""
    parts = run([(log_details, *one) for one in wanted])
    tables = run([(daily_details, *one) for one in wanted])
    for (day, keys, tags), part, booked_part in zip(wanted, parts, tables, strict=True):
        log = without(log, day, keys, tags).plus(part)
        known = with_details(known, day, keys, tags, booked_part)
    return log, known


def _later(
    run: Run, found: Mapping[Owner, Compared], known: Booked
) -> tuple[Later, tuple[date, ...]]:
    """What only days that differ are read for; and the days on which it was too much to read.

    Requests that LiteLLM does not count, those without a row, and its own tags.
    """
    more = keys_that_differ(found)
    oldest = known.oldest_at.astimezone(UTC).isoformat() if known.oldest_at else None
    less = [(unlogged, day, oldest) for day in days_with_less(found)[:MOST_UNLOGGED] if oldest]
    of_tags = [(automatic, day) for day in days_with_short_tags(found)[:MOST_OF_TAGS]]
    of_keys = [(uncounted, day, keys) for day, keys in more[:MOST_DETAILS]]
    values = run([*of_keys, *less, *of_tags], True)
    counted, rows, tags = _split(values, len(of_keys), len(less))
    unread = [day for (day, _), one in zip(more, counted, strict=False) if one is None]
    unread += [day for day, _ in more[MOST_DETAILS:]]
    return (
        Later(_together(counted), _together(rows), _together_of_tags(tags)),
        tuple(sorted(unread)),
    )


def _split(values: Sequence[Any], first: int, second: int) -> tuple[list[Any], ...]:
    end = first + second
    return list(values[:first]), list(values[first:end]), list(values[end:])


def _together(parts: Sequence[Logged | None]) -> Logged:
    whole = Logged()
    for part in parts:
        whole = whole.plus(part or Logged())
    return whole


def _together_of_tags(parts: Sequence[Automatic | None]) -> Automatic:
    known = [part for part in parts if part is not None]
    return Automatic(
        tuple(row for part in known for row in part.log),
        tuple(row for part in known for row in part.daily),
    )


def _lines(
    found: Mapping[Owner, Compared], days: Compared | None, by: Owner | None, known: Booked
) -> Iterator[tuple[Kind, Sequence[Line]]]:
    """Keys are those of the days; of users and teams there are lines where they can be limited."""
    for kind in KINDS:
        one = days if kind == "key" else found.get(OWNER_OF[kind])
        if one is not None and (kind != "user" or by == "user"):
            yield kind, lines_by(one, kind, known)
