"""Dates that PostgreSQL can hold and nobody can mean: each page goes on."""

from datetime import UTC, datetime

import pytest

from tests.rows import spend_log
from tracelib import sessions, status
from tracelib.conversation import session_rows
from tracelib.database_url import read_address
from tracelib.selection import session
from tracelib.settings import Settings
from tracelib.source import connect

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


@pytest.fixture(
    params=[
        ("20000-01-01", LATEST),
        ("infinity", LATEST),
        ("9999-12-31", LATEST),
        ("1000-01-01", EARLIEST),
        ("4000-01-01 BC", EARLIEST),
        ("-infinity", EARLIEST),
    ],
    ids=lambda param: param[0],
)
def absurd(request, database):
    """A log whose one row has an absurd date, and the date that stands for it."""
    written, shown = request.param
    log = database(rows=[spend_log(session_id="s", api_key="k", request_duration_ms=None)])
    log.execute(
        f"""UPDATE "LiteLLM_SpendLogs" SET "startTime" = '{written}', "endTime" = '{written}',
        "completionStartTime" = '{written}'"""
    )
    return connect(Settings(), read_address(log.url)), shown


def test_a_session_with_an_absurd_date_opens(absurd):
    source, shown = absurd
    summary = sessions.summary(source, session("s", "k"))
    (request,) = session_rows.stored_requests(source, session("s", "k"))
    assert (summary.started_at, summary.ended_at, summary.duration_ms) == (shown, shown, 0)
    assert (request.started_at, request.latency_ms) == (shown, 0)


def test_freshness_says_an_absurd_date_as_the_edge_of_what_it_believes(absurd):
    source, shown = absurd
    fresh = status.freshness(source, datetime.now(UTC))
    assert (fresh.oldest_started_at, fresh.newest_started_at) == (shown, shown)
    assert fresh.ahead_of_clock == (shown == LATEST)
