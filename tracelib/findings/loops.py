"""Runaway loops: an agent that sends the same again and again, and no one stops it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from tracelib import formatting
from tracelib.filters import Filters
from tracelib.findings.finding import Evidence, Finding, Found, evidence, finding_id
from tracelib.findings.repeating import repeated_by_keys, repeated_in_sessions
from tracelib.ledgers.windows import Run
from tracelib.window import TimeWindow

NAME = "loops"
READ = timedelta(hours=24)
# Of keys, whose requests are all read.
READ_OF_KEYS = timedelta(hours=6)
# A loop is over when it has been silent for so long.
SILENT = timedelta(minutes=30)
LEAST_USD, FEWEST_WITHOUT_COST = 1.0, 100
# What a key does on so many of the days before is no loop: it is how it works.
USUAL_DAYS, DAYS_BEFORE = 3, 7
REMEDY = (
    "Stop the client. Then limit what one run can do: a maximum of steps in the agent, or "
    "max_budget and rpm_limit of the key."
)


def loops(run: Run, filters: Filters, now: datetime) -> Found:
    """Which sessions, or keys without sessions, send nearly the same request over and over?

    Of the last 24 hours, and of keys of the last 6. Below a dollar, and for a key that does so on
    three of the seven days before, there is no finding.
    """
    spans = [
        (repeated_in_sessions, filters.within(TimeWindow(now - READ, now))),
        (repeated_by_keys, filters.within(TimeWindow(now - READ_OF_KEYS, now))),
    ]
    of_sessions, of_keys = run(spans)
    rows = [*_large(of_sessions)]
    named = {row["key"] for row in rows}
    rows_of_keys = [row for row in _large(of_keys) if row["key"] not in named]
    usual = _usual(run, filters, now, [*rows, *rows_of_keys])
    found = [
        *(_finding(row, now, is_session=True) for row in rows if row["key"] not in usual),
        *(_finding(row, now, is_session=False) for row in rows_of_keys if row["key"] not in usual),
    ]
    return Found(tuple(_once(found)), ("loops in all sessions of the last 24 hours",))


def _large(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    for row in plain.to_dict("records"):
        if row["cost_usd"] >= LEAST_USD or row["requests"] >= FEWEST_WITHOUT_COST:
            yield {str(name): value for name, value in row.items()}


def _usual(
    run: Run, filters: Filters, now: datetime, rows: Sequence[dict[str, Any]]
) -> set[str | None]:
    """Of which keys are such runs usual, as of a job that classifies one text after the other?"""
    keys = tuple({row["key"] for row in rows if row["key"]})
    if not keys:
        return set()
    day = timedelta(days=1)
    ends = [now - READ - day * number for number in range(DAYS_BEFORE)]
    own = replace(filters, key=keys)
    queries = [
        (function, own.within(TimeWindow(end - day, end)))
        for end in ends
        for function in (repeated_in_sessions, repeated_by_keys)
    ]
    days: dict[str, set[int]] = {}
    for number, frame in enumerate(run(queries, True)):
        for key in () if frame is None else frame["key"]:
            days.setdefault(key, set()).add(number // 2)
    return {key for key, seen in days.items() if len(seen) >= USUAL_DAYS}


def _once(found: Sequence[Finding]) -> Iterator[Finding]:
    """Of several runs of one session the one with the highest cost."""
    known: set[str] = set()
    for one in found:
        if one.id not in known:
            known.add(one.id)
            yield one


def _finding(row: dict[str, Any], now: datetime, is_session: bool) -> Finding:
    first, last = row["first_at"].to_pydatetime(), row["last_at"].to_pydatetime()
    name, requests = row["key_name"] or "no key", row["requests"]
    usd = float(row["cost_usd"])
    length = formatting.duration((last - first) / timedelta(milliseconds=1))
    counted = formatting.counted(requests, "request")
    what = "One session of" if is_session else "Key"
    subject = ("session", row["session_id"]) if is_session else ("key", row["key"] or "")
    return Finding(
        id=finding_id(NAME, *subject, row["api_key"], row["model"]),
        source=NAME,
        about=("key", row["key"] or ""),
        headline=f"{what} {name} sent {counted} in {length} in a loop",
        cause=_cause(row),
        remedy=REMEDY,
        usd=usd,
        people=0,
        requests=requests,
        since=first,
        until=last if last < now - SILENT else None,
        evidence=_evidence(row, first, last, is_session),
    )


def _cause(row: dict[str, Any]) -> str:
    first, last = formatting.count(row["first_prompt"]), formatting.count(row["last_prompt"])
    alike = row["alike"] / max(row["requests"] - 1, 1)
    prompts = (
        f"prompts of {first} tokens" if first == last else f"prompts of {first} to {last} tokens"
    )
    parts = [f"{prompts} to {row['model']}, no pause longer than 3 minutes"]
    if alike >= 0.5:
        parts.append(f"{formatting.share(alike)} nearly equal to the one before")
    if row["failures"]:
        parts.append(f"{formatting.counted(row['failures'], 'failure')}")
    return f"{'; '.join(parts)}.".capitalize() if parts[0].islower() else f"{'; '.join(parts)}."


def _evidence(row: dict[str, Any], first: datetime, last: datetime, is_session: bool) -> Evidence:
    """The session itself; or the requests of the key at that time."""
    window = TimeWindow(first, last + timedelta(milliseconds=1))
    if is_session:
        opened = {"session": row["session_id"], "of": row["api_key"]}
        return evidence("Sessions", window, opened)
    return evidence("Sessions", window, ids={"key": (row["key"],), "model": (row["model"],)})
