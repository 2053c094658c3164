"""Which files there should be, and which of their hours are stale: without any file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelib.replica import layout
from tracelib.replica.manifest import Hour, Span

DAY = 24 * 20_000
"""The first hour of a day."""


def span(start: int | None, end: int | None, rows: int = 1, checked_at: float = 0.0) -> Span:
    return Span(f"{start}", start, end, rows, 0, {}, checked_at)


def test_hours_differ_by_rows_by_hashes_and_by_being_there():
    held = {1: Hour(2, 5, 0), 2: Hour(2, 5, 0), 3: Hour(2, 5, 0), 4: Hour(1, 1, 0)}
    counted = {1: (2, 5), 2: (3, 5), 3: (2, 6), 5: (1, 1), 6: (0, None)}
    assert layout.differing(held, counted) == {2, 3, 4, 5}
    assert layout.differing(held, dict.fromkeys((1, 2, 3), (2, None))) == {4}
    assert layout.differing({}, {}) == frozenset()


def test_retention_removes_rows_up_to_the_hour_of_the_first():
    held = {hour: Hour(2, 0, 0) for hour in (1, 2, 3, 4)}
    counted = {2: (1, None), 3: (1, None), 4: (2, None)}
    assert layout.gone(held, counted, 2) == {1, 2}
    assert layout.gone(held, {}, None) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("read_at", "now", "is_due"),
    [(7_199, 7_200, True), (7_199, 7_199, False), (7_200, 9_000, False), (0, 3_600, False)],
)
def test_an_hour_settles_an_hour_after_it_closed(read_at, now, is_due):
    parts = [Span("x", None, None, 1, 1, {0: Hour(1, 1, read_at)})]
    assert layout.unsettled(parts, now) == ({0} if is_due else set())


def test_absurd_times_are_in_the_first_and_the_last_hour():
    first, last = layout.FIRST_HOUR, layout.LAST_HOUR
    assert layout.times((first, first + 1)) == (None, layout.EPOCH + layout.HOUR * (first + 1))
    assert layout.times((last, last + 1)) == (layout.EPOCH + layout.HOUR * last, None)
    assert layout.times((None, None)) == (None, None)


@given(
    st.sets(st.integers(0, 60)),
    st.dictionaries(st.integers(0, 60), st.integers(0, 9)),
    st.integers(1, 20),
)
def test_runs_are_exactly_these_hours_and_of_few_rows(hours, rows, most):
    found = layout.runs(hours, rows, most)
    assert [hour for run in found for hour in range(*run)] == sorted(hours)
    for start, end in found:
        assert end - start == 1 or sum(rows.get(hour, 0) for hour in range(start, end)) <= most


@given(st.integers(DAY - 50, DAY + 50), st.integers(1, 100))
def test_days_follow_each_other_and_end_at_midnight(start, length):
    found = layout.days(start, start + length)
    assert found[0][0] == start and found[-1][1] == start + length
    for (first, end), (following, _) in zip(found, found[1:], strict=False):
        assert end == following and end % 24 == 0
        assert layout.day_start(first) == layout.day_start(end - 1)


def test_days_without_a_start_are_one_until_the_last():
    assert layout.days(None, DAY + 5) == [(None, DAY), (DAY, DAY + 5)]
    assert layout.days(None, DAY) == [(None, DAY - 24), (DAY - 24, DAY)]


def test_parts_of_a_day_are_joined_once_it_is_whole():
    older, opened = span(None, DAY), span(DAY + 30, None)
    parts = [span(DAY, DAY + 9), span(DAY + 9, DAY + 24)]
    assert layout.to_join([older, *parts, span(DAY + 24, DAY + 30), opened]) == (1, 3)
    assert layout.to_join([older, *parts, opened]) is None, "hours may follow"
    assert layout.to_join([*parts, span(DAY + 24, DAY + 30), opened]) is None, "hours may precede"
    assert layout.to_join([opened]) is None


def test_many_parts_are_joined_before_their_day_is_whole():
    parts = [span(DAY + hour, DAY + hour + 1) for hour in range(layout.MOST_PARTS + 1)]
    assert layout.to_join([*parts, span(parts[-1].end, None)]) == (0, len(parts))
    assert layout.to_join([*parts[1:], span(parts[-1].end, None)]) is None


def test_hours_without_rows_need_no_file():
    parts = [span(1, 2, 0), span(2, 3), span(3, 4, 0), span(4, 5, 0), span(5, None, 0)]
    found = layout.without_empty(parts)
    assert [(one.start, one.end) for one in found] == [(1, 3), (3, None)]
    assert layout.without_empty([]) == ()


def test_the_span_checked_longest_ago_is_checked_next():
    parts = [span(1, 2, 1, 30.0), span(2, 3, 1, 10.0), span(3, None, 1, 50.0)]
    found = layout.oldest_check(parts, 40.0)
    assert found is parts[1]
    assert layout.oldest_check(parts, 10.0) is None


def of_days(*rows: int) -> list[Span]:
    """Spans of a day each with these numbers of rows, the oldest first, and the open one."""
    closed = [Span(f"{n}", 24 * n, 24 * n + 24, one, 0) for n, one in enumerate(rows)]
    return [*closed, Span("open", 24 * len(rows), None, 5, 0)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], None),
        ([10] * 6, None),  # the first may still grow, the last two are not settled
        ([10] * 7, (1, 5)),
        ([10] * 40, (1, 38)),
        ([10, 700_000, 700_000, 700_000, 10, 10], None),
        ([10, 600_000, 600_000, 600_000, 200_000, 9, 10, 10], (1, 5)),
        ([10, 3_000_000, 10, 10, 10, 10, 10, 10], (2, 6)),
        ([10, 10, 3_000_000, 10, 10, 10], None),
    ],
)
def test_small_days_are_joined_once_they_are_settled(rows, expected):
    assert layout.to_join(of_days(*rows)) == expected
