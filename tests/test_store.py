"""The store of answers under any order of asking, leaving, answering and Refresh now."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracelib import errors
from tracelib.querying.store import QueryRun, Result, Store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYS = st.sampled_from(["totals", "sessions"])
TICKS = st.integers(0, 3).map(lambda number: NOON + number * timedelta(seconds=30))
CHOICE = st.randoms(use_true_random=False)


def nothing() -> None:
    """What has ended is not cancelled."""


class Querying(RuleBasedStateMachine):
    """Viewers who wait, workers who ask, and what they must be able to rely on."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.waiting: list[QueryRun] = []  # once for each viewer who waits
        self.queue: list[QueryRun] = []
        self.started: list[QueryRun] = []
        self.good: dict[str, Result] = {}
        self.refreshes = 0
        self.started_after: dict[QueryRun, int] = {}  # how many refreshes
        self.ran_after: dict[str, int] = {}  # the same, by the version of a result

    @rule(key=KEYS, tick=TICKS)
    def query(self, key: str, tick: datetime) -> None:
        since = self.store.since([key], tick)
        assert since <= tick
        found, is_new = self.store.result_or_run(key, tick, since)
        if isinstance(found, Result):
            assert not is_new
            assert found.computed_at in (tick, since)
            assert self.ran_after[found.version] == self.refreshes
            return
        self.waiting.append(found)
        if is_new:
            assert found.tick == tick
            self.queue.append(found)
        # What is joined will have been asked after the last Refresh now.
        assert found in self.queue or self.started_after[found] == self.refreshes

    @precondition(lambda self: self.waiting)
    @rule(choice=CHOICE)
    def leave(self, choice) -> None:
        run = self.waiting.pop(choice.randrange(len(self.waiting)))
        self.store.stop_waiting(run)

    @precondition(lambda self: self.queue)
    @rule()
    def begin(self) -> None:
        run = self.queue.pop(0)
        is_wanted = run in self.waiting
        assert self.store.start(run, nothing) == is_wanted
        if is_wanted:
            self.started.append(run)
            self.started_after[run] = self.refreshes

    @precondition(lambda self: self.started)
    @rule(choice=CHOICE, is_good=st.booleans())
    def finish(self, choice, is_good: bool) -> None:
        run = self.started.pop(choice.randrange(len(self.started)))
        error = None if is_good else errors.QuestionTooSlow()
        result = Result("x" if is_good else None, error, run.tick, 0.0)
        self.ran_after[result.version] = self.started_after[run]
        self.store.finish(run, result, 100, is_heavy=False)
        assert run.future.result() is result
        before = self.good.get(run.key)
        if is_good and (before is None or self._is_newer(result, before)):
            self.good[run.key] = result

    @rule()
    def refresh_now(self) -> None:
        self.store.expire()
        self.refreshes += 1

    def _is_newer(self, result: Result, before: Result) -> bool:
        order = (result.computed_at, self.ran_after[result.version])
        return order >= (before.computed_at, self.ran_after[before.version])

    @invariant()
    def nothing_is_asked_twice_at_once(self) -> None:
        of_now = (one for one in self.started if self.started_after[one] == self.refreshes)
        under_way = [*self.queue, *of_now]
        keys = [run.key for run in under_way]
        assert len(keys) == len(set(keys))

    @invariant()
    def the_last_good_answer_is_the_newest(self) -> None:
        for key in ("totals", "sessions"):
            assert self.store.last_good(key) is self.good.get(key)

    @invariant()
    def weights_add_up(self) -> None:
        segment = self.store.figures
        assert segment.size == sum(key.size for key in segment.histories.values())


Querying.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestQuerying = Querying.TestCase


def test_after_refresh_now_only_the_newest_of_the_answers_before_is_kept():
    store = Store()
    for number in range(3):
        _answered(store, NOON + number * timedelta(seconds=30))
    assert store.figures.size == 300
    store.expire()
    assert store.figures.size == 300
    _answered(store, NOON + timedelta(minutes=5))
    assert store.figures.size == 100
    _answered(store, NOON + timedelta(minutes=6))
    assert store.figures.size == 200


def test_a_heavy_result_is_kept_apart_and_not_for_when_the_database_is_down():
    store = Store()
    _answered(store, NOON, is_heavy=True)
    assert (store.figures.size, store.heavy.size) == (0, 100)
    found, is_new = store.result_or_run("totals", NOON, NOON)
    assert (found.value, is_new) == ("x", False)
    assert store.last_good("totals") is None


def test_a_good_result_is_used_as_long_as_its_tick_lasts(monkeypatch):
    monkeypatch.setattr("tracelib.querying.store.RETRY_AFTER_S", 0.0)
    store = Store()
    _answered(store, NOON)
    found, is_new = store.result_or_run("totals", NOON, NOON)
    assert (found.value, is_new) == ("x", False)


def _answered(store: Store, tick: datetime, is_heavy: bool = False) -> None:
    run, is_new = store.result_or_run("totals", tick, tick)
    assert is_new
    assert isinstance(run, QueryRun)
    assert store.start(run, nothing)
    store.finish(run, Result("x", None, tick, 0.0), 100, is_heavy)
    store.stop_waiting(run)
