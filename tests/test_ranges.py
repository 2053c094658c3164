"""Ranges of time: what each means when, what it is called, and how a link holds it."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelib.ranges import (
    CALENDAR,
    DAY,
    DEFAULT,
    LONGEST_H,
    PARAMETERS,
    Between,
    Calendar,
    Last,
    complaint,
    days_complaint,
    read_part,
    read_range,
)
from tracelib.window import TimeWindow, days

PARIS, NEW_YORK = "Europe/Paris", "America/New_York"
# A Monday.
NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
some_zones = st.sampled_from(["UTC", PARIS, NEW_YORK, "Asia/Beirut", "Asia/Kathmandu"])
lengths = st.timedeltas(timedelta(minutes=1), timedelta(days=399))
minutes = st.datetimes(datetime(2001, 1, 1), datetime(2030, 1, 1)).map(
    lambda at: at.replace(second=0, microsecond=0)
)


@st.composite
def betweens(draw):
    start = draw(minutes)
    if draw(st.booleans()):
        return Between.days(start.date(), start.date() + timedelta(days=draw(st.integers(0, 400))))
    start = start.replace(tzinfo=draw(st.sampled_from([None, UTC])))
    return Between(start, start + draw(lengths))


lasts = st.integers(1, LONGEST_H).map(Last)
calendars = st.sampled_from(list(CALENDAR)).map(Calendar)
ranges = lasts | calendars | betweens()


def utc(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "zone", "window"),
    [
        ("today", PARIS, (utc(11, 22, 23), NOW)),
        ("today", "Pacific/Auckland", (utc(11, 23, 11), NOW)),
        ("yesterday", PARIS, (utc(11, 21, 23), utc(11, 22, 23))),
        ("this-week", PARIS, (utc(11, 22, 23), NOW)),
        ("this-week", "Pacific/Honolulu", (utc(11, 23, 10), NOW)),
        ("this-month", PARIS, (utc(10, 31, 23), NOW)),
        # The clock was put back on 25 October.
        ("last-month", PARIS, (utc(9, 30, 22), utc(10, 31, 23))),
        ("last-month", NEW_YORK, (utc(10, 1, 4), utc(11, 1, 4))),
    ],
)
def test_a_range_of_the_calendar_is_the_viewers_and_ends_now_where_it_is_not_over(
    name, zone, window
):
    assert Calendar(name).window(NOW, zone) == TimeWindow(*window)


def test_a_week_begins_on_monday():
    sunday = utc(11, 29, 12)
    assert Calendar("this-week").window(sunday, "UTC") == TimeWindow(utc(11, 23), sunday)


def test_months_have_their_own_length_and_january_follows_december():
    january = datetime(2027, 1, 31, 12, tzinfo=UTC)
    assert Calendar("last-month").window(january, "UTC") == days(
        date(2026, 12, 1), date(2026, 12, 31), "UTC"
    )
    march = utc(3, 31, 12)
    assert Calendar("last-month").window(march, "UTC") == days(
        date(2026, 2, 1), date(2026, 2, 28), "UTC"
    )


def test_today_moves_with_the_clock_and_is_the_next_day_after_midnight():
    today = Calendar("today")
    before, after = utc(11, 23, 22, 59), utc(11, 23, 23, 1)
    assert today.window(before, PARIS) == TimeWindow(utc(11, 22, 23), before)
    assert today.window(after, PARIS) == TimeWindow(utc(11, 23, 23), after)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("today", utc(11, 22, 23), utc(11, 23, 23)),
        ("this-week", utc(11, 22, 23), utc(11, 29, 23)),
        ("this-month", utc(10, 31, 23), utc(11, 30, 23)),
    ],
)
def test_a_range_that_begins_now_is_whole_because_nothing_of_it_is_over(name, start, end):
    assert Calendar(name).window(start, PARIS) == TimeWindow(start, end)


def test_so_many_hours_end_now():
    assert Last(36).window(NOW, PARIS) == TimeWindow(NOW - timedelta(hours=36), NOW)


@pytest.mark.parametrize(
    ("between", "zone", "window"),
    [
        (
            Between.days(date(2026, 3, 29), date(2026, 3, 29)),
            PARIS,
            (utc(3, 28, 23), utc(3, 29, 22)),
        ),
        (Between.days(date(2026, 11, 20), date(2026, 12, 24)), "UTC", (utc(11, 20), NOW)),
        (Between.days(date(2026, 12, 1), date(2026, 12, 2)), "UTC", (utc(12, 1), utc(12, 3))),
        (
            Between(datetime(2026, 11, 1, 14), datetime(2026, 11, 3, 9, 30)),
            NEW_YORK,
            (utc(11, 1, 19), utc(11, 3, 14, 30)),
        ),
        (Between(utc(11, 1, 14), utc(11, 1, 15)), NEW_YORK, (utc(11, 1, 14), utc(11, 1, 15))),
    ],
)
def test_a_custom_range_is_of_the_viewers_clock_and_ends_now_where_it_is_not_over(
    between, zone, window
):
    assert between.window(NOW, zone) == TimeWindow(*window)


@given(ranges, moments, some_zones)
def test_what_a_range_is_compared_with_is_as_long_and_lies_just_before(chosen, now, zone):
    window, before = chosen.window(now, zone), chosen.previous().window(now, zone)
    assert (before.end, before.length) == (window.start, window.length)
    further = chosen.previous().previous().window(now, zone)
    assert (further.end, further.length) == (before.start, window.length)


@given(ranges, moments, some_zones)
def test_a_range_is_a_value(chosen, now, zone):
    again, complained = read_range(*(chosen.query().get(name) for name in PARAMETERS))
    assert complained is None
    assert (again, hash(again)) == (chosen, hash(chosen))
    assert (again.previous(), hash(again.previous())) == (
        chosen.previous(),
        hash(chosen.previous()),
    )
    assert again.window(now, zone) == chosen.window(now, zone)


@pytest.mark.parametrize(
    ("link", "meant"),
    [
        # As links have been since the first version.
        ({}, DEFAULT),
        ({"range": "1h"}, Last(1)),
        ({"range": "24h"}, Last(24)),
        ({"range": "7d"}, Last(168)),
        ({"range": "30d"}, Last(720)),
        ({"range": "7d", "from": "2026-11-01", "to": "2026-11-02"}, Last(168)),
        ({"range": "custom"}, Calendar("today")),
        (
            {"range": "custom", "from": "2026-11-01", "to": "2026-11-03"},
            Between(datetime(2026, 11, 1), datetime(2026, 11, 4)),
        ),
        ({"range": "36h"}, Last(36)),
        ({"range": "1d"}, Last(24)),
        ({"range": "90d"}, Last(90 * 24)),
        *(({"range": name}, Calendar(name)) for name in CALENDAR),
        ({"from": "2026-11-01", "to": "2026-11-01"}, Between.days(*[date(2026, 11, 1)] * 2)),
        (
            {"from": "2026-11-01T14:00", "to": "2026-11-03T09:30"},
            Between(datetime(2026, 11, 1, 14), datetime(2026, 11, 3, 9, 30)),
        ),
        (
            {"from": "2026-11-01T14:00", "to": "2026-11-03"},
            Between(datetime(2026, 11, 1, 14), datetime(2026, 11, 4)),
        ),
        (
            {"from": "2026-11-01T14:00+01:00", "to": "2026-11-01T15:00Z"},
            Between(utc(11, 1, 13), utc(11, 1, 15)),
        ),
    ],
)
def test_a_link_means_its_range(link, meant):
    assert read_range(*(link.get(name) for name in PARAMETERS)) == (meant, None)


UNREADABLE = "The dates in the link are not valid; showing the last 7 days."
TOO_LONG = "The range is longer than 400 days. Showing the last 7 days."
BACKWARDS = "The range ends before it starts. Showing the last 7 days."


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"range": "0h"}, "in the link; showing the last 7 days."),
        ({"range": "-1h"}, "in the link; showing the last 7 days."),
        ({"range": "36m"}, "in the link; showing the last 7 days."),
        ({"range": "٣6h"}, "in the link; showing the last 7 days."),
        ({"range": "24h\n"}, "in the link; showing the last 7 days."),
        ({"range": "401d"}, TOO_LONG),
        ({"range": "99999d"}, TOO_LONG),
        ({"from": "2026-11-01"}, UNREADABLE),
        ({"to": "2026-11-01"}, UNREADABLE),
        ({"from": "soon", "to": "2026-11-01"}, UNREADABLE),
        ({"from": "2026-11-01T14:00Z", "to": "2026-11-01T15:00"}, UNREADABLE),
        ({"from": "9999-12-31", "to": "9999-12-31"}, UNREADABLE),
        ({"from": "2026-11-01T14:00", "to": "2026-11-01T14:00"}, BACKWARDS),
        ({"from": "2026-11-02", "to": "2026-11-01"}, BACKWARDS),
        ({"from": "2026-11-01T14:00", "to": "2027-12-24T14:00"}, TOO_LONG),
        ({"range": "x" * 50}, f"Unknown range “{'x' * 40}” in the link; showing the last 7 days."),
    ],
)
def test_a_link_that_makes_no_sense_says_so_and_means_the_default(link, said):
    meant, complained = read_range(*(link.get(name) for name in PARAMETERS))
    assert meant == DEFAULT
    assert complained.endswith(said)


@pytest.mark.parametrize(
    ("chosen", "zone", "sentence"),
    [
        (
            DEFAULT,
            PARIS,
            "Last 7 days, 16 November 13:00 to 23 November 13:00, Europe/Paris, "
            "compared with the 7 days before",
        ),
        (
            Last(1),
            PARIS,
            "Last hour, 23 November 12:00 to 13:00, Europe/Paris, compared with the hour before",
        ),
        (
            Last(36),
            "UTC",
            "Last 36 hours, 22 November 00:00 to 23 November 12:00, UTC, "
            "compared with the 36 hours before",
        ),
        (
            Calendar("today"),
            PARIS,
            "Today, 23 November 00:00 to 13:00, Europe/Paris, compared with the 13 h 0 min before",
        ),
        (
            Calendar("yesterday"),
            PARIS,
            "Yesterday, 22 November, Europe/Paris, compared with the day before",
        ),
        (
            Calendar("this-month"),
            "UTC",
            "This month, 1 November 00:00 to 23 November 12:00, UTC, "
            "compared with the 22 d 12 h before",
        ),
        (
            Calendar("last-month"),
            "UTC",
            "Last month, 1 October to 31 October, UTC, compared with the 31 days before",
        ),
        (
            Between.days(date(2026, 3, 28), date(2026, 3, 29)),
            PARIS,
            "28 March 2026 to 29 March 2026, Europe/Paris, compared with the 1 d 23 h before",
        ),
        (
            Between.days(date(2026, 11, 1), date(2026, 11, 30)),
            "UTC",
            "1 November 2026 to 30 November 2026 so far, UTC, compared with the 22 d 12 h before",
        ),
        (
            Between.days(date(2026, 11, 2), date(2026, 11, 2)),
            "UTC",
            "2 November 2026, UTC, compared with the day before",
        ),
        (
            Between(datetime(2026, 11, 1, 0, 30), datetime(2026, 11, 1, 1, 30)),
            NEW_YORK,
            "1 November 2026 00:30 to 01:30 (UTC−5), America/New_York, "
            "compared with the 2 h 0 min before",
        ),
        (
            Between(datetime(2026, 11, 1, 14), datetime(2026, 11, 3, 9, 30)),
            "UTC",
            "1 November 2026 14:00 to 3 November 2026 09:30, UTC, "
            "compared with the 1 d 19 h before",
        ),
        (
            Between(utc(11, 2, 14), utc(11, 2, 15)),
            PARIS,
            "2 November 2026 15:00 to 16:00, Europe/Paris, compared with the 1 h 0 min before",
        ),
    ],
)
def test_a_range_says_its_window_its_zone_and_what_it_is_compared_with(chosen, zone, sentence):
    window = chosen.window(NOW.replace(second=0), zone)
    assert chosen.sentence(window, zone) == sentence


@given(betweens(), some_zones)
def test_the_ends_of_a_custom_range_are_those_that_were_chosen(chosen, zone):
    start, end = chosen.local_ends(NOW, zone)
    if chosen.start.tzinfo is None:
        assert (start, end) == (chosen.start, chosen.end)
    else:
        assert start == chosen.start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("chosen", "ends"),
    [
        (Last(1), (datetime(2026, 11, 23, 12, 0, 30), datetime(2026, 11, 23, 13, 0, 30))),
        (Calendar("yesterday"), (datetime(2026, 11, 22), datetime(2026, 11, 23))),
    ],
)
def test_the_ends_of_a_range_are_shown_on_the_viewers_clock(chosen, ends):
    assert chosen.local_ends(NOW, PARIS) == ends


@pytest.mark.parametrize(
    ("chosen", "is_of_days"),
    [
        (Last(23), False),
        (Last(24), True),
        (Calendar("today"), True),
        (Between.days(date(2026, 11, 1), date(2026, 11, 2)), True),
        (Between(datetime(2026, 11, 1), datetime(2026, 11, 2, 12)), False),
        # Moments in UTC are not midnights of the viewer.
        (Between(utc(11, 1), utc(11, 2)), False),
    ],
)
def test_a_day_or_more_is_edited_by_days_but_times_of_day_are_kept(chosen, is_of_days):
    assert chosen.is_of_days is is_of_days


def test_a_single_day_is_named_once():
    assert Between.days(date(2026, 11, 1), date(2026, 11, 1)).title == "1 Nov 2026"


@pytest.fixture
def machine_in_kathmandu(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_link_with_an_offset_is_shown_and_kept_as_its_moments_in_utc(machine_in_kathmandu):
    between, _ = read_range("custom", "2026-11-01T14:00+01:00", "2026-11-02T18:30-05:00")
    assert between.title == "1 Nov 13:00 – 2 Nov 23:30 UTC"
    assert between.query() == {
        "range": "custom",
        "from": "2026-11-01T13:00Z",
        "to": "2026-11-02T23:30Z",
    }


def test_a_range_lies_in_the_years_2000_to_2200():
    outside = "The range is outside the years 2000 to 2200."
    first, last = date(2000, 1, 1), date(2200, 12, 31)
    assert [days_complaint(first, first), days_complaint(last, last)] == [None, None]
    assert days_complaint(first - DAY, first) == days_complaint(last, last + DAY) == outside


def test_two_times_are_a_range_of_at_most_400_days():
    start = datetime(2026, 1, 1, 12)
    # A midnight belongs to the day before it.
    assert complaint(datetime(2026, 1, 1), datetime(2027, 2, 6)) is None
    assert complaint(start, start + timedelta(days=400)) is None
    assert complaint(start, start + timedelta(days=402)) == "The range is longer than 400 days."
    assert complaint(start, start) == "The range ends before it starts."


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("today", "tomorrow"),
        ("2026-11-23T12:00:00Z", None),
        ("2026-11-23T12:00:00", "2026-11-23T13:00:00"),
        ("2026-11-23T13:00:00Z", "2026-11-23T12:00:00Z"),
        ("2026-11-23T13:00:00Z", "2026-11-23T13:00:00Z"),
        ("0001-01-01T00:00:00+10:00", "2026-11-23T13:00:00Z"),
        ("2020-11-23T12:00:00Z", "2026-11-23T13:00:00Z"),
    ],
)
def test_a_part_that_makes_no_sense_is_named(since, until):
    complaint = "The chosen part in the link is not valid; showing the whole range."
    assert read_part(since, until) == (None, complaint)
