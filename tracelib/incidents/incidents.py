"""Since when do more requests fail than usual, for whom, and is it over?"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Row

from tracelib.filters import Filters
from tracelib.incidents import detailing, finding
from tracelib.incidents.counting import Tested, counts_within, first_counts
from tracelib.incidents.counts import Counts, hour_of
from tracelib.incidents.values import (
    ALL,
    Example,
    Hit,
    Incident,
    Incidents,
    Recent,
    Signature,
    Stretch,
)
from tracelib.selection import RowId
from tracelib.source import Source
from tracelib.spendlogs.types import BELIEVABLE
from tracelib.window import BUCKETS, TimeWindow

# What is usual is read from two weeks, and from at least two days before the range.
HISTORY, BEFORE = timedelta(days=14), timedelta(days=2)
# Of rows with a wrong clock, a replica has those from before at the first believable moment.
EARLIEST = BELIEVABLE[0].replace(tzinfo=UTC) + timedelta(hours=1)
# Of the newest requests the failures are logged before the successes, which take longer.
UNSETTLED = timedelta(minutes=2)
MOST_INCIDENTS = 10
# Of what is hardly used, too few successes may follow to show an end.
SILENT = timedelta(hours=6)
# Faults of fewer sessions are the trouble of one client.
LEAST_SESSIONS = 3


def incidents(source: Source, filters: Filters, now: datetime) -> Incidents:
    """Since when do more requests fail than usual, for whom, and is it over?

    The incidents that touch the range, at most ten, those with the most faults: of all traffic, of
    a provider, or of a deployment, whichever explains it most specifically. See docs/incidents.md
    for the method. No request, or too few to know what is usual, gives none. Raises a TraceError.
    """
    window = read_window(filters.window, now)
    if window is None:
        start = filters.window.start
        return Incidents((), 0, start, start, None, 0, 0, True)
    wide = filters.within(window)
    hourly, tested = first_counts(source, wide, BUCKETS["1h"])

    def closely(windows: list[TimeWindow]) -> list[Counts]:
        return counts_within(source, wide, windows, BUCKETS["5m"], tested)

    found, fine = finding.found(hourly, closely, filters.window.start)
    chosen = _chosen(found, filters.window, now)
    detailed = _detailed(source, wide, chosen[:MOST_INCIDENTS], tested)
    return Incidents(
        incidents=tuple(sorted(detailed, key=_order)),
        more=len(chosen[MOST_INCIDENTS:]),
        read_from=window.start,
        until=window.end,
        first_at=_first_at(hourly),
        requests=int(hourly.series(ALL).requests.sum()),
        tested=len(hourly.of),
        counts_hidden=tested.reads_hidden,
        recent=tuple(_recent(fine, window.end, hours) for hours in finding.LAST_HOURS),
    )


def read_window(window: TimeWindow, now: datetime) -> TimeWindow | None:
    """From where to where are requests counted for this range? None if it begins after now.

    From a whole hour two weeks before its end, or two days before its start, whichever is earlier;
    up to its end, without the last two minutes before now.
    """
    end = min(window.end, now - UNSETTLED)
    if end <= window.start:
        return None
    start = min(end - HISTORY, window.start - BEFORE)
    return TimeWindow(hour_of(max(start, min(window.start, EARLIEST))), end)


def _chosen(found: Sequence[Stretch], window: TimeWindow, now: datetime) -> list[Stretch]:
    """Those that touch the range, the most faults more than usual first."""
    is_now = window.end >= now - UNSETTLED
    touching = [
        replace(one, is_open=one.is_open and is_now)
        for one in found
        if one.end > window.start and one.start < window.end
    ]
    return sorted(touching, key=lambda one: (-one.excess, one.start, str(one.entity)))


def _order(one: Incident) -> tuple[bool, float, str]:
    return not one.is_ongoing, -one.last_at.timestamp(), str(one.entity)


def _first_at(counts: Counts) -> datetime | None:
    counted = np.flatnonzero(counts.series(ALL).requests)
    return counts.starts[int(counted[0])] if len(counted) else None


def _recent(fine: Sequence[Counts], end: datetime, hours: int) -> Recent:
    """In whole buckets of five minutes, the last of them unfinished."""
    counts, series = fine[-1], fine[-1].series(ALL)
    within = counts.within(end - timedelta(hours=hours), end)
    requests, failures = (one[within].sum() for one in (series.requests, series.failures))
    return Recent(hours, int(requests), int(failures))


def _detailed(
    source: Source, filters: Filters, stretches: Sequence[Stretch], tested: Tested
) -> list[Incident]:
    """These stretches with their details, without those of fewer than three sessions."""
    if not stretches:
        return []
    details = detailing.Details(source, filters, stretches, tested)
    totals = {row.part: row for row in details.totals()}
    owners, signatures, examples = details.owners(), details.signatures(), details.examples()
    before = [TimeWindow(filters.window.start, one.start) for one in stretches]
    known = {(row.part, *_error(row)) for row in details.earlier_signatures(before)}
    return [
        replace(
            _incident(one, totals[part], details.reads_hidden(one), filters.window.end),
            **_hits([row for row in owners if row.part == part]),
            signatures=tuple(_signature(row, known) for row in signatures if row.part == part),
            examples=tuple(_example(row) for row in examples if row.part == part),
        )
        for part, one in enumerate(stretches)
        if part in totals and totals[part].sessions >= LEAST_SESSIONS
    ]


def _incident(one: Stretch, totals: Row[Any], reads_hidden: bool, end: datetime) -> Incident:
    return Incident(
        entity=one.entity,
        since=totals.first_at,
        last_at=totals.last_at,
        is_ongoing=one.is_open and totals.last_at >= end - SILENT,
        requests=max(one.requests, totals.failures + totals.hidden),
        failures=totals.failures,
        hidden=totals.hidden if reads_hidden else None,
        usual=one.usual,
        usual_of=one.usual_of,
        parts=one.parts,
        session_count=totals.sessions,
    )


def _hits(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for dimension in detailing.OWNERS:
        own = [row for row in rows if row.dimension == dimension]
        hits = (Hit(row.id, row.name, row.failures, row.hidden) for row in own)
        found[f"{dimension}s"] = tuple(hits)
        found[f"{dimension}_count"] = own[0].of if own else 0
    return found


def _error(row: Row[Any]) -> tuple[str | None, str | None, str | None]:
    return row.error_class, row.error_code, row.signature


def _signature(row: Row[Any], known: set[tuple[Any, ...]]) -> Signature:
    error_class, code, text = _error(row)
    is_new = (row.part, error_class, code, text) not in known
    return Signature(error_class, code, text, row.failures, row.first_at, row.last_at, is_new)


def _example(row: Row[Any]) -> Example:
    failed = None if row.is_hidden else RowId(row.request_id, row.started_at)
    return Example(row.session_id, row.api_key, row.key_name, row.model, row.faults, failed)
