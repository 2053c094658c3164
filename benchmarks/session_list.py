"""The list of sessions, asked as its page asks: its questions side by side."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.filling import DAYS, TABLE
from tracelib import sessions
from tracelib.filters import Filters
from tracelib.sessions.search import SORTS
from tracelib.source import Postgres
from tracelib.window import TimeWindow, fitting_bucket

TRIES = 5
PAGE_LENGTH = 50
DEPTHS = (1, 10, 100)


def list_times(source: Postgres) -> Iterator[tuple[str, float, float, str]]:
    """How long do the questions of the page take, in each order and at each depth?

    Which list, the least and the first time in ms, and the questions one by one.
    """
    filters = Filters(_last_days(source))
    bucket = fitting_bucket(filters.window)
    for sort in SORTS:
        search = sessions.SessionSearch(sort=sort)
        for depth in DEPTHS:
            questions = {
                "list": (
                    sessions.found_sessions,
                    filters,
                    search,
                    _place(source, filters, search, depth),
                ),
                "strip": (sessions.sessions_over_time, filters, search, bucket),
            }
            tries = [_side_by_side(source, questions) for _ in range(TRIES)]
            best = min(tries, key=lambda one: one["all"])
            beside = ", ".join(f"{name} {best[name]:.0f} ms" for name in questions)
            name = f"list by {sort}, page {depth}"
            yield name, best["all"], tries[0]["all"], beside


def _last_days(source: Postgres) -> TimeWindow:
    logs = sa.table(TABLE, sa.column("startTime"))
    newest: datetime = source.row(sa.select(sa.func.max(logs.c.startTime)))[0]
    end = newest.replace(tzinfo=UTC) + timedelta(seconds=1)
    return TimeWindow(end - timedelta(days=DAYS), end)


def _place(
    source: Postgres, filters: Filters, search: sessions.SessionSearch, depth: int
) -> str | None:
    """Where that page of the list begins, as the URL says it."""
    if depth == 1:
        return None
    before = (depth - 1) * PAGE_LENGTH
    place = sessions.found_sessions(source, filters, search, None, before).next
    assert place, f"the list has no page {depth}"
    return place


def _side_by_side(source: Postgres, questions: dict[str, tuple[Any, ...]]) -> dict[str, float]:
    """Milliseconds of each question, asked at once as the page does, and of all together."""

    def asked(question: tuple[Any, ...]) -> float:
        ask, *arguments = question
        return milliseconds(lambda: ask(source, *arguments))

    with ThreadPoolExecutor(len(questions)) as pool:
        started = time.perf_counter()
        each = dict(zip(questions, pool.map(asked, questions.values()), strict=True))
        return each | {"all": (time.perf_counter() - started) * 1000}


def milliseconds(run: Callable[[], object]) -> float:
    """How long does this take?"""
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000
