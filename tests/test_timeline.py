"""When a session's requests ran, what each sent again, and what it had cost by then."""

from datetime import timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import rows
from tests.rows import NOON
from tests.sources import records, source_of
from tracelib import sessions
from tracelib.selection import RowId, session
from tracelib.timeline import activity, drawn, timeline
from tracelib.timeline.phases import PHASES

KINDS = {
    "is_failure": "boolean",
    "is_cache_hit": "boolean",
    "prompt_tokens": "Int64",
    "completion_tokens": "Int64",
    "reasoning_tokens": "Int64",
    "cached_prompt_tokens": "Int64",
    "max_input_tokens": "Int64",
    "ttft_ms": "float64",
    "overhead_ms": "float64",
    "cost_usd": "float64",
    "input_cost_usd": "float64",
    "cached_input_cost_usd": "float64",
    "input_cost_per_token": "float64",
    "request_id": "str",
    "model": "str",
    "error_class": "str",
}
PLAIN = {
    "model": "gpt-4o",
    "is_failure": False,
    "is_cache_hit": False,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "cost_usd": 0.0,
}


def requests(*changes: dict) -> pd.DataFrame:
    """Rows as `sessions.requests_of` gives them; `at` and `lasted` are milliseconds."""
    made = []
    for number, change in enumerate(changes, start=1):
        row = dict.fromkeys(KINDS) | PLAIN | {"request_id": str(number)} | change
        at, lasted = row.pop("at", 0), row.pop("lasted", 0)
        start = NOON + timedelta(milliseconds=at)
        made.append(row | {"started_at": start, "ended_at": start + timedelta(milliseconds=lasted)})
    frame = pd.DataFrame(made, columns=[*KINDS, "started_at", "ended_at"]).astype(KINDS)
    times = dict.fromkeys(("started_at", "ended_at"), "datetime64[us, UTC]")
    return frame.astype(times)


def going_on(frame: pd.DataFrame, parents: dict) -> dict:
    """Which row goes on from which, of the same by their request ids."""
    rows = zip(frame["request_id"], frame["started_at"], strict=True)
    named = {row[0]: RowId(*row).written() for row in rows}
    return {named.get(one, one): named.get(other, other) for one, other in parents.items()}


def columns(frame: pd.DataFrame, *names: str) -> list[tuple]:
    return [tuple(row.values()) for row in records(frame[list(names)])]


def test_a_request_is_divided_as_far_as_is_known():
    streamed = {"lasted": 100, "ttft_ms": 40.0, "overhead_ms": 15.0}
    told = timeline(
        requests(
            streamed,
            {"lasted": 100, "overhead_ms": 15.0},
            {"lasted": 100},
            streamed | {"is_failure": True},
            {"lasted": 3, "overhead_ms": 2.0, "is_cache_hit": True},
            # Clocks and overheads that cannot be: nothing is longer than the request.
            {"lasted": 10, "ttft_ms": 40.0, "overhead_ms": 99.0},
            {"lasted": 10, "overhead_ms": -1.0},
            {"lasted": -5, "overhead_ms": 1.0},
        )
    )
    assert columns(told.turns, *PHASES) == [
        (15, 25, 60, 0),
        (15, 0, 0, 85),
        (0, 0, 0, 100),
        (0, 0, 0, 100),
        (0, 0, 0, 3),
        (10, 0, 0, 0),
        (0, 0, 0, 10),
        (0, 0, 0, 0),
    ]


def test_time_is_spent_running_at_once_or_idle():
    told = timeline(
        requests(
            {"at": 0, "lasted": 100},
            {"at": 400, "lasted": 100},
            {"at": 450, "lasted": 20},
            {"at": 460, "lasted": 90},
            {"at": 550, "lasted": 0},
            {"at": 1000, "lasted": 0},
        )
    )
    assert columns(told.gaps, "start_ms", "end_ms", "length_ms") == [
        (100, 400, 300),
        (550, 1000, 450),
    ]
    figures = (told.wall_ms, told.model_ms, told.idle_ms, told.longest_gap_ms)
    assert figures == (1000, 250, 750, 450)
    assert (told.overlap_ms, told.most_at_once) == (50, 3)


def test_what_is_sent_again_is_what_the_parent_sent_and_was_answered():
    frame = requests(
        {"request_id": "a", "prompt_tokens": 100, "completion_tokens": 20},
        {"request_id": "b", "prompt_tokens": 150, "completion_tokens": 5, "at": 10},
        {"request_id": "c", "prompt_tokens": 90, "at": 20},
        {"request_id": "other", "prompt_tokens": 30, "at": 30},
        {"request_id": "d", "prompt_tokens": 200, "cached_prompt_tokens": 128, "at": 40},
        {"request_id": "e", "prompt_tokens": 50, "cached_prompt_tokens": 64, "at": 50},
    )
    parents = {"a": None, "b": "a", "c": "b", "other": None, "d": "b", "e": "a"}
    told = timeline(frame, going_on(frame, parents))
    split = ("repeated_tokens", "cached_tokens", "resent_tokens", "new_tokens")
    assert columns(told.turns, *split) == [
        (0, 0, 0, 100),
        (120, 0, 120, 30),
        (90, 0, 90, 0),
        (0, 0, 0, 30),
        (155, 128, 27, 45),
        (50, 50, 0, 0),
    ]
    assert (told.prompt_tokens, told.repeated_tokens) == (620, 415)


def test_of_a_history_that_its_client_changed_the_share_sent_before_counts():
    """A window of the last messages is as long as the one before, and yet sends a new question."""
    frame = requests(
        {"request_id": "a", "prompt_tokens": 1000, "completion_tokens": 100},
        {"request_id": "b", "prompt_tokens": 1000, "cached_prompt_tokens": 128, "at": 10},
        {"request_id": "c", "prompt_tokens": 1000, "is_cache_hit": True, "at": 20},
    )
    named = dict(zip("abc", going_on(frame, {"a": None, "b": None, "c": None}), strict=True))
    parents = going_on(frame, {"a": None, "b": "a", "c": "b"})
    told = timeline(frame, parents, {named["b"]: 0.9, named["c"]: 0.9})
    split = ("repeated_tokens", "cached_tokens", "resent_tokens", "new_tokens")
    assert columns(told.turns, *split) == [(0, 0, 0, 1000), (900, 128, 772, 100), (0, 0, 0, 0)]


def test_what_a_model_thought_is_not_sent_again():
    thought = {"prompt_tokens": 100, "completion_tokens": 420, "reasoning_tokens": 400}
    frame = requests(
        {"request_id": "a"} | thought,
        {"request_id": "b", "at": 10} | thought | {"prompt_tokens": 150},
        # More was thought than was answered at all: nothing of it counts, nor anything less.
        {"request_id": "c", "at": 20} | thought | {"prompt_tokens": 200, "reasoning_tokens": 999},
        {"request_id": "d", "at": 30, "prompt_tokens": 230},
    )
    told = timeline(frame, going_on(frame, {"a": None, "b": "a", "c": "b", "d": "c"})).turns
    split = ("repeated_tokens", "new_tokens")
    assert columns(told, *split) == [(0, 100), (120, 30), (170, 30), (200, 30)]


def test_a_parent_without_tokens_hands_on_those_of_its_own():
    frame = requests(
        {"request_id": "a", "prompt_tokens": 100, "completion_tokens": 20},
        {"request_id": "failed", "is_failure": True, "at": 10},
        {"request_id": "again", "is_failure": True, "at": 20},
        {"request_id": "b", "prompt_tokens": 150, "at": 30},
    )
    told = timeline(frame, going_on(frame, {"failed": "a", "again": "failed", "b": "again"}))
    assert list(told.turns["repeated_tokens"]) == [0, 0, 0, 120]


@pytest.mark.parametrize("parents", [{"a": "a"}, {"a": "b"}, {"a": "elsewhere"}, {"a": None}])
def test_a_parent_that_is_not_before_its_child_is_none(parents):
    frame = requests(
        {"request_id": "a", "prompt_tokens": 100, "completion_tokens": 20},
        {"request_id": "b", "prompt_tokens": 10, "at": 10},
    )
    told = timeline(frame, going_on(frame, parents | {"b": None}))
    assert list(told.turns["repeated_tokens"]) == [0, 0]


def test_without_parents_the_nearest_earlier_answer_of_the_model_counts():
    said = {"prompt_tokens": 100, "completion_tokens": 20, "lasted": 10}
    frame = requests(
        said,
        said | {"at": 20, "model": "claude", "completion_tokens": 7},
        said | {"at": 40, "prompt_tokens": 130, "completion_tokens": 0},
        said | {"at": 60, "prompt_tokens": 300},
        said | {"at": 65, "prompt_tokens": 400},
        said | {"at": 90, "model": "claude", "prompt_tokens": 200},
    )
    assert list(timeline(frame).turns["repeated_tokens"]) == [0, 0, 120, 120, 120, 107]
    # A request that the transcript does not know is guessed; the others are not.
    told = timeline(frame, going_on(frame, {"3": None}))
    assert list(told.turns["repeated_tokens"]) == [0, 0, 0, 120, 120, 107]


def test_nothing_is_sent_where_litellms_cache_answers():
    said = {"prompt_tokens": 100, "completion_tokens": 20, "max_input_tokens": 200}
    frame = requests(said, said | {"at": 10, "is_cache_hit": True})
    told = timeline(frame, going_on(frame, {"1": None, "2": "1"})).turns
    names = ("new_tokens", "repeated_tokens", "context_share", "resending_usd")
    assert columns(told, *names) == [(100, 0, 0.5, 0.0), (0, 0, 0.0, 0.0)]


def test_the_share_of_the_limit_is_known_where_the_limit_is():
    told = timeline(
        requests(
            {"prompt_tokens": 79, "max_input_tokens": 100},
            {"prompt_tokens": 80, "max_input_tokens": 100},
            {"prompt_tokens": 130, "max_input_tokens": 100},
            {"prompt_tokens": 80},
            {"prompt_tokens": 80, "max_input_tokens": 0},
        )
    )
    assert columns(told.turns, "context_share") == [(0.79,), (0.8,), (1.3,), (None,), (None,)]
    assert (told.fullest_share, told.near_limit) == (1.3, 2)


def test_sending_again_costs_what_the_repeated_tokens_did():
    first = {"prompt_tokens": 100, "completion_tokens": 0, "cost_usd": 1.0, "input_cost_usd": 1.0}
    next_one = {"prompt_tokens": 200, "cost_usd": 4.0, "at": 10, "input_cost_usd": 3.0}
    cached = {"cached_prompt_tokens": 80}
    frame = requests(
        first,
        next_one,
        next_one | cached | {"cached_input_cost_usd": 0.6},
        next_one | cached | {"input_cost_per_token": 0.02},
        next_one | cached,
        next_one | {"input_cost_usd": None},
        next_one | {"input_cost_usd": None, "cost_usd": 0.0},
    )
    told = timeline(frame, going_on(frame, dict.fromkeys("234567", "1") | {"1": None}))
    assert columns(told.turns, "resending_usd") == [
        (0.0,),
        (1.5,),
        # 80 from the cache for 0.6, and 20 of the 120 others, which cost 2.4
        (pytest.approx(0.6 + 2.4 * 20 / 120),),
        # The others cost 120 × 0.02 = 2.4 by the price list, so the cached ones 0.6
        (pytest.approx(0.6 + 2.4 * 20 / 120),),
        (None,),
        (None,),
        (0.0,),
    ]
    assert told.resending_usd is None
    few = timeline(frame.head(3), going_on(frame.head(3), {"1": None, "2": "1", "3": "1"}))
    assert few.resending_usd == pytest.approx(1.5 + 0.6 + 2.4 * 20 / 120)


@pytest.mark.parametrize("cost", [float("inf"), -0.00028, 1e300])
def test_absurd_costs_add_up_as_they_do_in_the_database(cost):
    told = timeline(requests({"cost_usd": 1e-300}, {"cost_usd": cost}, {"cost_usd": -cost}))
    expected = [1e-300, cost, cost - cost if cost - cost else 1e-300]
    assert list(told.turns["cost_so_far_usd"]) == pytest.approx(expected, nan_ok=True, abs=0)


def test_an_unknown_cost_leaves_the_sum_as_it_was():
    """As in the sums of the database: an amount that is not possible is unknown."""
    told = timeline(requests({"cost_usd": 0.5}, {"cost_usd": None}, {"cost_usd": 0.25}))
    assert list(told.turns["cost_so_far_usd"]) == [0.5, 0.5, 0.75]
    assert told.cost_usd == 0.75


def test_of_no_requests_there_is_nothing_to_tell():
    told = timeline(requests())
    assert told.turns.empty
    assert told.gaps.empty
    assert [getattr(told, name) for name in told.__slots__[2:]] == [
        *(0.0, 0.0, 0.0, 0.0, 0.0),
        *(0, 0.0, 0, 0, 0.0, None, 0),
    ]
    assert activity(told.turns).empty
    assert [len(frame) for frame in drawn(told.turns, skips_idle=True)] == [0, 0]


def test_idle_time_is_cut_and_requests_keep_their_lengths():
    turns = timeline(
        requests(
            {"at": 0, "lasted": 100},
            {"at": 101, "lasted": 99},
            {"at": 50_200, "lasted": 200},
            {"at": 50_250, "lasted": 50},
            {"at": 99_400, "lasted": 600},
        )
    ).turns
    told, cuts = drawn(turns, skips_idle=True)
    # 999 ms of work leave 29.97 of a gap; the gap of 1 ms is shorter than that.
    assert list(told["drawn_ms"]) == pytest.approx([0, 101, 229.97, 279.97, 459.94])
    assert columns(cuts, "length_ms", "kept_ms") == [
        (50_000, pytest.approx(29.97)),
        (49_000, pytest.approx(29.97)),
    ]
    assert list(cuts["drawn_ms"]) == pytest.approx([200, 429.97])
    whole, none = drawn(turns, skips_idle=False)
    assert list(whole["drawn_ms"]) == list(turns["start_ms"])
    assert none.empty


def test_activity_tells_how_busy_each_part_was():
    turns = timeline(
        requests(
            {"at": 0, "lasted": 25},
            {"at": 50, "lasted": 10, "is_failure": True},
            {"at": 90, "lasted": 10},
        )
    ).turns
    assert columns(activity(turns, 4), *activity(turns).columns) == [
        (0, 25, 1.0, 0, 1),
        (25, 50, 0.0, 0, 2),
        (50, 75, 0.4, 1, 2),
        (75, 100, 0.4, 0, 3),
    ]


def test_the_true_agent_session_is_told_whole(real_rows_database):
    source = source_of(real_rows_database)
    agent = next(row for row in rows.real_rows() if row["session_id"] == "sess-agent-0140")
    chosen = session("sess-agent-0140", agent["api_key"])
    told = timeline(sessions.requests_of(source, chosen))
    whole = sessions.summary(source, chosen)
    assert (told.cost_usd, told.wall_ms) == (whole.cost_usd, whole.duration_ms)
    assert (told.model_ms, told.overlap_ms, len(told.gaps)) == (1_496, 0, 24)
    assert columns(told.turns.iloc[[15, 23]], *PHASES) == [(0, 65, 30, 0), (0, 0, 0, 31)]
    assert told.fullest_share == 1528 / 128_000


MILLISECONDS = st.integers(0, 5_000)
MADE = st.fixed_dictionaries(
    {
        "at": MILLISECONDS,
        "lasted": st.integers(-10, 2_000),
        "ttft_ms": st.none() | st.floats(-1, 3_000),
        "overhead_ms": st.none() | st.floats(-1, 3_000),
        "is_failure": st.booleans(),
        "is_cache_hit": st.booleans(),
        "model": st.sampled_from(["a", "b"]),
        "prompt_tokens": st.integers(0, 1_000),
        "completion_tokens": st.integers(0, 1_000),
        "reasoning_tokens": st.none() | st.integers(-1, 1_500),
        "cached_prompt_tokens": st.none() | st.integers(0, 1_500),
        "cost_usd": st.decimals(-1, 10, places=9).map(float),
        "input_cost_usd": st.none() | st.floats(0, 10),
        "cached_input_cost_usd": st.none() | st.floats(0, 10),
    }
)


@settings(max_examples=30, deadline=None)
@given(st.lists(MADE, min_size=1, max_size=12), st.booleans(), st.randoms(use_true_random=False))
def test_everything_adds_up(made, knows_parents, random):
    frame = requests(*sorted(made, key=lambda one: one["at"]))
    ids = [*frame["request_id"], None]
    parents = {one: random.choice(ids) for one in frame["request_id"]} if knows_parents else None
    told = timeline(frame, going_on(frame, parents) if parents else None)
    turns = told.turns
    assert told.model_ms + told.idle_ms == told.wall_ms
    assert told.overlap_ms <= told.model_ms
    assert (turns[list(PHASES)] >= 0).all(axis=None)
    lengths = turns["end_ms"] - turns["start_ms"]
    assert list(turns[list(PHASES)].sum(axis=1)) == pytest.approx(list(lengths))
    sent = turns["prompt_tokens"].where(~turns["is_cache_hit"], 0)
    parts = turns[["cached_tokens", "resent_tokens", "new_tokens"]]
    assert list(parts.sum(axis=1)) == list(sent)
    assert (parts >= 0).all(axis=None)
    exact = sum(Decimal(repr(one["cost_usd"])) for one in made)
    assert told.cost_usd == float(exact)
    placed, cuts = drawn(turns, skips_idle=True)
    assert placed["drawn_ms"].is_monotonic_increasing
    skipped = (cuts["length_ms"] - cuts["kept_ms"]).sum()
    ends = placed["drawn_ms"] + lengths
    assert ends.max() + skipped == pytest.approx(told.wall_ms)
    busy = activity(turns)
    lasted = (busy["busy_share"] * (busy["end_ms"] - busy["start_ms"])).sum()
    assert lasted == pytest.approx(told.model_ms)
    assert busy["failures"].sum() == frame["is_failure"].sum()
