"""A database that could not be queried is left alone, then tried by one query."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tracelib import errors
from tracelib.database_url import read_address
from tracelib.querying import breaker
from tracelib.querying.breaker import Breaker

HERE, THERE = (read_address(f"postgresql://ada@{host}/litellm") for host in ("here", "there"))
AWAY = errors.DatabaseUnreachable()


@pytest.fixture
def pauses(monkeypatch):
    """Pauses of a tenth of a second and then of two."""
    monkeypatch.setattr(breaker, "PAUSES_S", (0.1, 0.2))


def test_only_the_database_that_failed_is_left_alone():
    broken = Breaker()
    broken.fail(HERE, AWAY)
    assert (broken.error(HERE), broken.error(THERE)) == (AWAY, None)
    broken.recover(HERE)
    assert broken.error(HERE) is None


@pytest.mark.usefixtures("pauses")
def test_one_query_tries_it_again_and_the_others_wait_for_what_it_finds():
    for found, expected in ((Breaker.recover, None), (None, AWAY)):
        broken, waits = Breaker(), Event()
        broken.fail(HERE, AWAY)
        time.sleep(0.12)
        assert broken.error(HERE) is None, "this one tries it"
        with ThreadPoolExecutor(3) as others:
            told = [others.submit(broken.error, HERE) for _ in range(3)]
            assert not waits.wait(0.05)
            assert not any(one.done() for one in told)
            found(broken, HERE) if found else broken.fail(HERE, AWAY)
            assert [one.result(1) for one in told] == [expected] * 3


@pytest.mark.usefixtures("pauses")
def test_a_trial_that_says_nothing_leaves_it_to_the_next_one():
    broken = Breaker()
    broken.fail(HERE, AWAY)
    time.sleep(0.12)
    assert broken.error(HERE) is None
    with ThreadPoolExecutor(1) as other:
        next_one = other.submit(broken.error, HERE)
        assert not next_one.done()
        broken.leave_undecided(HERE)
        assert next_one.result(1) is None, "this one tries it"
    broken.fail(HERE, AWAY)
    assert broken.error(HERE) is AWAY


@pytest.mark.usefixtures("pauses")
def test_pauses_grow_and_are_short_again_after_it_has_responded():
    broken = Breaker()
    for longest in (0.1, 0.2, 0.2):
        broken.fail(HERE, AWAY)
        began = time.monotonic()
        while broken.error(HERE):
            time.sleep(0.005)
        assert longest - 0.01 < time.monotonic() - began < longest + 0.08
    broken.recover(HERE)
    broken.fail(HERE, AWAY)
    time.sleep(0.12)
    assert broken.error(HERE) is None


@pytest.mark.usefixtures("pauses")
def test_queries_that_fail_together_are_one_failure():
    broken = Breaker()
    for _ in range(5):
        broken.fail(HERE, AWAY)
    time.sleep(0.12)
    assert broken.error(HERE) is None


@pytest.mark.usefixtures("pauses")
def test_a_refused_sign_in_is_not_tried_often_enough_to_lock_an_account():
    broken = Breaker()
    broken.fail(HERE, errors.SignInRefused())
    time.sleep(0.25)
    assert isinstance(broken.error(HERE), errors.SignInRefused)
    broken.reset()
    assert broken.error(HERE) is None, "who asks for it may try at once"


def test_who_waits_for_one_that_never_ends_is_told_why(monkeypatch):
    monkeypatch.setattr(breaker, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(breaker, "TRIAL_S", 0.05)
    broken = Breaker()
    broken.fail(HERE, AWAY)
    assert broken.error(HERE) is None
    assert broken.error(HERE) is AWAY
