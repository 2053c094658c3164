"""Which days are read in more detail, because the ledgers differ there; and their rows put in."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from tracelib.ledgers.booked import Booked
from tracelib.ledgers.cells import Owner
from tracelib.ledgers.classes import Amount, Class, Difference
from tracelib.ledgers.comparison import Compared, is_seen
from tracelib.ledgers.daily import Daily
from tracelib.ledgers.logged import A_DAY, Logged
from tracelib.ledgers.ranking import FEWEST_SHORT
from tracelib.ledgers.subtotals import SUMMED, differing_days

# So many days are compared in all columns of their cells.
MOST_DETAILS = 12
ONLY_IN_LOG: tuple[Class, Class] = ("lost_between_writes", "first_hundred_drop")


def days_that_differ(log: Logged, booked: Booked) -> list[tuple[date, date]]:
    """On which finished days do the subtotals of users or teams differ? Runs of days, in order."""
    days: set[date] = set()
    for owner in SUMMED:
        table = booked.daily.get(owner) if is_seen(booked, owner) else None
        if table is not None:
            days |= differing_days(owner, log.subtotals, table.subtotals)
    runs: list[tuple[date, date]] = []
    for day in sorted(days):
        if runs and runs[-1][1] + A_DAY == day:
            runs[-1] = runs[-1][0], day
        else:
            runs.append((day, day))
    return runs


def with_cells(booked: Booked, parts: Sequence[Mapping[Owner, Daily]]) -> Booked:
    """The daily tables with these cells of finished days, too."""
    tables = {}
    for owner, one in booked.daily.items():
        more = (row for part in parts if owner in part for row in part[owner].rows)
        tables[owner] = replace(one, rows=(*one.rows, *more))
    return replace(booked, daily=tables)


def keys_that_differ(found: Mapping[Owner, Compared]) -> list[tuple[date, tuple[str, ...]]]:
    """On which days has the log more requests that are not explained, and of which keys?

    The days with the most of them first. By the totals of users where there are some: what LiteLLM
    does not count is in none of its tables.
    """
    keys: dict[date, set[str]] = {}
    requests: Counter[date] = Counter()
    for one in [found["user"]] if "user" in found else found.values():
        for difference in one.differences:
            more = _only_in_log(difference).requests + max(0, difference.rest.requests)
            if more > 0:
                keys.setdefault(difference.cell.day, set()).add(difference.cell.key)
                requests[difference.cell.day] += more
    return [(day, tuple(sorted(keys[day]))) for day, _ in requests.most_common()]


def _only_in_log(one: Difference) -> Amount:
    lost, cut = (one.parts.get(name, Amount()) for name in ONLY_IN_LOG)
    return lost.plus(cut)


def days_with_short_tags(found: Mapping[Owner, Compared]) -> list[date]:
    """On which days are tags short that may be those beyond a hundred? The most cells first."""
    one = found.get("tag")
    short = Counter(
        each.cell.day
        for each in (one.differences if one else ())
        if "lost_between_writes" in each.parts
    )
    return [day for day, cells in short.most_common() if cells >= FEWEST_SHORT]


def days_with_less(found: Mapping[Owner, Compared]) -> list[date]:
    """On which days has the log less, for a reason that deliveries may prove? The last first."""
    days = {
        one.cell.day
        for one in (found["user"].differences if "user" in found else ())
        if {"same_id_twice", "not_kept"} & one.parts.keys()
    }
    return sorted(days, reverse=True)


Detail = tuple[date, tuple[str, ...], tuple[str, ...]]


def what_differs(found: Mapping[Owner, Compared], booked: Booked, before: date) -> list[Detail]:
    """On which finished days differ which keys and tags? At most `MOST_DETAILS` days.

    Those with the largest differences, in their order; not those before the log begins, of which it
    has nothing.
    """
    oldest = booked.oldest_at.date() if booked.oldest_at else before
    keys: dict[date, set[str]] = {}
    tags: dict[date, set[str]] = {}
    usd: dict[date, Decimal] = {}
    for owner, one in found.items():
        for difference in one.differences:
            cell = difference.cell
            if oldest <= cell.day < before:
                own = cell.owner if owner == "tag" else cell.key
                (tags if owner == "tag" else keys).setdefault(cell.day, set()).add(own)
                usd[cell.day] = usd.get(cell.day, Decimal(0)) + abs(difference.whole.usd)
    days = sorted(sorted(usd, key=lambda day: (-usd[day], day))[:MOST_DETAILS])
    return [
        (day, tuple(sorted(keys.get(day, ()))), tuple(sorted(tags.get(day, ())))) for day in days
    ]


def without(log: Logged, day: date, keys: Collection[str], tags: Collection[str]) -> Logged:
    """The log without these keys and tags of a day."""
    return Logged(
        tuple(row for row in log.rows if row.day != day or row.key not in keys),
        tuple(row for row in log.tags if row.cell.day != day or row.cell.owner not in tags),
    )


def with_details(
    booked: Booked,
    day: date,
    keys: Collection[str],
    tags: Collection[str],
    details: Mapping[Owner, Daily],
) -> Booked:
    """The daily tables with these rows in place of the sums of these keys and tags of a day."""
    tables = {}
    for owner, one in booked.daily.items():
        others = tuple(
            row
            for row in one.rows
            if row.cell.day != day
            or (row.cell.owner not in tags if owner == "tag" else row.cell.key not in keys)
        )
        tables[owner] = replace(one, rows=others + details.get(owner, Daily()).rows)
    return replace(booked, daily=tables)
