from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelib.clock import clock_periods, offset_s
from tracelib.window import (
    BUCKETS,
    MOST_POINTS,
    SPANS,
    TimeWindow,
    between,
    bucket_edges,
    bucket_starts,
    days,
    fitting_bucket,
    recent,
    ticked,
    usable_buckets,
    zones,
)

# By half an hour, by two, at midnight, over the date line, with quarters of an hour.
ODD_ZONES = [
    *("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Pacific/Chatham", "Antarctica/Troll", "America/St_Johns"),
    *("America/Havana", "Africa/Cairo", "Asia/Beirut", "Pacific/Apia"),
]
MOMENT = timedelta(seconds=1)
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
    assert window.start.tzinfo is window.end.tzinfo is UTC


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


@st.composite
def buckets_in_zones(draw):
    """A window of at most 300 buckets in any zone there is, often where its clock changes."""
    zone = draw(st.sampled_from(ODD_ZONES) | st.sampled_from(zones()))
    bucket = draw(st.sampled_from(list(BUCKETS.values())))
    year = draw(st.integers(2000, 2040))
    begin = datetime(year, 1, 1, tzinfo=UTC)
    changes = [
        datetime.fromtimestamp(period.start_s, UTC)
        for period in clock_periods(begin, begin + timedelta(days=366), zone)
    ]
    length = draw(st.timedeltas(timedelta(seconds=1), timedelta(seconds=bucket.seconds * 300)))
    start = draw(st.sampled_from(changes)) - draw(st.timedeltas(-length, length))
    return TimeWindow(start, start + length), bucket, zone


@given(buckets_in_zones())
def test_buckets_cover_the_window_without_gap_or_overlap(drawn):
    window, bucket, zone = drawn
    edges = bucket_edges(window, bucket, zone)
    assert list(edges) == sorted(set(edges))
    assert edges[0] <= window.start < edges[1]
    assert edges[-2] < window.end <= edges[-1]
    assert bucket_starts(window, bucket, zone) == list(edges[:-1])


@given(buckets_in_zones())
def test_a_bucket_begins_at_a_multiple_of_its_length_on_the_clock_or_when_that_changes(drawn):
    window, bucket, zone = drawn
    edges = bucket_edges(window, bucket, zone)
    for start, end in zip(edges, edges[1:], strict=False):
        clock = start.astimezone(ZoneInfo(zone))
        is_whole = timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second)
        is_whole %= timedelta(seconds=bucket.seconds)
        offsets = {offset_s(moment, zone) for moment in (start - MOMENT, start, end - MOMENT, end)}
        if is_whole or (end - start).total_seconds() != bucket.seconds:
            assert len(offsets) > 1, start
        else:
            assert not start.microsecond


@given(buckets_in_zones(), st.data())
def test_all_moments_of_a_bucket_have_the_same_place_on_the_clock(drawn, data):
    window, bucket, zone = drawn
    moment = window.start + data.draw(st.floats(0, 1, exclude_max=True)) * window.length
    edges = bucket_edges(window, bucket, zone)
    start = edges[bisect_right(edges, moment) - 1]

    def place(at):
        clock = at.astimezone(ZoneInfo(zone))
        seconds = clock.hour * 3_600 + clock.minute * 60 + clock.second
        which_hour = clock.fold if bucket.seconds <= 3_600 else 0
        return clock.date(), seconds // bucket.seconds, which_hour

    if place(moment) != place(start):
        # The clock was put back behind the start of a bucket, which began when it first came.
        assert bucket.seconds > 3_600
        assert offset_s(moment, zone) < offset_s(start, zone)
        assert place(moment) < place(start)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        # Put forward and back.
        ("Europe/Paris", date(2026, 3, 29), [*range(2), *range(3, 24)]),
        ("Europe/Paris", date(2026, 10, 25), [*range(3), *range(2, 24)]),
        ("America/New_York", date(2026, 11, 1), [*range(2), *range(1, 24)]),
        # At midnight: the first hour is left out, or comes twice, or the last does.
        ("Asia/Beirut", date(2026, 3, 29), [*range(1, 24)]),
        ("America/Havana", date(2026, 11, 1), [0, *range(24)]),
        ("Africa/Cairo", date(2026, 10, 29), [*range(24), 23]),
        # By two hours.
        ("Antarctica/Troll", date(2026, 10, 25), [*range(3), *range(1, 24)]),
    ],
)
def test_each_hour_of_the_clock_is_a_bucket_as_often_as_it_is_lived(zone, day, hours):
    window = days(day, day, zone)
    starts = bucket_starts(window, BUCKETS["1h"], zone)
    local = [start.astimezone(ZoneInfo(zone)) for start in starts]
    assert {one.date() for one in local} == {day}
    assert [one.hour for one in local] == hours
    assert {one.minute for one in local} == {0}


def test_a_clock_put_back_by_half_an_hour_makes_half_an_hour_of_its_own():
    day = date(2026, 4, 5)
    starts = bucket_starts(
        days(day, day, "Australia/Lord_Howe"), BUCKETS["1h"], "Australia/Lord_Howe"
    )
    local = [f"{one.astimezone(ZoneInfo('Australia/Lord_Howe')):%H:%M}" for one in starts[:5]]
    assert local == ["00:00", "01:00", "01:30", "02:00", "03:00"]


@pytest.mark.parametrize(
    ("bucket", "start", "end"),
    [
        ("6h", "2026-11-01T04:00", "2026-11-01T11:00"),
        ("1d", "2026-11-01T04:00", "2026-11-02T05:00"),
    ],
)
def test_the_last_hour_of_a_longer_bucket_belongs_to_it(bucket, start, end):
    """In New York a quarter of this day has seven hours, and the day 25."""
    edges = tuple(datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (start, end))
    last_minute = TimeWindow(edges[1] - timedelta(minutes=1), edges[1])
    assert bucket_edges(last_minute, BUCKETS[bucket], "America/New_York") == edges


def test_six_hours_are_quarters_of_the_viewers_day_through_a_change_of_clocks():
    window = days(date(2026, 10, 31), date(2026, 11, 1), "America/New_York")
    edges = bucket_edges(window, BUCKETS["6h"], "America/New_York")
    local = [one.astimezone(ZoneInfo("America/New_York")).hour for one in edges]
    assert local == [0, 6, 12, 18, 0, 6, 12, 18, 0]
    assert edges[5] - edges[4] == timedelta(hours=7)
    assert (edges[0], edges[-1]) == (window.start, window.end)


def test_days_are_the_viewers_days_through_a_change_of_clocks():
    window = days(date(2026, 10, 24), date(2026, 10, 26), "Europe/Paris")
    assert bucket_starts(window, BUCKETS["1d"], "Europe/Paris") == [
        datetime(2026, 10, 23, 22, tzinfo=UTC),
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    ]


def test_a_day_begins_once_though_its_midnight_comes_twice():
    """In St John's the clock was put back at one minute past midnight, to the day before."""
    zone = "America/St_Johns"
    window = days(date(2010, 11, 6), date(2010, 11, 8), zone)
    edges = bucket_edges(window, BUCKETS["1d"], zone)
    assert [f"{one.astimezone(ZoneInfo(zone)):%d %H:%M}" for one in edges] == [
        *("06 00:00", "07 00:00", "08 00:00", "09 00:00")
    ]
    assert edges[2] - edges[1] == timedelta(hours=25)
    hours = bucket_starts(window, BUCKETS["1h"], zone)
    around = [f"{one.astimezone(ZoneInfo(zone)):%d %H:%M}" for one in hours[23:27]]
    assert around == ["06 23:00", "07 00:00", "06 23:01", "07 00:00"]


@pytest.mark.parametrize(
    ("zone", "start", "end", "expected"),
    [
        # From the first time that the clock shows it, to the last.
        ("Europe/Paris", "2026-10-25T02:30", "2026-10-25T02:40", ("00:30", "01:40")),
        # What the clock leaves out is the moment at which it does.
        ("Europe/Paris", "2026-03-29T02:10", "2026-03-29T04:00", ("01:00", "02:00")),
        ("Europe/Paris", "2026-03-29T02:10", "2026-03-29T02:50", ("01:00", "01:01")),
        ("Asia/Beirut", "2026-03-29T00:00", "2026-03-29T01:30", ("22:00", "22:30")),
        # A midnight that comes twice begins its day when it first comes.
        ("America/Havana", "2026-10-31T23:00", "2026-11-01T00:00", ("03:00", "04:00")),
    ],
)
def test_local_times_are_ends_of_a_window_also_where_the_clock_changes(zone, start, end, expected):
    found = between(datetime.fromisoformat(start), datetime.fromisoformat(end), zone)
    assert tuple(f"{one:%H:%M}" for one in (found.start, found.end)) == expected


def test_a_day_that_the_clock_left_out_is_a_window_all_the_same():
    left_out = date(2011, 12, 30)
    assert days(left_out, left_out, "Pacific/Apia").length == timedelta(minutes=1)
    around = days(date(2011, 12, 29), date(2011, 12, 31), "Pacific/Apia")
    starts = bucket_starts(around, BUCKETS["1d"], "Pacific/Apia")
    assert [one.astimezone(ZoneInfo("Pacific/Apia")).day for one in starts] == [29, 31]


def test_hours_of_a_half_hour_zone_begin_on_its_clock():
    window = recent("1h", datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert bucket_starts(window, BUCKETS["1h"], "Asia/Kolkata") == [
        datetime(2026, 11, 23, 10, 30, tzinfo=UTC),
        datetime(2026, 11, 23, 11, 30, tzinfo=UTC),
    ]


def test_the_named_spans_are_as_long_as_their_names():
    hours = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
    assert {name: timedelta(hours=count) for name, count in hours.items()} == SPANS


def test_the_zones_are_utc_and_all_others_by_name():
    first, *others = zones()
    assert first == "UTC"
    assert others == sorted(available_timezones() - {"UTC"})


@given(moments, st.sampled_from(list(SPANS)))
def test_the_fitting_bucket_is_one_of_the_usable_ones(now, span):
    window = recent(span, now)
    assert fitting_bucket(window) in usable_buckets(window)


def test_a_window_shorter_than_every_bucket_still_has_one():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    window = TimeWindow(now, now + timedelta(seconds=5))
    assert [bucket.name for bucket in usable_buckets(window)] == ["1m"]


@pytest.mark.parametrize(
    ("length", "usable", "fitting"),
    [
        # A bucket is shorter than its window.
        (timedelta(minutes=5), ["1m"], "1m"),
        (timedelta(minutes=5, seconds=1), ["1m", "5m"], "1m"),
        # Of the fitting ones at most 200 are shown, of all at most 1,500.
        (timedelta(minutes=200), ["1m", "5m", "15m", "1h"], "1m"),
        (timedelta(minutes=200, seconds=1), ["1m", "5m", "15m", "1h"], "5m"),
        (timedelta(hours=25), ["1m", "5m", "15m", "1h", "6h", "1d"], "15m"),
        (timedelta(hours=25, seconds=1), ["5m", "15m", "1h", "6h", "1d"], "15m"),
        (timedelta(days=400), ["1d"], "1d"),
    ],
)
def test_the_buckets_of_a_window_are_neither_too_many_nor_too_long(length, usable, fitting):
    window = recent(length, datetime(2026, 11, 23, tzinfo=UTC))
    assert [bucket.name for bucket in usable_buckets(window)] == usable
    assert fitting_bucket(window).name == fitting


def test_a_chart_has_at_most_500_points():
    month = recent("30d", datetime(2026, 11, 23, tzinfo=UTC))
    assert [bucket.name for bucket in usable_buckets(month, MOST_POINTS)] == ["6h", "1d"]
    assert [bucket.name for bucket in usable_buckets(month)] == ["1h", "6h", "1d"]


@given(moments, st.sampled_from([10, 30, 60, 300]))
def test_a_tick_never_lies_in_the_future_nor_further_back_than_its_length(now, tick_s):
    tick = ticked(now, tick_s)
    assert timedelta(0) <= now - tick < timedelta(seconds=tick_s)
    assert ticked(tick, tick_s) == tick
