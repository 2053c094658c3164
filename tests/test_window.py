from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelib.window import (
    BUCKETS,
    SPANS,
    TimeWindow,
    bucket_starts,
    days,
    fitting_bucket,
    recent,
    ticked,
    usable_buckets,
)

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(
    lambda at: at.replace(tzinfo=UTC)
)
lengths = st.timedeltas(timedelta(seconds=1), timedelta(days=60))


def test_a_window_is_kept_in_utc():
    paris = ZoneInfo("Europe/Paris")
    window = TimeWindow(datetime(2026, 7, 1, tzinfo=paris), datetime(2026, 7, 2, tzinfo=paris))
    assert window == TimeWindow(
        datetime(2026, 6, 30, 22, tzinfo=UTC), datetime(2026, 7, 1, 22, tzinfo=UTC)
    )
    assert window.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2)),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_window_without_zone_or_length_is_refused(start, end):
    with pytest.raises(ValueError, match="a window"):
        TimeWindow(start, end)


@given(moments, lengths)
def test_the_previous_window_ends_where_this_one_starts_and_is_as_long(start, length):
    window = TimeWindow(start, start + length)
    before = window.previous()
    assert (before.end, before.length) == (window.start, window.length)


@given(moments, lengths, st.sampled_from(list(BUCKETS.values())), st.sampled_from(ZONES))
def test_buckets_cover_the_window_without_gap_or_overlap(start, length, bucket, zone):
    window = TimeWindow(start, start + length)
    if window.length.total_seconds() / bucket.seconds > 2_000:
        return
    starts = bucket_starts(window, bucket, zone)
    assert starts == sorted(set(starts))
    assert starts[0] <= window.start
    assert starts[-1] < window.end
    widths = {
        (later - earlier).total_seconds()
        for earlier, later in zip(starts, starts[1:], strict=False)
    }
    allowed = {bucket.seconds + extra for extra in (0, 1_800, -1_800, 3_600, -3_600)}
    assert widths <= (allowed if bucket.is_day else {bucket.seconds})
    assert len(starts) == 1 or starts[1] > window.start


def test_days_are_the_viewers_days_through_a_change_of_clocks():
    window = days(date(2026, 10, 24), date(2026, 10, 26), "Europe/Paris")
    assert bucket_starts(window, BUCKETS["1d"], "Europe/Paris") == [
        datetime(2026, 10, 23, 22, tzinfo=UTC),
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    ]


def test_hours_of_a_half_hour_zone_begin_on_its_clock():
    window = recent("1h", datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert bucket_starts(window, BUCKETS["1h"], "Asia/Kolkata") == [
        datetime(2026, 11, 23, 10, 30, tzinfo=UTC),
        datetime(2026, 11, 23, 11, 30, tzinfo=UTC),
    ]


@given(moments, st.sampled_from(list(SPANS)))
def test_the_fitting_bucket_is_one_of_the_usable_ones(now, span):
    window = recent(span, now)
    assert fitting_bucket(window) in usable_buckets(window)


def test_a_window_shorter_than_every_bucket_still_has_one():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    window = TimeWindow(now, now + timedelta(seconds=5))
    assert [bucket.name for bucket in usable_buckets(window)] == ["1m"]


@given(moments, st.sampled_from([10, 30, 60, 300]))
def test_a_tick_never_lies_in_the_future_nor_further_back_than_its_length(now, tick_s):
    tick = ticked(now, tick_s)
    assert timedelta(0) <= now - tick < timedelta(seconds=tick_s)
    assert ticked(tick, tick_s) == tick
