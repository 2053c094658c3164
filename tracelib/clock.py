"""The clock of a time zone: its offset from UTC, and when that changes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ClockPeriod:
    """The moments from `start_s` up to `end_s`, in which a clock is `offset_s` ahead of UTC.

    All in seconds; moments since 1970, UTC.
    """

    start_s: int
    end_s: int
    offset_s: int


def moment_of(local: datetime, zone: str) -> datetime:
    """When does the clock of `zone` show this local time? Aware UTC.

    For a time that is shown twice the first of both, the second with `fold=1`. For one that is
    skipped, the moment at which the clock is put forward.

    >>> str(moment_of(datetime(2026, 3, 29, 2, 30), "Europe/Paris"))
    '2026-03-29 01:00:00+00:00'
    """
    known = ZoneInfo(zone)
    moment = local.replace(tzinfo=known).astimezone(UTC)
    if moment.astimezone(known).replace(tzinfo=None) == local:
        return moment
    # The offset before a gap gives a moment after it, and the one after it a moment before.
    late, early = (local.replace(tzinfo=known, fold=fold).astimezone(UTC) for fold in (0, 1))
    changed = clock_periods(early, late + timedelta(seconds=1), zone)[-1].start_s
    return datetime.fromtimestamp(changed, UTC)


def offset_s(moment: datetime, zone: str) -> int:
    """How many seconds is the clock of `zone` ahead of UTC at this moment?

    >>> offset_s(datetime(2026, 7, 1, tzinfo=UTC), "Europe/Paris")
    7200
    """
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def is_repeated(moment: datetime, zone: str) -> bool:
    """Does the clock of `zone` show this moment's time a second time, before it or after it?

    >>> is_repeated(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Paris")
    True
    """
    local = moment.astimezone(ZoneInfo(zone))
    return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()


def clock_periods(start: datetime, end: datetime, zone: str) -> list[ClockPeriod]:
    """Which offsets from UTC does the clock of `zone` have between these moments?

    In order, without a gap. The ends are whole seconds, with both moments between them.

    >>> new_year, june = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    >>> for period in clock_periods(new_year, june, "Europe/Paris"):
    ...     print(datetime.fromtimestamp(period.start_s, UTC), period.offset_s)
    2026-01-01 00:00:00+00:00 3600
    2026-03-29 01:00:00+00:00 7200
    """
    start_s, end_s = math.floor(start.timestamp()), math.ceil(end.timestamp())
    edges_s = [start_s, *_changes_s(start_s, end_s, zone), end_s]
    return [ClockPeriod(one, later, _offset_at(one, zone)) for one, later in pairwise(edges_s)]


def _changes_s(start_s: int, end_s: int, zone: str) -> Iterator[int]:
    """When is the clock put back or forward between these seconds since 1970?"""
    earlier, end = start_s, end_s
    while earlier < end:
        # No zone has changed its clock twice in a day since 2000.
        later = min(earlier + DAY_S, end)
        if _offset_at(earlier, zone) != _offset_at(later, zone):
            changed = _change_between(earlier, later, zone)
            if changed < end:
                yield changed
        earlier = later


def _change_between(earlier: int, later: int, zone: str) -> int:
    before = _offset_at(earlier, zone)
    while later - earlier > 1:
        middle = (earlier + later) // 2
        if _offset_at(middle, zone) == before:
            earlier = middle
        else:
            later = middle
    return later


def _offset_at(moment_s: int, zone: str) -> int:
    return offset_s(datetime.fromtimestamp(moment_s, UTC), zone)
