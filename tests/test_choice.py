from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_ranges import PARIS, ranges
from tracelib.choice import MOST_VALUES, PARAMETERS, Choice, read_choice
from tracelib.filters import DIMENSIONS, NONE, Filters
from tracelib.ranges import DAY, Between, Calendar, Last, Since
from tracelib.settings import TICKS
from tracelib.window import BUCKETS, TimeWindow

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
ids = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40
)
several = st.lists(ids, max_size=5).map(lambda values: tuple(sorted(set(values))))


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
parts = st.tuples(moments, st.timedeltas(timedelta(seconds=1), timedelta(days=399))).map(
    lambda drawn: Between(drawn[0], drawn[0] + drawn[1])
)


@st.composite
def choices(draw):
    return Choice(
        range=draw(ranges),
        part=draw(st.none() | parts),
        zone=draw(st.sampled_from([None, "UTC", "Europe/Paris"])),
        refresh=draw(st.sampled_from([None, *TICKS])),
        bucket=draw(st.sampled_from([None, *BUCKETS])),
        **{dimension: draw(several) for dimension in DIMENSIONS},
    )


@given(choices())
def test_what_the_url_says_reads_back_as_the_same_choice(choice):
    assert read_choice(choice.to_query()) == (choice, ())


@given(st.dictionaries(st.sampled_from(PARAMETERS), st.lists(st.text(max_size=400), max_size=60)))
def test_any_url_at_all_gives_usable_filters(query):
    choice, complaints = read_choice(query)
    filters = choice.filters(NOW, "Europe/Paris")
    assert filters.window.start < filters.window.end
    assert all(complaint.endswith(".") for complaint in complaints)


def test_the_plain_url_is_the_last_seven_days():
    choice, complaints = read_choice({})
    assert (choice, complaints) == (Choice(), ())
    assert choice.filters(NOW, "Europe/Paris") == Filters(
        TimeWindow(NOW - timedelta(days=7), NOW), "Europe/Paris", range=Last(24 * 7)
    )


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        (
            {"range": ["banana"]},
            "Unknown range “banana” in the link; showing the last 7 days.",
        ),
        (
            {"zone": ["Mars/Olympus"]},
            "Ignored zone “Mars/Olympus” in the link: unknown value.",
        ),
        ({"refresh": ["1ms"]}, "Ignored refresh “1ms” in the link: unknown value."),
        ({"bucket": ["2y"]}, "Ignored bucket “2y” in the link: unknown value."),
        (
            {"range": ["custom"], "from": ["yesterday"], "to": ["2026-01-01"]},
            "The dates in the link are not valid; showing the last 7 days.",
        ),
        (
            {"range": ["custom"], "from": ["2026-01-02"], "to": ["2026-01-01"]},
            "The range ends before it starts. Showing the last 7 days.",
        ),
        (
            {"range": ["custom"], "from": ["0001-01-01"], "to": ["0001-01-02"]},
            "The range is outside the years 2000 to 2200. Showing the last 7 days.",
        ),
        (
            {"range": ["custom"], "from": ["2020-01-01"], "to": ["2026-01-01"]},
            "The range is longer than 400 days. Showing the last 7 days.",
        ),
        ({"model": ["x" * 301]}, "Ignored some values of model in the link: too long or too many."),
    ],
)
def test_nonsense_in_the_url_is_named_and_left_out(query, complaint):
    assert read_choice(query) == (Choice(), (complaint,))


def test_more_values_than_anyone_chooses_are_cut():
    choice, complaints = read_choice({"user": [f"user-{n:03}" for n in range(MOST_VALUES + 1)]})
    assert len(choice.user) == MOST_VALUES
    assert complaints == ("Ignored some values of user in the link: too long or too many.",)


def test_custom_days_are_whole_days_of_the_viewer():
    choice, _ = read_choice({"range": ["custom"], "from": ["2026-03-29"], "to": ["2026-03-29"]})
    window = choice.filters(NOW, "Europe/Paris").window
    assert window == TimeWindow(
        datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    )


def test_a_choice_says_its_window_in_words():
    choice = Choice()
    assert choice.in_words(choice.filters(NOW, "Europe/Paris")) == (
        "Last 7 days, 16 November 13:00 to 23 November 13:00, Europe/Paris, "
        "compared with the 7 days before"
    )
    custom, _ = read_choice({"range": ["custom"], "from": ["2026-03-28"], "to": ["2026-03-29"]})
    assert custom.in_words(custom.filters(NOW, "Europe/Paris")) == (
        "28 March 2026 to 29 March 2026, Europe/Paris, compared with the 1 d 23 h before"
    )


def test_equal_choices_are_equal_values():
    window = TimeWindow(NOW - timedelta(days=1), NOW)
    one = Filters(window, model=("b", "a", "b"))
    other = Filters(window, model=("a", "b"))
    assert one == other
    assert hash(one) == hash(other)


def test_custom_days_not_picked_yet_are_today_up_to_now():
    choice, complaints = read_choice({"range": ["custom"]})
    assert (choice, complaints) == (Choice(range=Calendar("today")), ())
    window = choice.filters(NOW, "Europe/Paris").window
    assert window == TimeWindow(datetime(2026, 11, 22, 23, tzinfo=UTC), NOW)


@given(choices())
def test_a_fixed_choice_shows_the_same_moments_whenever_and_wherever_it_is_opened(choice):
    filters = choice.filters(NOW, "Asia/Tokyo")
    fixed = choice.fixed(filters)
    later = max(NOW, filters.window.end) + timedelta(days=400)
    again = fixed.filters(later, "America/New_York")
    assert again.window == filters.window
    assert again.zone == filters.zone
    assert fixed.part is None
    assert read_choice(fixed.to_query()) == (fixed, ())


def test_a_part_is_shown_in_place_of_the_range_that_it_was_chosen_in():
    part = Between(NOW - timedelta(hours=3), NOW - timedelta(hours=1))
    choice = Choice(range=Last(24), part=part)
    filters = choice.filters(NOW, "Europe/Paris")
    assert filters == Filters(TimeWindow(part.start, part.end), "Europe/Paris", range=part)
    assert choice.in_words(filters) == (
        "23 November 2026 10:00 to 12:00, Europe/Paris, compared with the 2 h 0 min before"
    )
    assert choice.to_query() == {
        "range": ["24h"],
        "since": ["2026-11-23T09:00:30Z"],
        "until": ["2026-11-23T11:00:30Z"],
    }


@pytest.mark.parametrize(
    "chosen", [Last(24), Last(24 * 7), Calendar("today"), Calendar("this-month"), Since(NOW)]
)
def test_what_is_looked_at_is_the_same_a_tick_later(chosen):
    now, later = (
        Filters(chosen.window(moment, "UTC"), "UTC", model=("m",), range=chosen)
        for moment in (NOW + timedelta(hours=1), NOW + timedelta(hours=1, seconds=30))
    )
    assert now.window != later.window
    assert now.without_clock() == later.without_clock()
    assert now.previous().without_clock() == later.previous().without_clock()
    assert (
        len(
            {
                now.without_clock(),
                now.previous().without_clock(),
                now.within(now.window).without_clock(),
            }
        )
        == 3
    )
    assert now.without_clock() != replace(now, model=()).without_clock()


def test_the_filters_of_another_window_are_the_same_otherwise():
    filters = Filters(TimeWindow(NOW - DAY, NOW), PARIS, model=("m",), key=(NONE,), range=Last(24))
    before = TimeWindow(NOW - 2 * DAY, NOW - DAY)
    assert filters.key == (NONE,)
    assert filters.previous() == replace(filters, window=before, range=Last(24).previous())
    assert filters.within(before) == Filters(before, PARIS, model=("m",), key=(NONE,))
    assert filters.within(before).previous().range is None
