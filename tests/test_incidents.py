"""Incidents are found when they are planted, and only then: who, since when, and is it over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.incidents_backtest import score
from tests.calling import calls_of, token
from tests.database import Database
from tests.page_words import words as words_of
from tests.planted_incidents import (
    CLAUDE,
    DAY,
    EVERY,
    GPT,
    HAIKU,
    HOUR,
    MINI,
    fallen_back,
    of,
    outage,
    quiet,
    request,
    traffic,
)
from tests.planted_keys import insert
from tests.replicas import in_files
from tests.rows import NOON, failure, key_of, metadata, name_key, name_team, spend_log
from tests.sources import source_of
from tracelib.demo.gateway import scene
from tracelib.demo.story import SEED, requests
from tracelib.filters import Filters
from tracelib.incidents import (
    ALL,
    Entity,
    Incidents,
    Recent,
    Signature,
    burns,
    compared_health,
    health_checks,
    incidents,
    words,
    worth_comparing,
)
from tracelib.incidents.detecting import (
    EVIDENCE,
    evidence,
    raised_share,
    sharpened,
    spans,
    usual_share,
)
from tracelib.permissions.access import Access, Scope
from tracelib.window import TimeWindow

DAYS = Filters(TimeWindow(NOON - 2 * DAY, NOON))
OUTAGE = NOON - 4 * HOUR
ENDED = NOON - 2 * HOUR
PROVIDER = Entity("provider", "anthropic")
DEPLOYMENT = Entity("deployment", "anthropic", "anthropic/claude")
MINUTES = timedelta(minutes=20)
RANGE = {"range": "custom", "from": "2026-11-21T12:00", "to": "2026-11-23T12:00", "zone": "UTC"}


def found(database: Database, filters: Filters = DAYS, now=NOON) -> Incidents:
    source = source_of(database)
    try:
        return incidents(source, filters, now)
    finally:
        source.engine.dispose()


# ---------------------------------------------------------------- planted in a log


def test_an_outage_of_a_deployment_is_found_with_all_that_is_known_of_it(database):
    log = database(rows=traffic(outage(CLAUDE, start=OUTAGE, end=ENDED)))
    name_team(log.engine, "team-1", "Payments")
    name_key(log.engine, key_of("2"), "the batch key")
    (one,) = (every := found(log)).incidents
    assert (one.entity, one.parts, one.is_ongoing) == (DEPLOYMENT, (), False)
    assert timedelta(0) <= one.since - OUTAGE < MINUTES
    assert timedelta(0) < ENDED - one.last_at < MINUTES
    assert 0.4 < one.rate < 0.8
    assert 0.005 < one.usual < 0.02
    assert one.usual_of == DEPLOYMENT
    assert (one.team_count, one.user_count, one.key_count) == (3, 5, 4)
    assert one.hidden == 0
    assert one.session_count == one.failures == sum(hit.failures for hit in one.teams)
    assert {hit.name for hit in one.teams} == {"Payments", "team-0", "team-2"}
    assert "the batch key" in {hit.name for hit in one.keys}
    (error,) = one.signatures
    assert error == Signature(
        "InternalServerError",
        "529",
        "Overloaded, request # of # tokens",
        one.failures,
        one.since,
        one.last_at,
        is_new=False,
    )
    assert len(one.examples) == 3
    assert all(example.row and example.faults == 1 for example in one.examples)
    assert (every.more, every.counts_hidden) == (0, True)
    assert 3_385 < every.requests < 3_400  # without the last two minutes
    assert [recent.hours for recent in every.recent] == [1, 6]


def test_what_still_fails_is_ongoing(database):
    (one,) = found(database(rows=traffic(outage(CLAUDE, start=OUTAGE)))).incidents
    assert one.is_ongoing
    (past,) = found(database(rows=traffic(outage(CLAUDE, start=OUTAGE))), now=NOON + DAY).incidents
    assert not past.is_ongoing


def test_what_no_one_uses_any_more_is_not_ongoing(database):
    rows = traffic(outage(CLAUDE, start=OUTAGE, end=NOON))
    silent = NOON - timedelta(minutes=70)
    kept = [row for row in rows if row["model"] != CLAUDE[1] or row["startTime"] < silent]
    (one,) = found(database(rows=kept)).incidents
    assert not one.is_ongoing


def test_what_has_not_failed_for_six_hours_is_not_ongoing(database):
    """Though one failure just now, after few successes, leaves open whether it is over."""
    ended = NOON - 30 * HOUR
    rows = traffic(outage(CLAUDE, start=ended - 8 * HOUR, end=ended))
    before = [row for row in rows if row["model"] != CLAUDE[1] or row["startTime"] < ended]
    after = [spend_log(**of(CLAUDE), startTime=ended + number * 3 * HOUR) for number in range(1, 9)]
    newest = failure(**of(CLAUDE), startTime=NOON - timedelta(minutes=3))
    (one,) = found(database(rows=[*before, *after, newest])).incidents
    assert (one.entity, one.last_at < ended, one.is_ongoing) == (DEPLOYMENT, True, False)


@pytest.mark.parametrize(
    ("served", "entity", "parts"),
    [
        ((CLAUDE,), DEPLOYMENT, ()),
        ((CLAUDE, HAIKU), PROVIDER, {"anthropic/claude", "anthropic/haiku"}),
        (EVERY, ALL, {None, *(way[1] for way in EVERY)}),
    ],
)
def test_it_is_reported_where_it_is_explained_best(database, served, entity, parts):
    (one,) = found(database(rows=traffic(outage(*served, start=OUTAGE, end=ENDED)))).incidents
    assert one.entity == entity
    assert {part.deployment for part in one.parts} == set(parts)


def test_two_at_once_are_two(database):
    fails = outage(CLAUDE, start=OUTAGE, end=ENDED)
    other = outage(MINI, start=OUTAGE + HOUR, end=NOON)
    log = database(rows=traffic(lambda way, at: max(fails(way, at), other(way, at))))
    assert [one.entity.deployment for one in found(log).incidents] == [MINI[1], CLAUDE[1]]


def test_hidden_failures_count_for_what_would_have_served(database):
    rng = Random(3)
    rows = traffic(count=3_000, recent=300)
    rows += [fallen_back(OUTAGE + HOUR * rng.random(), CLAUDE, GPT) for _ in range(60)]
    (one,) = found(database(rows=rows)).incidents
    assert (one.entity, one.failures < 5, one.hidden) == (DEPLOYMENT, True, 60)
    assert [hit.hidden for hit in one.keys] == [60]
    assert words.sentence(one, "UTC").startswith("anthropic/claude: 6")
    assert "failed or needed retries" in words.sentence(one, "UTC")


def test_retries_are_hidden_failures(database):
    rows = traffic()
    retried = metadata(attempted_retries=2)
    rng = Random(4)
    rows += [
        spend_log(**of(CLAUDE), startTime=OUTAGE + HOUR * rng.random(), metadata=retried)
        for _ in range(40)
    ]
    (one,) = found(database(rows=rows)).incidents
    assert (one.entity, one.hidden) == (DEPLOYMENT, 40)


@pytest.mark.parametrize(
    "own",
    [
        {"error_class": "ContextWindowExceededError", "error_code": "400"},
        {"error_class": "ProxyException", "error_code": "401"},
        {"error_class": "ClientDisconnected", "error_code": "499"},
        {"error_class": "RateLimitError", "api_key": "litellm-internal-health-check"},
    ],
)
def test_what_is_no_fault_is_no_incident(database, own):
    rng = Random(5)
    log = database(
        rows=traffic()
        + [failure(**of(CLAUDE), startTime=OUTAGE + HOUR * rng.random(), **own) for _ in range(80)]
    )
    assert found(log).incidents == ()


def test_the_proxys_own_server_errors_are_faults(database):
    rng, own = Random(5), {"error_class": "ProxyException", "error_code": "500"}
    rows = [failure(**of(CLAUDE), startTime=OUTAGE + HOUR * rng.random(), **own) for _ in range(80)]
    assert [one.entity for one in found(database(rows=traffic() + rows)).incidents] == [DEPLOYMENT]


def test_one_session_that_tries_again_and_again_is_no_incident(database):
    rng = Random(6)
    rows = [
        failure(**of(CLAUDE), startTime=OUTAGE + HOUR * rng.random(), session_id="loop")
        for _ in range(80)
    ]
    assert found(database(rows=traffic() + rows)).incidents == ()


def test_a_new_error_is_marked(database):
    rows = traffic(outage(CLAUDE, start=OUTAGE, end=ENDED))
    new = [
        failure(
            "503", "ServiceUnavailableError", f"No capacity for {n}", **of(CLAUDE), startTime=at
        )
        for n in range(12)
        if (at := OUTAGE + HOUR + n * timedelta(seconds=90))
    ]
    (one,) = found(database(rows=rows + new)).incidents
    shown = {error.error_class: (error.text, error.is_new) for error in one.signatures}
    assert shown["ServiceUnavailableError"] == ("No capacity for #", True)
    assert shown["InternalServerError"][1] is False


def test_a_new_deployment_that_fails_from_the_start_is_compared_with_its_provider(database):
    rng, new = Random(7), ("anthropic", "anthropic/new", "new")
    fails = outage(new, start=OUTAGE, share=0.9)
    rows = [request(rng, new, OUTAGE + HOUR * 4 * rng.random(), fails, n) for n in range(150)]
    (one,) = found(database(rows=traffic() + rows)).incidents
    assert (one.entity.deployment, one.usual_of) == ("anthropic/new", PROVIDER)
    assert one.is_ongoing


def test_what_always_fails_is_usual(database):
    fails = outage(CLAUDE, start=NOON - 30 * DAY, share=0.5)
    assert found(database(rows=traffic(fails))).incidents == ()


# ---------------------------------------------------------------- bad input


def test_a_month_of_nothing(empty_database):
    every = found(empty_database, Filters(TimeWindow(NOON - 30 * DAY, NOON)))
    assert (every.incidents, every.requests, every.first_at) == ((), 0, None)
    assert words.headline(every, "UTC") == words.NO_REQUESTS


def test_one_row(database):
    every = found(database(rows=[failure(startTime=NOON - HOUR)]))
    assert (every.incidents, every.requests) == ((), 1)
    assert words.headline(every, "UTC").startswith("Only 1 request in this time range")


def test_hours_of_history_are_too_few(database):
    rows = traffic(outage(CLAUDE, start=OUTAGE), count=600, days=0.8)
    every = found(database(rows=rows))
    assert every.incidents == ()
    assert words.headline(every, "UTC").startswith("The first request here is from 22 Nov")


def test_two_days_of_history_are_enough(database):
    rows = traffic(outage(CLAUDE, start=OUTAGE), days=2)
    assert [one.entity for one in found(database(rows=rows)).incidents] == [DEPLOYMENT]


def test_a_provider_without_a_name(database):
    nameless = ("", "the model", "the model")
    rng, fails = Random(8), outage(nameless, start=OUTAGE, end=ENDED)
    rows = traffic() + [
        request(rng, nameless, NOON - 5 * DAY * rng.random(), fails, n) for n in range(2_000)
    ]
    rows += [request(rng, nameless, OUTAGE + HOUR * rng.random(), fails, n) for n in range(100)]
    (one,) = found(database(rows=rows)).incidents
    assert (one.entity.provider, words.name_of(one.entity)) == (None, "the model")


def test_clocks_far_off(database):
    rows = traffic(outage(CLAUDE, start=OUTAGE, end=ENDED))
    far = [
        failure(**of(CLAUDE), startTime=NOON + sign * 400 * DAY + n * timedelta(seconds=1))
        for sign in (-1, 1)
        for n in range(50)
    ]
    (one,) = found(database(rows=rows + far)).incidents
    assert (one.entity, one.is_ongoing) == (DEPLOYMENT, False)


def test_a_range_to_come(database):
    log = database(rows=traffic())
    every = found(log, Filters(TimeWindow(NOON + DAY, NOON + 2 * DAY)))
    assert (every.incidents, every.requests) == ((), 0)


def test_ten_thousand_deployments(database):
    rng = Random(9)
    many = [("openai", f"openai/fine-tuned-{n}", "tuned") for n in range(10_000)]
    rows = traffic(outage(CLAUDE, start=OUTAGE, end=ENDED))
    rows += [
        request(rng, way, NOON - 4 * DAY * rng.random(), quiet, n) for n, way in enumerate(many)
    ]
    every = found(database(rows=rows))
    assert [one.entity for one in every.incidents] == [DEPLOYMENT]
    assert every.tested < 10


def test_filters_and_scopes_narrow_what_is_counted(database):
    log = database(rows=traffic(outage(CLAUDE, start=OUTAGE, end=ENDED), recent=1_500))
    every = found(log, replace(DAYS, provider=("openai",)))
    assert (every.incidents, every.requests < 2_500) == ((), True)
    source = source_of(log).seen_by(Access(Scope(teams=("team-1",)), "viewer"))
    (one,) = incidents(source, DAYS, NOON).incidents
    assert [hit.id for hit in one.teams] == ["team-1"]


def test_a_replica_finds_the_same(database, tmp_path, server):
    fails = outage(CLAUDE, HAIKU, start=OUTAGE, end=ENDED)
    rows = traffic(fails) + [fallen_back(OUTAGE + HOUR, CLAUDE, GPT) for _ in range(9)]
    source = source_of(database(rows=rows))
    with in_files(source, server, tmp_path) as replica:
        assert incidents(replica, DAYS, NOON) == incidents(source, DAYS, NOON)
    source.engine.dispose()


# ---------------------------------------------------------------- the test itself


def series(*values: float) -> Any:
    return np.array(values, dtype=float)


def test_what_is_usual_does_not_count_an_outage():
    requests, faults = np.full(100, 50.0), np.full(100, 1.0)
    faults[40:70] = 30
    assert usual_share(requests, faults) == pytest.approx(0.02, abs=0.005)
    assert usual_share(requests[:1], faults[:1]) is None
    assert usual_share(np.full(10, 50.0), np.zeros(10)) == 1 / 500


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=60),
    st.floats(0.001, 1.0),
)
def test_spans_are_in_order_and_have_the_evidence(pairs, usual):
    requests = series(*(max(pair) for pair in pairs))
    faults = series(*(min(pair) for pair in pairs))
    each = evidence(requests, faults, usual, raised_share(usual))
    last = -1
    for span in spans(requests, faults, usual):
        assert last < span.first <= span.last < len(pairs)
        assert each[span.first : span.last + 1].sum() == pytest.approx(span.evidence)
        assert span.evidence >= EVIDENCE
        last = span.last
    found_one = sharpened(requests, faults, usual)
    if found_one is not None:
        within = slice(found_one.first, found_one.last + 1)
        assert faults[within].sum() >= 10
        assert faults[within].sum() / requests[within].sum() >= raised_share(usual) * 0.999


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2])
def test_steady_faults_are_nothing(share):
    requests = np.full(300, 100.0)
    assert list(spans(requests, requests * share, max(share, 0.001))) == []


def test_an_incident_without_recovery_is_open():
    requests, faults = np.full(20, 20.0), np.zeros(20)
    faults[15:] = 12
    (one,) = spans(requests, faults, 0.01)
    assert (one.first, one.last, one.is_open) == (15, 19, True)
    requests, faults = np.append(requests, [20.0] * 9), np.append(faults, [0.0] * 9)
    (one,) = spans(requests, faults, 0.01)
    assert (one.first, one.last, one.is_open) == (15, 19, False)


# ---------------------------------------------------------------- budget, words, page and API


def test_a_budget_burns():
    recent = (Recent(1, 100, 20), Recent(6, 1_000, 20), Recent(1, 0, 0))
    hour, six, none = burns(recent, 0.01)
    assert (hour.rate, hour.is_fast, hour.lasts_days) == (20.0, True, 1.5)
    assert (six.rate, six.is_fast) == (2.0, False)
    assert (none.rate, none.is_fast, none.lasts_days) == (None, False, None)
    assert words.burning((hour, six), 0.01) == (
        "Error budget of 1.0 %: burn rate 20.0 over 1 h, 2.0 over 6 h. Fast: like this it lasts "
        "1 d 12 h instead of 30 days."
    )
    (slow, half) = burns([Recent(6, 100, 2), Recent(6, 1_000, 5)], 0.01)
    assert words.burning((slow,), 0.01) == (
        "Error budget of 1.0 %: burn rate 2.0 over 6 h. Like this it lasts 15 d 0 h "
        "instead of 30 days."
    )
    assert words.burning((half,), 0.01).endswith("burn rate 0.5 over 6 h. Within the budget.")
    (nothing,) = burns([Recent(6, 0, 0)], 0.01)
    assert words.burning((nothing,), 0.01) == "Error budget of 1.0 %: burn rate – over 6 h."


def test_the_page_says_it_first_and_home_in_a_line(database, open_page):
    log = database(rows=traffic(outage(CLAUDE, start=OUTAGE, end=ENDED)))
    app = open_page("pages/Status.py", log.url, **RANGE)
    assert not app.exception
    text = unescape(words_of(app))
    headline = "No incident is ongoing. 1 incident in this time range, the last one of"
    assert headline in text
    (title,) = [unescape(one.label) for one in app.expander if "anthropic" in one.label]
    assert title.startswith("anthropic/claude, from 23 Nov 08:")
    assert "Overloaded, request # of # tokens" in text
    assert "Error budget of 1.0 %" in text
    (summary,) = [one.value for one in app.code if "Over:" in one.value]
    assert "range=custom&from=2026-11-23T07%3A" in summary
    assert "zone=UTC" in summary
    assert headline in unescape(words_of(open_page("Home.py", log.url, **RANGE)))


def test_the_page_of_an_empty_log(empty_database, open_page):
    app = open_page("pages/Status.py", empty_database.url)
    assert not app.exception
    assert words.NO_REQUESTS in unescape(words_of(app))


def test_the_api_has_the_same(database):
    log = database(rows=traffic(outage(CLAUDE, start=OUTAGE, end=ENDED), recent=1_500))
    api = calls_of(log, token("all"), token("team", Scope(teams=("team-1",)), "viewer"))
    window = {"start": "2026-11-21T12:00:00Z", "end": "2026-11-23T12:00:00Z"}
    answer = api.get("/api/v1/incidents", **window)
    (one,) = answer["incidents"]
    assert one["entity"] == {
        "level": "deployment",
        "provider": "anthropic",
        "deployment": "anthropic/claude",
    }
    assert (one["ongoing"], one["hidden"], one["team_count"]) == (False, 0, 3)
    assert answer["sentence"].startswith("No incident is ongoing.")
    assert (answer["error_budget"], [one["hours"] for one in answer["burn"]]) == (0.01, [1, 6])
    (own,) = api.by("team").get("/api/v1/incidents", **window)["incidents"]
    assert [hit["id"] for hit in own["teams"]] == ["team-1"]
    assert api.send("GET", "/api/v1/incidents", params={"limit": "5"}).status_code == 422


def test_planted_incidents_are_found_and_nothing_else():
    result = score(range(3))
    assert result.planted == 18
    assert result.recall >= 0.85
    assert result.precision >= 0.95
    assert result.alarms_a_week_per_100 <= 1


def test_the_samples_incidents_are_found_and_nothing_else(database):
    now = datetime(2026, 11, 25, 15, tzinfo=UTC)
    start = now - 16 * DAY
    log = database(rows=requests(SEED, start, now, anchor=now))
    every = found(log, Filters(TimeWindow(now - 7 * DAY, now)), now).incidents
    slow, down = every
    assert slow.entity == Entity("deployment", "openai", "openai/gpt-4.1")
    assert (slow.hidden > slow.failures, slow.is_ongoing) == (True, False)
    assert any(error.is_new and "is busy" in str(error.text) for error in slow.signatures)
    assert down.entity == PROVIDER
    events = scene(now)
    for one, event in ((slow, events.outage.brownout), (down, events.outage)):
        assert event.start - 5_400 < one.since.timestamp() < event.start + 2_400
        assert event.end - 2_400 < one.last_at.timestamp() < event.end


# ---------------------------------------------------------------- health checks


def checked(log: Database, model: str, status: str, minutes: float) -> None:
    at = NOON - timedelta(minutes=minutes)
    insert(
        log.engine,
        "LiteLLM_HealthCheckTable",
        health_check_id=f"{model} {minutes}",
        model_name=model,
        model_id="deployment-1",
        status=status,
        checked_at=at,
        created_at=at,
        updated_at=at,
        healthy_count=0,
        unhealthy_count=0,
    )


def test_checks_are_intervals_and_traffic_may_contradict_them(database):
    rows = [failure(model_group="down", startTime=NOON - MINUTES) for _ in range(30)]
    rows += [spend_log(model_group="up", startTime=NOON - MINUTES) for _ in range(30)]
    log = database(rows=rows)
    for minutes, status in ((400, "healthy"), (170, "healthy"), (115, "healthy"), (60, "healthy")):
        checked(log, "down", status, minutes)
    for minutes, status in ((100, "healthy"), (40, "unhealthy")):
        checked(log, "up", status, minutes)
    source = source_of(log)
    found_ones = health_checks(source, DAYS.window)
    ago = [
        (one.model, one.status, (NOON - one.start).seconds // 60, (NOON - one.end).seconds // 60)
        for one in found_ones
    ]
    assert ago == [
        ("down", "healthy", 400, 280),
        ("down", "healthy", 170, 0),
        ("up", "healthy", 100, 40),
        ("up", "unhealthy", 40, 0),
    ]
    chosen = worth_comparing(found_ones)
    assert [(one.model, one.status) for one in chosen] == [("down", "healthy"), ("up", "unhealthy")]
    down, up = compared_health(source, DAYS, chosen)
    assert (down.requests, down.faults) == (30, 30)
    assert down.contradiction == "Healthy by the check, but most requests fail."
    assert (up.requests, up.faults) == (30, 0)
    assert up.contradiction == "Unhealthy by the check, but requests succeed."
    red = source.seen_by(Access(Scope(teams=("team-1",)), "viewer"))
    assert health_checks(red, DAYS.window) is None
    assert compared_health(source, DAYS, ()) == ()
    source.engine.dispose()


def test_a_version_without_checks(database):
    source = source_of(database("2025-03-26"))
    assert health_checks(source, DAYS.window) is None
    source.engine.dispose()
