"""What is notable in a session: with its thresholds, and silent below them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_timeline import requests
from tracelib.timeline import timeline
from tracelib.timeline.verdict import Remark, verdict

MINUTE = 60_000


def said(*changes: dict, recovered=()) -> list[tuple[str, list[int]]]:
    remarks = verdict(timeline(requests(*changes)), recovered)
    return [(one.words, [number for number, _ in one.requests]) for one in remarks]


def test_a_session_without_anything_of_note_has_no_verdict():
    steady = [{"at": n * 2_000, "lasted": 1_500, "cost_usd": 0.1} for n in range(20)]
    assert said(*steady) == []
    assert said({"is_failure": True, "cost_usd": 1.0, "lasted": 9 * MINUTE}) == []
    assert verdict(timeline(requests())) == ()


def test_idle_time_is_named_with_the_request_before_its_longest_gap():
    rows = [
        {"lasted": MINUTE},
        {"at": 2 * MINUTE, "lasted": MINUTE},
        {"at": 9 * MINUTE, "lasted": MINUTE},
    ]
    assert said(*rows) == [("70 % of 10 min 0 s idle, the longest gap, 6 min 0 s, after", [2])]
    assert said({"lasted": 10_000}, {"at": 69_000, "lasted": 10_000}) == []
    overlapping = [
        {"lasted": MINUTE},
        {"at": 1_000, "lasted": 1_000},
        {"at": 9 * MINUTE, "lasted": 1},
    ]
    assert said(*overlapping)[-1][1] == [1]


def test_failures_are_retried_or_not_and_the_last_one_is_named_apart():
    rows = [{"at": n, "is_failure": n in (1, 2, 4)} for n in range(5)]
    turns = timeline(requests(*rows)).turns["row"].tolist()
    assert said(*rows, recovered=[turns[2]]) == [
        ("Ends with a failure:", [5]),
        ("1 failure not retried:", [2]),
        ("1 failure retried:", [3]),
    ]
    many = [{"at": n, "is_failure": n < 6} for n in range(8)]
    assert said(*many) == [("6 failures not retried:", [1, 2, 3])]


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([1.0] * 8 + [9.0, 4.0], [("62 % of the cost in 2 requests:", [9, 10])]),
        ([1.0] * 9 + [9.0], [("50 % of the cost in 1 request:", [10])]),
        ([1.0, 9.0, 1.0, 1.0], []),
        ([1.0] * 10, []),
        ([0.0] * 10, []),
        ([-1.0] * 10, []),
    ],
)
def test_cost_in_few_requests_is_named(costs, expected):
    assert said(*({"at": n, "cost_usd": cost} for n, cost in enumerate(costs))) == expected


def test_a_prompt_near_the_limit_and_a_request_that_took_most_of_the_time_are_named():
    rows = [
        {"lasted": 1_000},
        {"at": 2_000, "lasted": 40_000, "prompt_tokens": 90, "max_input_tokens": 100},
    ]
    assert said(*rows) == [
        ("Prompt at 90 % of the limit:", [2]),
        ("98 % of the model time (40.0 s) in", [2]),
    ]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "at": st.integers(0, 10**8),
                "lasted": st.integers(0, 10**7),
                "is_failure": st.booleans(),
                "cost_usd": st.none() | st.floats(-1, 10),
                "prompt_tokens": st.none() | st.integers(0, 10**6),
                "max_input_tokens": st.none() | st.integers(0, 10**6),
            }
        ),
        max_size=30,
    )
)
def test_any_session_has_a_verdict_about_its_own_requests(rows):
    ordered = sorted(rows, key=lambda row: row["at"])
    data = timeline(requests(*ordered))
    known = dict(zip(data.turns["number"], data.turns["row"], strict=True))
    assert len(verdict(data)) <= 4
    for remark in verdict(data):
        assert isinstance(remark, Remark)
        assert "nan" not in remark.words
        assert all(known[number] == row for number, row in remark.requests)
