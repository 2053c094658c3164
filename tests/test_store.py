"""The store of answers under any order of asking, leaving, answering and Refresh now."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracelib import errors
from tracelib.querying.store import Answer, Flight, Store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
VIEWS = st.sampled_from(["totals", "sessions"])
TICKS = st.integers(0, 3).map(lambda number: NOON + number * timedelta(seconds=30))
CHOICE = st.randoms(use_true_random=False)


class Asking(RuleBasedStateMachine):
    """Viewers who wait, workers who ask, and what they must be able to rely on."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.waiting: list[Flight] = []  # once for each viewer who waits
        self.queue: list[Flight] = []
        self.begun: list[Flight] = []
        self.good: dict[str, Answer] = {}
        self.refreshes = 0
        self.began_after: dict[Flight, int] = {}  # how many refreshes
        self.answered_after: dict[str, int] = {}  # the same, by the key of an answer

    @rule(view=VIEWS, tick=TICKS)
    def ask(self, view: str, tick: datetime) -> None:
        since = self.store.since([view], tick)
        assert since <= tick
        found, is_new = self.store.find(view, tick, since)
        if isinstance(found, Answer):
            assert not is_new
            assert found.asked_at in (tick, since)
            assert self.answered_after[found.key] == self.refreshes
            return
        self.waiting.append(found)
        if is_new:
            assert found.now == tick
            self.queue.append(found)
        # What is joined will have been asked after the last Refresh now.
        assert found in self.queue or self.began_after[found] == self.refreshes

    @precondition(lambda self: self.waiting)
    @rule(choice=CHOICE)
    def leave(self, choice) -> None:
        flight = self.waiting.pop(choice.randrange(len(self.waiting)))
        self.store.leave(flight)

    @precondition(lambda self: self.queue)
    @rule()
    def begin(self) -> None:
        flight = self.queue.pop(0)
        is_wanted = flight in self.waiting
        assert self.store.begin(flight) == is_wanted
        if is_wanted:
            self.begun.append(flight)
            self.began_after[flight] = self.refreshes

    @precondition(lambda self: self.begun)
    @rule(choice=CHOICE, is_good=st.booleans())
    def land(self, choice, is_good: bool) -> None:
        flight = self.begun.pop(choice.randrange(len(self.begun)))
        error = None if is_good else errors.QuestionTooSlow()
        answer = Answer("x" if is_good else None, error, flight.now, 0.0)
        self.answered_after[answer.key] = self.began_after[flight]
        self.store.land(flight, answer, 100, is_heavy=False)
        assert flight.answer.result() is answer
        before = self.good.get(flight.view)
        if is_good and (before is None or self._is_newer(answer, before)):
            self.good[flight.view] = answer

    @rule()
    def refresh_now(self) -> None:
        self.store.expire()
        self.refreshes += 1

    def _is_newer(self, answer: Answer, before: Answer) -> bool:
        order = (answer.asked_at, self.answered_after[answer.key])
        return order >= (before.asked_at, self.answered_after[before.key])

    @invariant()
    def nothing_is_asked_twice_at_once(self) -> None:
        of_now = (one for one in self.begun if self.began_after[one] == self.refreshes)
        under_way = [*self.queue, *of_now]
        views = [flight.view for flight in under_way]
        assert len(views) == len(set(views))

    @invariant()
    def the_last_good_answer_is_the_newest(self) -> None:
        for view in ("totals", "sessions"):
            assert self.store.last_good(view) is self.good.get(view)

    @invariant()
    def weights_add_up(self) -> None:
        shelf = self.store.figures
        assert shelf.size == sum(view.size for view in shelf.views.values())


Asking.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAsking = Asking.TestCase


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
    found, is_new = store.find("totals", NOON, NOON)
    assert (found.value, is_new) == ("x", False)
    assert store.last_good("totals") is None


def test_a_good_result_is_used_as_long_as_its_tick_lasts(monkeypatch):
    monkeypatch.setattr("tracelib.querying.store.BREATHER_S", 0.0)
    store = Store()
    _answered(store, NOON)
    found, is_new = store.find("totals", NOON, NOON)
    assert (found.value, is_new) == ("x", False)


def _answered(store: Store, tick: datetime, is_heavy: bool = False) -> None:
    flight, is_new = store.find("totals", tick, tick)
    assert is_new
    assert isinstance(flight, Flight)
    assert store.begin(flight)
    store.land(flight, Answer("x", None, tick, 0.0), 100, is_heavy)
    store.leave(flight)
