"""Anomalies: a team, user, key or model that costs, sends, fails or waits unlike usual."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from tracelib import formatting
from tracelib.filters import Filters
from tracelib.findings import explaining
from tracelib.findings.detection import Episode, episodes, known_hours
from tracelib.findings.drivers import Driver, drivers
from tracelib.findings.finding import Evidence, Finding, Found, evidence, finding_id
from tracelib.findings.hourly import HOUR, PARTS_OF_LOG, Series, hourly, series_of
from tracelib.findings.merging import events, worth_a_finding
from tracelib.findings.usual import DAY_H, WEEK_H, compared_by
from tracelib.ledgers.windows import Run
from tracelib.window import TimeWindow, ticked

NAME = "anomalies"
# The model first: each request has one, so that all of them add up to everything.
TESTED = ("model", "key", "team", "user")
READ = timedelta(days=35)
# Rows arrive up to half a minute after a request has ended.
LATE = timedelta(minutes=2)
MOST_EXPLAINED = 12
ENDED_WITHIN_H = DAY_H
TOO_SHORT = "Anomalies need {needed} of history; the log has {known}."
NO_HISTORY = "Anomalies need {needed} of history; the log has no request in the last five weeks."
NEEDED = "8 days"
WHO = {"": "All requests together", "key": "Key", "user": "User", "team": "Team", "model": "Model"}


def anomalies(run: Run, filters: Filters, now: datetime) -> Found:
    """Which teams, users, keys and models are not as they usually are at this time of the week?

    Whole hours of the last week are compared with the same hours of the weeks before, in UTC.
    """
    end = ticked(now - LATE, int(HOUR.total_seconds()))
    window = TimeWindow(end - READ, end)
    read = replace(filters.within(window), zone="UTC")
    frames = run([(hourly, read, dimension) for dimension in TESTED])
    series = series_of(list(zip(TESTED, frames, strict=True)), window.start, READ // HOUR)
    used = np.flatnonzero(known_hours(series))
    if not len(used):
        return Found(notes=(NO_HISTORY.format(needed=NEEDED),))
    history_h = series.hours - int(used[0])
    compared = compared_by(history_h)
    if compared is None:
        known = _length(history_h)
        return Found(notes=(TOO_SHORT.format(needed=NEEDED, known=known),))
    found = events(series, worth_a_finding(series, episodes(series, compared)))
    recent = [one for one in found if one.is_ongoing or one.end > series.hours - ENDED_WITHIN_H]
    recent.sort(key=lambda one: (not one.is_ongoing, -_usd(one), -one.excess))
    known_of = _explained(run, filters, series, recent[:MOST_EXPLAINED])
    findings = [
        _finding(series, one, known_of.get(number, ())) for number, one in enumerate(recent)
    ]
    return Found(tuple(findings), (_tested(series, used[0]),), tuple(_untested(series)))


def _length(hours: int) -> str:
    if hours < 2 * DAY_H:
        return formatting.counted(hours, "hour")
    return formatting.counted(hours // DAY_H, "day")


def _tested(series: Series, first: int) -> str:
    """How many series were tested, and since when they are known."""
    count = formatting.counted(len(series.ids) * len(MEASURED), "series", "series")
    since = max(series.start, series.at(int(first)))
    return f"{count} since {since.day} {since:%B}"


# Cost, requests, tokens, failures and response time; a price is one of its cost and tokens.
MEASURED = ("cost", "requests", "tokens", "failures", "latency")


def _untested(series: Series) -> Iterator[str]:
    """Dimensions of which only the largest were tested."""
    for dimension, count in series.counts:
        shown = sum(1 for one, _ in series.ids if one == dimension)
        if count > shown:
            yield (
                f"Of {formatting.counted(count, dimension)}, the {formatting.exact(shown)} largest "
                "by cost or requests were tested; what the others do shows in their teams, users "
                "and models."
            )


def _explained(
    run: Run, filters: Filters, series: Series, found: Sequence[Episode]
) -> Mapping[int, tuple[Driver, ...]]:
    """The drivers of each of these; of those that were read in time."""
    queries = [
        (drivers, _narrowed(filters, series, one), one.measure == "failures") for one in found
    ]
    return {number: one or () for number, one in enumerate(run(queries, True) if queries else [])}


def _narrowed(filters: Filters, series: Series, one: Episode) -> Filters:
    dimension, identity = series.ids[one.entity]
    window = TimeWindow(series.at(one.first), series.at(one.end))
    own: Any = {dimension: (identity,)} if dimension else {}
    return replace(filters.within(window), **own)


def _usd(one: Episode) -> float:
    return one.excess if one.measure in ("cost", "price") else 0.0


def _finding(series: Series, one: Episode, of: Sequence[Driver]) -> Finding:
    dimension, identity = series.ids[one.entity]
    start, end = series.at(one.first), series.at(one.end)
    has_money = one.measure in ("cost", "price")
    return Finding(
        id=finding_id(NAME, one.measure, dimension, identity),
        source=NAME,
        about=(dimension, identity),
        headline=_headline(series, one),
        cause=" ".join(_causes(one, of)),
        remedy=_remedy(one),
        usd=one.excess if has_money else None,
        people=_people(of) if one.measure in ("failures", "latency") else 0,
        requests=round(one.actual["requests"]),
        since=start,
        until=None if one.is_ongoing else end,
        evidence=_evidence(one, dimension, identity, TimeWindow(start, end)),
        private_name=series.names[one.entity] if dimension == "user" else "",
    )


def _headline(series: Series, one: Episode) -> str:
    dimension, _ = series.ids[one.entity]
    name = series.names[one.entity]
    who = f"{WHO[dimension]} {name}" if dimension else WHO[""]
    verb = "have" if not dimension else "has"
    hours = formatting.counted(one.end - one.first, "hour")
    actual, expected = one.actual, one.expected
    money, exact = formatting.money, formatting.exact
    if one.measure == "cost":
        return f"{who} cost {money(actual['cost'])} in {hours}, usually {money(expected['cost'])}"
    if one.measure == "price":
        factor = explaining.times(actual["cost"] / max(actual["cost"] - one.excess, 1e-12))
        return f"{who} costs {factor} as much a token as usual"
    if one.measure in ("requests", "drop"):
        only = "only " if one.measure == "drop" else ""
        sent = f"{only}{exact(actual['requests'])} requests"
        return f"{who} {verb} {sent} in {hours}, usually {exact(expected['requests'])}"
    if one.measure == "tokens":
        used, usually = formatting.count(actual["tokens"]), formatting.count(expected["tokens"])
        return f"{who} {verb} {used} tokens in {hours}, usually {usually}"
    return _of_quality(one, who, hours)


def _of_quality(one: Episode, who: str, hours: str) -> str:
    actual, expected = one.actual, one.expected
    if one.measure == "failures":
        share = formatting.share(actual["failures"] / max(actual["requests"], 1))
        usually = formatting.share(expected["failures"] / max(actual["requests"], 1))
        counted = formatting.counted(round(actual["requests"]), "request")
        return f"{who}: {share} of {counted} failed in {hours}, usually {usually}"
    took = explaining.milliseconds(actual["log_ms"], actual["timed"], PARTS_OF_LOG)
    usually = formatting.duration(expected["latency"])
    return f"{who}: responses took {formatting.duration(took)} in {hours}, usually {usually}"


def _causes(one: Episode, of: Sequence[Driver]) -> Iterator[str]:
    if one.measure == "cost":
        yield explaining.in_words(one)
    if one.measure == "price":
        yield "As many tokens as usual, at a higher cost of each."
    if one.measure == "drop":
        yield "Far below the same hours of the weeks before, while others send as usual."
        return
    known = {driver.dimension: driver for driver in of}
    shares = [_share(known[name]) for name in ("key", "model", "session") if name in known]
    if texts := [text for text in shares if text]:
        yield f"{'; '.join(texts)}."
    if people := _people(of):
        yield f"Of {formatting.counted(people, 'user')}."


LEAST_SHARE = 0.4


def _share(driver: Driver) -> str:
    """The share of the first one of a dimension, if it is large and there are others."""
    if driver.share is None or driver.share < LEAST_SHARE:
        return ""
    share = formatting.share(driver.share)
    if driver.dimension == "session":
        return f"{share} in one session" if driver.count > 1 else "all in one session"
    return f"{share} by {driver.dimension} {driver.name}" if driver.count > 1 else ""


def _people(of: Sequence[Driver]) -> int:
    """How many users, or keys if requests have no user?"""
    counts = {driver.dimension: driver.count for driver in of}
    return counts.get("user") or counts.get("key", 0)


REMEDIES: Mapping[str, str] = {
    "price": "Compare the price of the model in LiteLLM’s settings with the provider’s list.",
    "requests": "Ask who sends them; limit the key by max_budget or rpm_limit if it is not meant.",
    "size": "Look at a prompt: history that is sent again, or a document that was added.",
    "tokens": "Look at a prompt: history that is sent again, or a document that was added.",
    "drop": "Check that the client still runs, and that its key is neither blocked nor expired.",
    "failures": "Open the failures: their class says whether the provider or the client is wrong.",
    "latency": "See on Models which deployment is slow; send traffic to another one meanwhile.",
}


def _remedy(one: Episode) -> str:
    return REMEDIES[explaining.main_factor(one) if one.measure == "cost" else one.measure]


def _evidence(one: Episode, dimension: str, identity: str, window: TimeWindow) -> Evidence:
    """The sessions of these requests, or their charts where there are too few or too many."""
    own = {dimension: (identity,)} if dimension else {}
    if one.measure == "failures":
        return evidence("Sessions", window, {"status": "with failures"}, own)
    if one.measure == "latency":
        return evidence("Models", window, ids=own)
    if one.measure == "drop":
        before = TimeWindow(window.start - WEEK_H * HOUR, window.end)
        return evidence("Overview", before, ids=own)
    if not dimension:
        return evidence("Overview", window)
    return evidence("Sessions", window, {"sort": "cost"}, own)
