"""A row's bucket and hour of the week in SQL are those of its start on the viewer's clock."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.database import Database
from tests.rows import spend_log
from tests.sources import source_of
from tests.test_window import ODD_ZONES
from tracelib import overview
from tracelib.filters import Filters
from tracelib.spendlogs.buckets import in_buckets
from tracelib.window import BUCKETS, TimeWindow, bucket_starts, zones

# The clock is put forward or back: in Cairo, Paris, New York, on Lord Howe Island, in St John's
# behind midnight, in Samoa over a whole day.
CHANGES = (
    *(datetime(2026, 4, 24, tzinfo=UTC), datetime(2026, 10, 30, tzinfo=UTC)),
    *(datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)),
    *(datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
    *(datetime(2026, 4, 5, tzinfo=UTC), datetime(2026, 10, 4, tzinfo=UTC)),
    *(datetime(2010, 11, 7, tzinfo=UTC), datetime(2011, 12, 30, tzinfo=UTC)),
)
STEP = timedelta(minutes=15)
STARTS = [
    change + i * STEP + jitter
    for change in CHANGES
    for i in range(-120, 160)
    for jitter in (timedelta(), timedelta(milliseconds=-1))
]


@pytest.fixture(scope="module")
def source(server):
    """Requests each quarter of an hour, and a moment before, around changes of many clocks."""
    made = Database(server)
    made.insert([spend_log(startTime=start) for start in STARTS])
    opened = source_of(made)
    yield opened
    opened.engine.dispose()
    made.drop()


@st.composite
def charts(draw):
    """A window around one of the changes, in a zone, in buckets."""
    zone = draw(st.sampled_from(ODD_ZONES) | st.sampled_from(zones()))
    bucket = draw(st.sampled_from(list(BUCKETS.values())))
    around = draw(st.sampled_from(CHANGES))
    start = around + draw(st.timedeltas(-timedelta(hours=30), timedelta(hours=30)))
    length = draw(st.timedeltas(STEP, timedelta(hours=60)))
    return Filters(TimeWindow(start, start + length), zone), bucket


@given(charts())
@settings(deadline=None)
def test_the_bucket_of_a_row_is_the_one_that_its_start_lies_in(source, drawn):
    filters, bucket = drawn
    numbered = in_buckets(source.requests(filters), filters, bucket)
    columns = (numbered.c.started_at, numbered.c.bucket_number)
    found = source.frame(select(*columns).order_by(*columns))
    starts = bucket_starts(filters.window, bucket, filters.zone)
    inside = sorted(one for one in STARTS if filters.window.start <= one < filters.window.end)
    assert [moment.to_pydatetime() for moment in found["started_at"]] == inside
    assert list(found["bucket_number"]) == [bisect_right(starts, one) - 1 for one in inside]


@given(charts())
@settings(deadline=None)
def test_busy_hours_are_those_of_the_clock_of_the_zone(source, drawn):
    filters, _ = drawn
    window, zone = filters.window, ZoneInfo(filters.zone)
    expected = pd.Series([0] * 168)
    for start in STARTS:
        if window.start <= start < window.end:
            local = start.astimezone(zone)
            expected[local.weekday() * 24 + local.hour] += 1
    assert list(overview.busy_hours(source, filters)["requests"]) == list(expected)
