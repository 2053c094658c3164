"""The seam between pages and questions: shared answers, last good ones, no convoys."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from sqlalchemy import func, select

from tests.database import Database
from tests.rows import spend_log
from tracelib import errors, overview
from tracelib.choice import Choice
from tracelib.database_url import read_address
from tracelib.filters import Filters
from tracelib.permissions.access import Access, Scope
from tracelib.querying import installation, runner, store
from tracelib.querying.installation import Installation, reread_schema
from tracelib.querying.query import Query, result_key
from tracelib.querying.runner import expire_results, release, run_together
from tracelib.querying.store import RETRY_AFTER_S, QueryRun
from tracelib.ranges import Between, Last
from tracelib.schema import NAME_TABLES
from tracelib.settings import Settings
from tracelib.window import days, recent

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TICK = timedelta(seconds=30)
pytestmark = pytest.mark.usefixtures("fresh_caches")


def installed_on(url: str) -> Installation:
    return Installation(Settings(statement_timeout_s=5), read_address(url), is_sample=False)


def totals_at(now: datetime) -> Query:
    return Query(overview.totals, (Choice(Last(24)).filters(now, "UTC"),))


class Counted:
    """The totals, counted each time the database is asked; `hold()` keeps an answer back."""

    def __init__(self) -> None:
        self.asked: list[Filters] = []
        self.is_held, self.is_worked_out, self.may_tell = False, Event(), Event()
        self.__name__ = self.__qualname__ = "counted"

    def __call__(self, source, filters):
        self.asked.append(filters)
        value = overview.totals(source, filters)
        if self.is_held:
            self.is_held = False
            self.is_worked_out.set()
            assert self.may_tell.wait(30)
        return value

    def at(self, now: datetime) -> Query:
        return Query(self, totals_at(now).arguments)

    @contextmanager
    def held(self, place: Installation, now: datetime):
        """One who waits for an answer that is known and not yet told; told at the end."""
        self.is_held = True
        with ThreadPoolExecutor(1) as asker:
            told = asker.submit(run_together, place, now, [self.at(now)])
            assert self.is_worked_out.wait(30)
            try:
                yield told
            finally:
                self.may_tell.set()
                told.result()


def test_the_same_question_of_the_same_tick_is_asked_once(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    counted = Counted()
    with counted.held(place, NOW), ThreadPoolExecutor(8) as viewers:
        given = [viewers.submit(run_together, place, NOW, [counted.at(NOW)]) for _ in range(8)]
        counted.may_tell.set()
    assert {one.result()[0].value.requests for one in given} == {1}
    assert len(counted.asked) == 1


def test_what_was_answered_is_known_for_that_tick_and_view_only(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    counted = Counted()

    def asks(place: Installation, now: datetime, span: str = "24h") -> int:
        """How often the database is asked for this."""
        before = len(counted.asked)
        run_together(place, now, [Query(counted, (Filters(recent(span, now)),))])
        return len(counted.asked) - before

    assert [asks(place, NOW), asks(place, NOW)] == [1, 0]
    assert [asks(place, NOW, "7d"), asks(place, NOW + TICK), asks(place, NOW)] == [1, 1, 0]
    seen_by_less = replace(place, access=Access(Scope(teams=("a",)), "viewer"))
    assert asks(seen_by_less, NOW) == 1
    expire_results()
    assert [asks(place, NOW), asks(place, NOW)] == [1, 0]


def test_all_who_ask_share_one_answer(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    (first,) = run_together(place, NOW, [totals_at(NOW)])
    (again,) = run_together(place, NOW, [totals_at(NOW)])
    assert again is first


def test_what_is_under_way_at_a_later_tick_is_waited_for(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    counted, later = Counted(), NOW + TICK
    with counted.held(place, NOW) as first, ThreadPoolExecutor(1) as viewer:
        second = viewer.submit(run_together, place, later, [counted.at(later)])
        with pytest.raises(TimeoutError):
            second.result(0.5)
        counted.may_tell.set()
    assert second.result()[0] is first.result()[0]
    assert [one.window.end for one in counted.asked] == [NOW]
    run_together(place, later, [counted.at(later)])
    assert [one.window.end for one in counted.asked] == [NOW, later]


def test_what_is_asked_together_is_of_the_tick_that_is_under_way(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    slow, quick, later = Counted(), Counted(), NOW + TICK
    quick.__qualname__ = "quick"
    (known,) = run_together(place, NOW, [quick.at(NOW)])
    with slow.held(place, NOW), ThreadPoolExecutor(1) as viewer:
        both = viewer.submit(run_together, place, later, [quick.at(later), slow.at(later)])
        apart = viewer.submit(run_together, place, later, [quick.at(later)])
        slow.may_tell.set()
    assert both.result()[0] is known
    assert apart.result()[0] is not known
    assert [one.window.end for one in quick.asked] == [NOW, later]


class LeftError(Exception):
    """The viewer has gone, or has chosen something else."""


def leave(awaited):
    raise LeftError


def test_a_question_that_nobody_waits_for_any_more_is_not_asked(database):
    one_connection = Settings(pool_size=1)
    place = Installation(one_connection, read_address(database().url), is_sample=False)
    slow, waiting, wanted = Counted(), Counted(), Counted()
    waiting.__qualname__, wanted.__qualname__ = "waiting", "wanted"
    with slow.held(place, NOW):
        with pytest.raises(LeftError):
            run_together(place, NOW, [waiting.at(NOW)], while_waiting=leave)
        with ThreadPoolExecutor(1) as viewer:
            told = viewer.submit(run_together, place, NOW, [wanted.at(NOW)])
            slow.may_tell.set()
            assert told.result()[0].value.requests == 0
    assert (len(slow.asked), len(waiting.asked), len(wanted.asked)) == (1, 0, 1)
    run_together(place, NOW, [waiting.at(NOW)])
    assert len(waiting.asked) == 1


def test_who_leaves_a_question_that_is_asked_already_leaves_its_answer_to_others(database):
    place = installed_on(database().url)
    counted = Counted()
    with counted.held(place, NOW), pytest.raises(LeftError):
        run_together(place, NOW, [counted.at(NOW)], while_waiting=leave)
    (result,) = run_together(place, NOW, [counted.at(NOW)])
    assert (result.value.requests, len(counted.asked)) == (0, 1)


def test_who_waits_is_told_what_for(database):
    place = installed_on(database().url)
    slow, quick, told = Counted(), Counted(), []
    quick.__qualname__ = "quick"
    run_together(place, NOW, [quick.at(NOW)])

    def note(awaited):
        told.append([one.function for one in awaited])
        slow.may_tell.set()

    with slow.held(place, NOW):
        run_together(place, NOW, [quick.at(NOW), slow.at(NOW)], while_waiting=note)
    assert told[0] == [slow]


def test_a_known_answer_stands_in_at_once_for_one_that_takes_long(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    counted, later = Counted(), NOW + TICK
    (good,) = run_together(place, NOW, [counted.at(NOW)])
    with counted.held(place, later):
        (stale,) = run_together(place, later, [counted.at(later)], 600, known_s=0.0)
    assert (stale.value, stale.computed_at, stale.is_stale) == (good.value, good.computed_at, True)
    assert stale.is_late
    (fresh,) = run_together(place, later, [counted.at(later)])
    assert (fresh.error, fresh.is_stale, len(counted.asked)) == (None, False, 2)


def test_without_one_it_is_waited_for_longer_and_then_said_so(database):
    place = installed_on(database().url)
    counted, waited = Counted(), []
    with counted.held(place, NOW):
        (none,) = run_together(place, NOW, [counted.at(NOW)], 0.6, waited.append, known_s=0.0)
    assert (none.value, type(none.error)) == (None, errors.StillRunning)
    assert waited


def test_answers_come_in_the_order_of_their_questions(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    filters = Filters(recent("24h", NOW))
    now, before = run_together(
        place, NOW, [Query(overview.totals, (one,)) for one in (filters, filters.previous())]
    )
    assert (now.value.requests, before.value.requests) == (1, 0)


def test_the_last_good_answer_stays_while_the_database_is_away(spare_server):
    log = Database(spare_server)
    log.insert([spend_log(startTime=NOW - timedelta(hours=1))])
    place = installed_on(log.url)
    (good,) = run_together(place, NOW, [totals_at(NOW)])
    assert (good.value.requests, good.error, good.is_stale) == (1, None, False)

    spare_server.stop()
    later = NOW + TICK
    (stale,) = run_together(place, later, [totals_at(later)])
    assert (stale.value.requests, stale.computed_at, stale.is_stale) == (1, good.computed_at, True)
    assert isinstance(stale.error, errors.DatabaseUnreachable)

    spare_server.start()
    expire_results()
    reread_schema()
    later += TICK
    (back,) = run_together(place, later, [totals_at(later)])
    assert (back.value.requests, back.error, back.is_stale) == (1, None, False)


def test_an_answer_of_another_view_never_stands_in(spare_server):
    log = Database(spare_server)
    place = installed_on(log.url)
    run_together(place, NOW, [totals_at(NOW)])
    spare_server.stop()
    week = Query(overview.totals, (Choice(Last(24 * 7)).filters(NOW + TICK, "UTC"),))
    (result,) = run_together(place, NOW + TICK, [week])
    assert result.value is None


@pytest.fixture
def hangs_up():
    """A port that hangs up on everybody, and how often somebody came."""
    came = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            with suppress(OSError):  # closed at the end
                while True:
                    listener.accept()[0].close()
                    came.append(True)

        Thread(target=hang_up, daemon=True).start()
        yield listener.getsockname()[1], came


@pytest.mark.parametrize(("pause_s", "attempts"), [(10.0, 1), (0.0, 20)])
def test_nobody_waits_twice_for_a_database_that_is_away(hangs_up, monkeypatch, pause_s, attempts):
    port, came = hangs_up
    monkeypatch.setattr("tracelib.querying.breaker.PAUSES_S", (pause_s, pause_s))
    parameters = "sslmode=disable&gssencmode=disable"
    place = installed_on(f"postgresql://ada@127.0.0.1:{port}/litellm?{parameters}")
    for tick in range(20):
        (result,) = run_together(place, NOW + tick * TICK, [totals_at(NOW + tick * TICK)])
        assert isinstance(result.error, errors.DatabaseUnreachable)
    assert len(came) == attempts


@pytest.mark.parametrize(("retry_after_s", "asks"), [(RETRY_AFTER_S, 1), (0.0, 3)])
def test_an_error_is_shared_for_some_seconds(database, monkeypatch, retry_after_s, asks):
    monkeypatch.setattr(store, "RETRY_AFTER_S", retry_after_s)
    place, asked = installed_on(database().url), []

    def slow(source):
        asked.append(True)
        raise errors.QuestionTooSlow

    for _ in range(3):
        (result,) = run_together(place, NOW, [Query(slow, ())])
        assert isinstance(result.error, errors.QuestionTooSlow)
    assert len(asked) == asks


def test_an_answer_of_before_stays_and_says_what_is_wrong_now(database):
    log = database(rows=[spend_log(startTime=NOW - TICK)])
    place = installed_on(log.url)
    run_together(place, NOW, [totals_at(NOW)])
    log.execute('ALTER TABLE "LiteLLM_SpendLogs" RENAME TO "Elsewhere"')
    (result,) = run_together(place, NOW + TICK, [totals_at(NOW + TICK)])
    assert (result.value.requests, result.is_stale) == (1, True)
    assert isinstance(result.error, errors.TableMissing)


def test_what_a_viewer_may_not_see_hides_behind_no_answer_of_before(database):
    place, is_refused = installed_on(database().url), []

    def asked(source, filters):
        if is_refused:
            raise errors.NotForThisRole
        return overview.totals(source, filters)

    first, second = (Query(asked, totals_at(now).arguments) for now in (NOW, NOW + TICK))
    run_together(place, NOW, [first])
    is_refused.append(True)
    (result,) = run_together(place, NOW + TICK, [second])
    assert (result.value, type(result.error)) == (None, errors.NotForThisRole)


@pytest.mark.parametrize("times", [1, 2])
def test_a_query_that_was_interrupted_is_run_again_once(database, times):
    place, asked = installed_on(database().url), []

    def interrupted(source):
        asked.append(True)
        if len(asked) <= times:
            source.rows(sa.select(sa.func.pg_cancel_backend(sa.func.pg_backend_pid())))
        return "done"

    (result,) = run_together(place, NOW, [Query(interrupted, ())])
    assert len(asked) == 2
    assert (result.value, type(result.error)) == {
        1: ("done", type(None)),
        2: (None, errors.QuestionInterrupted),
    }[times]


def test_an_upgrade_of_litellm_and_other_rights_are_noticed_at_once(database, role):
    """A column that is gone, a table of names that the role may read no more."""
    log = database(rows=[spend_log(startTime=NOW - TICK)])
    tables = ("LiteLLM_SpendLogs", *NAME_TABLES)
    place = installed_on(role(log, "reader", [f'SELECT ON "{one}"' for one in tables]))
    owners = [
        Query(overview.cost_by_owner, (Choice(Last(24)).filters(now, "UTC"),))
        for now in (NOW, NOW + TICK)
    ]
    (before,) = run_together(place, NOW, owners[:1])
    log.execute('REVOKE SELECT ON "LiteLLM_TeamTable" FROM reader')
    (without_names,) = run_together(place, NOW + TICK, owners[1:2])
    installation._REREAD_AT.clear()
    log.execute('ALTER TABLE "LiteLLM_SpendLogs" DROP COLUMN agent_id CASCADE')
    others = [
        Query(one, (Choice(Last(24)).filters(NOW + 2 * TICK, "UTC"),))
        for one in (overview.cost_by_tag, overview.totals, overview.cost_by_owner)
    ]
    upgraded = run_together(place, NOW + 2 * TICK, others)
    assert [one.error for one in (before, without_names, *upgraded)] == [None] * 5


def sleeping(seconds: float) -> Query:
    def sleep(source, seconds):
        return source.row(sa.select(sa.func.pg_sleep(seconds)).add_columns(sa.literal(1)))[1]

    return Query(sleep, (seconds,))


def active(log: Database) -> int:
    ((count,),) = log.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' "
        f"AND datname = '{log.name}' AND pid <> pg_backend_pid()"
    )
    return count


def test_a_query_that_nobody_waits_for_any_more_is_cancelled(database):
    log = database()
    place = installed_on(log.url)
    query = sleeping(4)
    (gone,) = run_together(place, NOW, [query], 0.5)
    assert (gone.is_late, active(log)) == (True, 1)
    time.sleep(1)
    assert active(log) == 0
    again, _ = runner.STORE.result_or_run(result_key(query, NOW, place), NOW, NOW)
    assert isinstance(again, QueryRun), "what was cancelled is no result"


def test_a_trial_that_was_cancelled_is_no_sign_of_life(database, monkeypatch):
    """The one who waited for it has left; the database may still hang."""
    monkeypatch.setattr("tracelib.querying.breaker.PAUSES_S", (0.0, 0.0))
    place = installed_on(database().url)
    runner.BREAKER.fail(place.address, errors.DatabaseHangs())
    run_together(place, NOW, [sleeping(4)], 0.5)
    time.sleep(1)
    assert runner.BREAKER._outages[place.address].trial is None


def test_a_query_that_another_one_waits_for_is_not_cancelled(database):
    place, query = installed_on(database().url), sleeping(2)
    with ThreadPoolExecutor(1) as other:
        waits = other.submit(run_together, place, NOW, [query])
        time.sleep(0.3)
        (gone,) = run_together(place, NOW, [query], 0.2)
        assert gone.is_late
        assert [one.value for one in waits.result()] == [1]


def test_a_query_is_held_until_it_is_waited_for_again(database):
    """A page waits for a moment, is drawn, and waits again for the same result."""
    log = database()
    place, query, held = installed_on(log.url), sleeping(2.5), []
    run_together(place, NOW, [query], 0.3, held=held)
    time.sleep(1.5)
    assert (len(held), active(log)) == (1, 1)
    (result,) = run_together(place, NOW, [query])
    assert (result.value, result.error) == (1, None)
    release(held)
    assert held == []


def test_the_schema_is_not_read_again_for_each_query_that_fails(database):
    place = installed_on(database().url)
    installation._REREAD_AT.clear()
    began = time.monotonic()
    assert installation.reread_schema_of(place, began)
    assert installation.reread_schema_of(place, began), "another one has read it meanwhile"
    assert not installation.reread_schema_of(place, time.monotonic())


def test_chosen_days_keep_their_last_good_answer_too(spare_server):
    log = Database(spare_server)
    place = installed_on(log.url)
    filters = Filters(days(date(2026, 11, 1), date(2026, 11, 3), "UTC"))
    query = Query(overview.totals, (filters,))
    run_together(place, NOW, [query])
    spare_server.stop()
    (result,) = run_together(place, NOW + TICK, [query])
    assert (result.value.requests, result.is_stale) == (0, True)


def test_today_keeps_its_last_good_answer_and_what_lies_before_it(spare_server):
    log = Database(spare_server)
    log.insert([spend_log(startTime=NOW - TICK), spend_log(startTime=NOW - timedelta(days=1))])
    place = installed_on(log.url)

    def asked_at(now):
        today = Choice(range=Between.days(NOW.date(), NOW.date()))
        filters = today.filters(now, "UTC")
        both = (filters, filters.previous())
        return run_together(place, now, [Query(overview.totals, (one,)) for one in both])

    asked_at(NOW)
    spare_server.stop()
    today, before = asked_at(NOW + TICK)
    assert (today.value.requests, today.is_stale) == (1, True)
    assert before.is_stale


def test_another_database_is_asked_while_one_is_away(database):
    away = installed_on("postgresql://ada@127.0.0.1:1/litellm")
    (none,) = run_together(away, NOW, [totals_at(NOW)])
    assert isinstance(none.error, errors.DatabaseUnreachable)
    here = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    (result,) = run_together(here, NOW, [totals_at(NOW)])
    assert (result.error, result.value.requests) == (None, 1)


@pytest.mark.parametrize("sign", ["\0", "\ud800"])
@pytest.mark.parametrize(("dimension", "value"), [("model", "gpt"), ("key", "cli-session-")])
def test_a_filter_that_no_row_can_hold_finds_nothing(database, sign, dimension, value):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    chosen = Filters(recent("24h", NOW), **{dimension: (f"{value}{sign}",)})
    (result,) = run_together(place, NOW, [Query(overview.totals, (chosen,))])
    assert (result.error, result.value.requests) == (None, 0)


def test_a_fault_of_our_own_is_a_sentence_and_stands_in_the_log(database, caplog):
    def faulty(source):
        raise ZeroDivisionError

    (result,) = run_together(installed_on(database().url), NOW, [Query(faulty, ())])
    assert isinstance(result.error, errors.OwnFault)
    assert "ZeroDivisionError" in caplog.text


def test_what_was_asked_before_all_was_forgotten_is_not_told_after(database):
    log = database(rows=[spend_log(startTime=NOW - TICK)])
    place, counted = installed_on(log.url), Counted()
    with counted.held(place, NOW):
        log.insert([spend_log(startTime=NOW - TICK)])
        expire_results()
    (result,) = run_together(place, NOW, [counted.at(NOW)])
    assert (result.value.requests, len(counted.asked)) == (2, 2)


@pytest.mark.parametrize("later", [NOW, NOW + TICK])
def test_an_answer_that_comes_late_takes_no_newer_ones_place(spare_server, later):
    log = Database(spare_server)
    log.insert([spend_log(startTime=NOW - TICK)])
    place, counted = installed_on(log.url), Counted()
    with counted.held(place, NOW):
        log.insert([spend_log(startTime=NOW - TICK)])
        expire_results()
        (newer,) = run_together(place, later, [counted.at(later)])
        assert newer.value.requests == 2
    assert run_together(place, later, [counted.at(later)])[0] is newer
    spare_server.stop()
    after = later + TICK
    (stale,) = run_together(place, after, [counted.at(after)])
    assert (stale.value.requests, stale.is_stale) == (2, True)


def test_to_look_again_opens_no_further_connection(database):
    log = database(rows=[spend_log(startTime=NOW - TICK)])
    place = Installation(Settings(pool_size=2), read_address(log.url), is_sample=False)

    def slow(source, number):
        source.rows(select(func.pg_sleep(1)))
        return number

    counted = []
    with ThreadPoolExecutor(12) as viewers:
        for number in range(12):
            viewers.submit(run_together, place, NOW, [Query(slow, (number,))])
            expire_results()
            reread_schema()
            counted += log.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'tracelib' AND datname = current_database()"
            )[0]
            time.sleep(0.05)
    assert 0 < max(counted) <= 2


def kept(tick: datetime, error: errors.TraceError | None = None, size: int = 1_000, age: int = 0):
    return store.StoredResult(store.Result("x", error, tick, 0.0), tick, size, age)


def test_many_views_push_the_one_told_longest_ago_out_by_their_weight():
    segment = store.Segment(most_bytes=9_000)
    for number in range(100):
        segment.add(f"view {number}", kept(NOW))
        segment.last_good("view 5")
    assert list(segment.histories) == [*(f"view {number}" for number in range(92, 100)), "view 5"]
    assert segment.size == sum(view.size for view in segment.histories.values()) == 9_000


def test_of_a_view_the_latest_ticks_are_kept_and_the_last_good_one():
    segment = store.Segment(most_bytes=1_000_000)
    segment.add("view", kept(NOW))
    for number in range(1, 10):
        segment.add("view", kept(NOW + number * TICK, errors.QuestionTooSlow()))
    ticks = [NOW + number * TICK for number in range(10)]
    known = [tick for tick in ticks if segment.current("view", [tick], 0)]
    assert known == ticks[6:]
    assert segment.last_good("view").computed_at == NOW
    assert segment.size == 5_000


def test_an_answer_that_is_rewritten_is_drawn_apart():
    one = store.Result("x", None, NOW, 0.0)
    other, another = (store.rewritten(one, str.upper) for _ in range(2))
    assert (other.value, another.value) == ("X", "X")
    assert len({one.version, other.version, another.version}) == 3
    nothing = store.Result(None, errors.NoSuchSession(), NOW, 0.0)
    assert store.rewritten(nothing, str.upper) is nothing
