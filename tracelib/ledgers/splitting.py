"""Why do cells differ? Each rule explains what it can, in order of how well it is proven."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby

from tracelib.ledgers.booked import LONGEST, YOUNG, YOUNG_TAG
from tracelib.ledgers.cells import Cell, Cells, Owner, Sums
from tracelib.ledgers.classes import Amount, Class, Difference, differences
from tracelib.ledgers.ranking import sort_behind, sorts_last

# A pair of cells is of the same requests if they have this much in common.
IN_COMMON = 3


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the cells of one kind of owner, and of the log as a whole.

    Each of the first four is the sums of some of the log's requests by cell; `repeated` and
    `unlogged` are what the log lacks: of IDs that came twice, and of requests without a row.
    `automatic` are cells of both ledgers that are not compared: tags that LiteLLM adds itself.
    `oldest_at` and `newest_at` are the ends of the log, None if it is empty, `now` is the clock of
    the database; aware UTC. `first_booked` is the first day of LiteLLM's totals, None if unknown.
    With `has_deliveries`, LiteLLM writes the log first, so that it is never behind the totals.
    """

    owner: Owner
    oldest_at: datetime | None
    newest_at: datetime | None
    now: datetime
    none_models: frozenset[str] = frozenset()
    pending: Cells = field(default_factory=dict)
    parked: Cells = field(default_factory=dict)
    young: Cells = field(default_factory=dict)
    uncounted: Cells = field(default_factory=dict)
    repeated: Cells = field(default_factory=dict)
    unlogged: Cells = field(default_factory=dict)
    automatic: tuple[Cells, Cells] = field(default_factory=lambda: ({}, {}))
    first_booked: date | None = None
    has_deliveries: bool = False


@dataclass(frozen=True, slots=True)
class OfDay:
    """The cells of a day: those that differ, and all of the log."""

    day: date
    found: Sequence[Difference]
    log: Cells


def split(log: Cells, daily: Cells, known: Evidence) -> list[Difference]:
    """Which cells differ, and why? Sorted by cell; nothing if the ledgers agree."""
    found = differences(log, daily)
    for one in found:
        _take_proven(one, known)
    first = min((cell.day for cell in daily), default=None)
    if first and (known.first_booked is None or first < known.first_booked):
        known = replace(known, first_booked=first)
    by_day = _by_day(log)
    for day, of_day in groupby(found, key=lambda one: one.cell.day):
        _explain_day(OfDay(day, list(of_day), by_day.get(day, {})), known)
    return found


def _by_day(cells: Cells) -> Mapping[date, Cells]:
    days: defaultdict[date, dict[Cell, Sums]] = defaultdict(dict)
    for cell, sums in cells.items():
        days[cell.day][cell] = sums
    return days


def _take_proven(one: Difference, known: Evidence) -> None:
    """What LiteLLM itself records of this cell, or its rows show."""
    _take(one, "in_flight", known.pending)
    _take(one, "parked", known.parked)
    uncounted = known.uncounted.get(one.cell)
    if uncounted:
        one.take("counted_otherwise", Amount(min(uncounted.requests, max(one.rest.requests, 0))))
    _take(one, "same_id_twice", known.repeated)
    _take(one, "not_kept", known.unlogged)
    _take(one, "in_flight", known.young)
    if one.rest.requests < 0 and _may_follow(one, known):
        one.explain("in_flight")


def _take(one: Difference, name: Class, cells: Cells) -> None:
    if sums := cells.get(one.cell):
        one.take(name, Amount(sums.requests, sums.usd))


def _may_follow(one: Difference, known: Evidence) -> bool:
    """Has the daily table changed in the last moments, so that the log may follow?

    Where it has requests of these moments already, no more than as many can be missing.
    """
    limit = YOUNG_TAG if known.owner == "tag" else YOUNG
    changed_at, young = one.daily.last_at, known.young.get(one.cell)
    if known.has_deliveries or (young and young.requests < -one.rest.requests):
        return False
    return changed_at is not None and known.now - changed_at.replace(tzinfo=UTC) < limit


def _explain_day(of_day: OfDay, known: Evidence) -> None:
    found = of_day.found
    _pair(found)
    _explain_less(of_day, known)
    for one in found:
        if not one.rest.requests and one.rest.usd and one.log.requests and one.daily.requests:
            one.explain("changed_later")
    short = [one for one in found if _is_short(one)]
    name: Class = "first_hundred_drop" if _is_cut(of_day, short, known) else "lost_between_writes"
    for one in short:
        one.explain(name)


def _is_cut(of_day: OfDay, short: Sequence[Difference], known: Evidence) -> bool:
    """Are the short cells the last of a flush, of which only the first hundred were written?

    LiteLLM's own tags are sorted along. A gateway that was stopped has lost them with the others,
    so that those that are short do not sort last among themselves.
    """
    own, booked = ({c: s for c, s in one.items() if c.day == of_day.day} for one in known.automatic)
    also = {one.cell for one in differences(own, booked) if _is_short(one)}
    cells = {one.cell for one in short} | also
    is_order = not also or sort_behind(also, own.keys() - also)
    return is_order and sorts_last(cells, {**of_day.log, **own})


def _is_short(one: Difference) -> bool:
    """Does the log have whole requests more, and no less money than they can have cost?"""
    if one.rest.requests <= 0:
        return False
    is_whole_cell = not one.daily.requests and not one.daily.usd
    return is_whole_cell or one.rest.usd >= 0 or one.log.usd < 0


def _is_less(one: Difference) -> bool:
    """Does the log have less, in requests or, where those are equal or not counted, in money?"""
    if one.rest.requests:
        return one.rest.requests < 0
    return one.rest.usd < 0 and not one.log.requests


def _pair(found: Sequence[Difference]) -> None:
    """Explain equal differences of opposite signs: requests booked under another name."""
    more: defaultdict[tuple[Amount, str, str], list[Difference]] = defaultdict(list)
    for one in found:
        if one.rest.requests > 0:
            for name, value in _shared(one.cell):
                more[one.rest, name, value].append(one)
    for less in found:
        if less.rest.requests >= 0:
            continue
        wanted = Amount(-less.rest.requests, -less.rest.usd)
        same = (one for place in _shared(less.cell) for one in more.get((wanted, *place), ()))
        alike = (one for one in same if one.rest == wanted and _are_alike(one.cell, less.cell))
        if other := next(alike, None):
            other.explain("counted_otherwise")
            less.explain("counted_otherwise")


def _shared(cell: Cell) -> list[tuple[str, str]]:
    """The names of which two cells must share one, to be of the same requests."""
    return [(name, value) for name, value in (("key", cell.key), ("owner", cell.owner)) if value]


def _are_alike(one: Cell, other: Cell) -> bool:
    return sum(a == b for a, b in zip(one[1:], other[1:], strict=True)) >= IN_COMMON


def _explain_less(of_day: OfDay, known: Evidence) -> None:
    """Explain where the daily table has more than the log."""
    found, log = [one for one in of_day.found if _is_less(one)], of_day.log
    if known.oldest_at is None:
        _explain_all(found, "not_kept")
        return
    _explain_all(_from_before_the_log(of_day.day, found, known), "deleted_by_retention")
    if not log:
        _explain_all(filter(_is_less, found), "not_kept")
        return
    _explain_failures([one for one in found if _is_less(one)], log, known)
    rest = [one for one in found if _is_less(one)]
    is_off = any(not one.log.requests for one in rest)
    _explain_all(rest, "not_kept" if is_off else "same_id_twice", lambda one: one.rest.usd <= 0)


def _from_before_the_log(
    day: date, found: Sequence[Difference], known: Evidence
) -> list[Difference]:
    """Which of these may have been booked before the log begins?

    All of earlier days. Of the day on which it begins those whose row is not much younger, if the
    totals have earlier days, or one of the rows is older.
    """
    oldest = known.oldest_at
    if oldest is None or day > oldest.date():
        return []
    if day < oldest.date():
        return list(found)
    made = {one.cell: _made_at(one) for one in found}
    has_earlier = known.first_booked is not None and known.first_booked < day
    if not has_earlier and not any(at is not None and at < oldest for at in made.values()):
        return []
    return [one for one in found if (made[one.cell] or oldest) < oldest + LONGEST]


def _made_at(one: Difference) -> datetime | None:
    return one.daily.first_at and one.daily.first_at.replace(tzinfo=UTC)


def _explain_failures(found: Sequence[Difference], log: Cells, known: Evidence) -> None:
    """Explain failures that are not in the log: LiteLLM has a setting for that."""
    none_kept = not any(sums.failures for sums in log.values())
    for one in found:
        is_shared = one.cell.model in known.none_models and not none_kept
        name: Class = "same_id_twice" if is_shared else "not_kept"
        failures = min(one.missing_failures, -one.rest.requests)
        if failures == -one.rest.requests:
            one.explain(name)
        elif failures and none_kept:
            one.take(name, Amount(-failures))


def _explain_all(
    found: Iterable[Difference],
    name: Class,
    is_like_it: Callable[[Difference], bool] = lambda _: True,
) -> None:
    for one in found:
        if is_like_it(one):
            one.explain(name)
