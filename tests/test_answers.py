"""The seam between pages and questions: shared answers, last good ones, no convoys."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import func, select

from tests.database import Database
from tests.rows import spend_log
from tracelib import errors, overview
from tracelib.access import Access, Scope
from tracelib.asking import memory
from tracelib.asking.answers import Question, answers, are_known, forget_answers
from tracelib.asking.installation import Installation, look_again
from tracelib.asking.memory import BREATHER_S
from tracelib.choice import Choice
from tracelib.database_url import read_address
from tracelib.filters import Filters
from tracelib.ranges import Between
from tracelib.settings import Settings
from tracelib.window import days, recent

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TICK = timedelta(seconds=30)
pytestmark = pytest.mark.usefixtures("fresh_caches")


def installed_on(url: str) -> Installation:
    return Installation(Settings(statement_timeout_s=5), read_address(url), is_sample=False)


def totals_at(now: datetime) -> Question:
    return Question(overview.totals, (Filters(recent("24h", now)),))


def test_the_same_question_of_the_same_tick_is_asked_once(database, monkeypatch):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    asked = []

    def counted(source, filters):
        asked.append(filters)
        time.sleep(0.2)
        return overview.totals(source, filters)

    question = Question(counted, totals_at(NOW).arguments)
    with ThreadPoolExecutor(8) as viewers:
        given = list(viewers.map(lambda _: answers(place, NOW, [question])[0], range(8)))
    assert len(asked) == 1
    assert {answer.value.requests for answer in given} == {1}


def test_what_was_answered_is_known_for_that_tick_and_view_only(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    (first,) = answers(place, NOW, [totals_at(NOW)])
    (again,) = answers(place, NOW, [totals_at(NOW)])
    assert again is first
    assert are_known(place, NOW, [totals_at(NOW)])
    later = NOW + TICK
    assert not are_known(place, later, [totals_at(later)])
    week = Question(overview.totals, (Filters(recent("7d", NOW)),))
    assert not are_known(place, NOW, [totals_at(NOW), week])
    seen_by_less = replace(place, access=Access(Scope(teams=("a",)), "viewer"))
    assert not are_known(seen_by_less, NOW, [totals_at(NOW)])
    forget_answers()
    assert not are_known(place, NOW, [totals_at(NOW)])
    (anew,) = answers(place, NOW, [totals_at(NOW)])
    assert (anew is first, anew.value) == (False, first.value)


def test_answers_come_in_the_order_of_their_questions(database):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    filters = Filters(recent("24h", NOW))
    now, before = answers(
        place, NOW, [Question(overview.totals, (one,)) for one in (filters, filters.previous())]
    )
    assert (now.value.requests, before.value.requests) == (1, 0)


def test_the_last_good_answer_stays_while_the_database_is_away(spare_server):
    log = Database(spare_server)
    log.insert([spend_log(startTime=NOW - timedelta(hours=1))])
    place = installed_on(log.url)
    (good,) = answers(place, NOW, [totals_at(NOW)])
    assert (good.value.requests, good.error, good.is_stale) == (1, None, False)

    spare_server.stop()
    later = NOW + TICK
    (stale,) = answers(place, later, [totals_at(later)])
    assert (stale.value.requests, stale.asked_at, stale.is_stale) == (1, good.asked_at, True)
    assert isinstance(stale.error, errors.DatabaseUnreachable)

    spare_server.start()
    forget_answers()
    look_again()
    later += TICK
    (back,) = answers(place, later, [totals_at(later)])
    assert (back.value.requests, back.error, back.is_stale) == (1, None, False)


def test_an_answer_of_another_view_never_stands_in(spare_server):
    log = Database(spare_server)
    place = installed_on(log.url)
    answers(place, NOW, [totals_at(NOW)])
    spare_server.stop()
    week = Question(overview.totals, (Filters(recent("7d", NOW + TICK)),))
    (answer,) = answers(place, NOW + TICK, [week])
    assert answer.value is None


def test_nobody_waits_twice_for_a_database_that_is_away():
    place = installed_on("postgresql://ada@127.0.0.1:1/litellm")
    started = time.monotonic()
    for tick in range(200):
        (answer,) = answers(place, NOW + tick * TICK, [totals_at(NOW + tick * TICK)])
        assert isinstance(answer.error, errors.DatabaseUnreachable)
    assert time.monotonic() - started < BREATHER_S


def test_an_error_that_will_not_pass_never_hides_behind_an_old_answer(database):
    log = database(rows=[spend_log(startTime=NOW - TICK)])
    place = installed_on(log.url)
    answers(place, NOW, [totals_at(NOW)])
    log.execute('ALTER TABLE "LiteLLM_SpendLogs" RENAME TO "Elsewhere"')
    (answer,) = answers(place, NOW + TICK, [totals_at(NOW + TICK)])
    assert answer.value is None
    assert isinstance(answer.error, errors.TableMissing)


def test_chosen_days_keep_their_last_good_answer_too(spare_server):
    log = Database(spare_server)
    place = installed_on(log.url)
    filters = Filters(days(date(2026, 11, 1), date(2026, 11, 3), "UTC"))
    question = Question(overview.totals, (filters,))
    answers(place, NOW, [question])
    spare_server.stop()
    (answer,) = answers(place, NOW + TICK, [question])
    assert (answer.value.requests, answer.is_stale) == (0, True)


def test_today_keeps_its_last_good_answer_and_what_lies_before_it(spare_server):
    log = Database(spare_server)
    log.insert([spend_log(startTime=NOW - TICK), spend_log(startTime=NOW - timedelta(days=1))])
    place = installed_on(log.url)

    def asked_at(now):
        today = Choice(range=Between.days(NOW.date(), NOW.date()))
        filters = today.filters(now, "UTC")
        both = (filters, filters.previous())
        return answers(place, now, [Question(overview.totals, (one,)) for one in both])

    asked_at(NOW)
    spare_server.stop()
    today, before = asked_at(NOW + TICK)
    assert (today.value.requests, today.is_stale) == (1, True)
    assert before.is_stale


def test_another_database_is_asked_while_one_is_away(database):
    away = installed_on("postgresql://ada@127.0.0.1:1/litellm")
    (none,) = answers(away, NOW, [totals_at(NOW)])
    assert isinstance(none.error, errors.DatabaseUnreachable)
    here = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    (answer,) = answers(here, NOW, [totals_at(NOW)])
    assert (answer.error, answer.value.requests) == (None, 1)


@pytest.mark.parametrize("sign", ["\0", "\ud800"])
def test_a_filter_that_no_row_can_hold_finds_nothing(database, sign):
    place = installed_on(database(rows=[spend_log(startTime=NOW - TICK)]).url)
    chosen = Filters(recent("24h", NOW), model=(f"gpt{sign}",))
    (answer,) = answers(place, NOW, [Question(overview.totals, (chosen,))])
    assert (answer.error, answer.value.requests) == (None, 0)


def test_a_fault_of_our_own_is_a_sentence_and_stands_in_the_log(database, caplog):
    def faulty(source):
        raise ZeroDivisionError

    (answer,) = answers(installed_on(database().url), NOW, [Question(faulty, ())])
    assert isinstance(answer.error, errors.OwnFault)
    assert "ZeroDivisionError" in caplog.text


@contextmanager
def held(question: Question, place: Installation, now: datetime):
    """The question as it was asked, its answer known and not yet told; told at the end."""
    is_worked_out, may_tell = Event(), Event()

    def slow(source, *arguments):
        value = question.ask(source, *arguments)
        is_worked_out.set()
        may_tell.wait(30)
        return value

    with ThreadPoolExecutor(1) as asker:
        slowly = Question(slow, question.arguments)
        told = asker.submit(answers, place, now, [slowly])
        is_worked_out.wait(30)
        yield slowly
        may_tell.set()
        told.result()


def test_what_was_asked_before_all_was_forgotten_is_not_told_after(database):
    log = database(rows=[spend_log(startTime=NOW - TICK)])
    place = installed_on(log.url)
    with held(totals_at(NOW), place, NOW) as question:
        log.insert([spend_log(startTime=NOW - TICK)])
        forget_answers()
    assert not are_known(place, NOW, [question])
    (answer,) = answers(place, NOW, [question])
    assert answer.value.requests == 2


def test_an_answer_that_comes_late_takes_no_newer_ones_place(spare_server):
    log = Database(spare_server)
    log.insert([spend_log(startTime=NOW - TICK)])
    place, later = installed_on(log.url), NOW + TICK
    with held(totals_at(NOW), place, NOW) as question:
        log.insert([spend_log(startTime=NOW + TICK / 2)])
        anew = Question(question.ask, totals_at(later).arguments)
        (newer,) = answers(place, later, [anew])
        assert newer.value.requests == 2
    spare_server.stop()
    after = later + TICK
    (stale,) = answers(place, after, [Question(question.ask, totals_at(after).arguments)])
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
            viewers.submit(answers, place, NOW, [Question(slow, (number,))])
            forget_answers()
            look_again()
            counted += log.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'tracelib' AND datname = current_database()"
            )[0]
            time.sleep(0.05)
    assert 0 < max(counted) <= 2


def test_many_views_push_the_oldest_out_by_their_weight(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 10_000)
    known = memory.Memory()
    for number in range(100):
        good = memory.Answer("x" * 1_000, None, NOW, 0.0)
        memory.keep(known, f"view {number}", NOW, good, known.age)
    assert list(known.kept) == [f"view {number}" for number in range(91, 100)]
    assert known.size == sum(one.size for one in known.kept.values()) < 10_000


def test_an_answer_that_is_rewritten_is_drawn_apart():
    one = memory.Answer("x", None, NOW, 0.0)
    other = memory.rewritten(one, str.upper)
    assert (other.value, other.key == one.key) == ("X", False)
    nothing = memory.Answer(None, errors.NoSuchSession(), NOW, 0.0)
    assert memory.rewritten(nothing, str.upper) is nothing
