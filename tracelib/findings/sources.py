"""The sources of findings, and what needs attention by all of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tracelib import errors, events
from tracelib.filters import Filters
from tracelib.findings import (
    anomalies,
    loops,
    of_budgets,
    of_incidents,
    of_keys,
    of_ledgers,
    of_waste,
)
from tracelib.findings.finding import Failed, Finding, FindingSource, Found, Report
from tracelib.ledgers.windows import Run

MOST = 10
# How long one that is over is listed as such.
ENDED_WITHIN = timedelta(hours=24)
SOURCES: Mapping[str, FindingSource] = {
    of_incidents.NAME: of_incidents.of_incidents,
    loops.NAME: loops.loops,
    anomalies.NAME: anomalies.anomalies,
    of_budgets.NAME: of_budgets.of_budgets,
    of_waste.NAME: of_waste.of_waste,
    of_ledgers.NAME: of_ledgers.of_ledgers,
    of_keys.NAME: of_keys.of_keys,
}
# A finding of the first explains one of the second about the same at the same time.
EXPLAINS = {"loops": ("anomalies",)}
# As measured on quiet traffic by benchmarks/findings_backtest.py, rounded up.
FALSE_ALARMS = "On quiet traffic, anomalies are wrong less than once a week per 100 entities."
RULE = (
    "Ranked by money: what it has cost beyond what is usual, up to now. A person who is hit counts "
    "as much as $10."
)


def report(run: Run, filters: Filters, now: datetime) -> Report:
    """What needs attention now, of the requests that match the filters?

    At most ten findings. The range of the filters does not matter: each source reads what it needs
    up to `now`. A source that fails is named, and the others are there; all of them fail with the
    TraceError of the first.
    """
    found: list[Found] = []
    failed: list[Failed] = []
    first: errors.TraceError | None = None
    for name, source in SOURCES.items():
        try:
            found.append(source(run, filters, now))
        except errors.TraceError as error:
            first = first or error
            failed.append(Failed(name, error.sentence))
        except Exception as fault:
            events.exception("findings_fault", fault, source=name)
            failed.append(Failed(name, errors.OwnFault.sentence))
    if first is not None and not found:
        raise first
    return _together(found, tuple(failed), filters, now)


def _together(
    found: Iterable[Found], failed: tuple[Failed, ...], filters: Filters, now: datetime
) -> Report:
    parts = list(found)
    every = [_linked(one, filters) for part in parts for one in part.findings]
    every = [one for one in every if not _is_explained(one, every)]
    lasting = sorted((one for one in every if one.until is None), key=_rank)
    ended = (one for one in every if one.until and one.until > now - ENDED_WITHIN)
    return Report(
        now=now,
        findings=tuple(lasting[:MOST]),
        ended=tuple(sorted(ended, key=_latest)[:MOST]),
        total=len(lasting),
        tested=tuple(text for part in parts for text in part.tested),
        notes=tuple(_notes(parts)),
        failed=failed,
    )


def _notes(parts: Iterable[Found]) -> Iterator[str]:
    yield from dict.fromkeys(note for part in parts for note in part.notes)


def _rank(one: Finding) -> tuple[float, str]:
    return -one.weight, one.id


def _latest(one: Finding) -> tuple[float, str]:
    return -one.until.timestamp() if one.until else 0.0, one.id


def _is_explained(one: Finding, every: Iterable[Finding]) -> bool:
    """Is it what another one shows more plainly?"""
    return any(
        one.source in EXPLAINS.get(other.source, ())
        and one.about == other.about
        and _overlap(one, other)
        for other in every
    )


def _overlap(one: Finding, other: Finding) -> bool:
    """At the same time? Anomalies are of whole hours."""
    hour = timedelta(hours=1)
    is_before = one.until and other.since and one.until < other.since - hour
    is_after = other.until and one.since and other.until < one.since - hour
    return not (is_before or is_after)


def _linked(one: Finding, filters: Filters) -> Finding:
    """The finding with the filters that it was found by in its link."""
    if one.evidence is None:
        return one
    chosen = one.evidence.choice.chosen()
    others: Any = {name: ids for name, ids in filters.chosen().items() if name not in chosen}
    choice = replace(one.evidence.choice, **others)
    return replace(one, evidence=replace(one.evidence, choice=choice))
