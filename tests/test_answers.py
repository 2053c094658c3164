"""The seam between pages and questions: shared answers, last good ones, no convoys."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.database import Database
from tests.rows import spend_log
from tracelib import errors, overview
from tracelib.access import Access, Scope
from tracelib.asking.answers import BREATHER_S, Question, answers, are_known, forget_answers
from tracelib.asking.installation import Installation, forget_connection
from tracelib.database_url import read_address
from tracelib.filters import Filters
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
    forget_connection()
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
