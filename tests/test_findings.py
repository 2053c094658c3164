"""What needs attention: planted events are found, in quiet traffic next to nothing is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import findings_backtest as backtest
from tests import litellm
from tests.calling import calls_of, token
from tests.rows import NOON, failure, key_of, name_key, spend_log
from tests.sources import source_of
from tests.test_ledgers import OF_ALICE
from tests.true_ledgers import LOGS as LEDGER_LOGS
from tests.true_ledgers import NOW, TrueLedgers, copied, filled
from tracelib import errors
from tracelib.filters import Filters
from tracelib.findings import Report, report, sources
from tracelib.findings.detection import Episode
from tracelib.findings.explaining import in_words, parts_of_excess
from tracelib.findings.finding import Found
from tracelib.permissions.access import Access, Scope
from tracelib.source import Postgres
from tracelib.window import TimeWindow

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
# Ten minutes past the hour: the last whole hour is from 12 to 13 o'clock.
AT = NOON + HOUR + 10 * MINUTE
KEY = key_of("nightly")


def runner(source: Postgres) -> Any:
    def run(queries: Sequence[tuple[Any, ...]], are_optional: bool = False) -> list[Any]:
        return [function(source, *arguments) for function, *arguments in queries]

    return run


def found(source: Postgres, at: datetime = AT, **chosen: tuple[str, ...]) -> Report:
    return report(runner(source), Filters(TimeWindow(at - 7 * DAY, at), **chosen), at)


def of(one: Report, source: str) -> list[str]:
    return [finding.headline for finding in one.findings if finding.source == source]


def steady(days: int) -> list[dict]:
    """Four requests an hour of each of two keys, for some days up to the last whole hour."""
    return [
        spend_log(
            startTime=NOON - hour * HOUR + number * 14 * MINUTE,
            api_key=key,
            spend=0.25,
            model_group=model,
            prompt_tokens=200,
            completion_tokens=205,
        )
        for hour in range(1, days * 24)
        for number in range(4)
        for key, model in ((KEY, "gpt-4o"), (key_of("other"), "claude"))
    ]


def spike(count: int = 200, **changes: Any) -> list[dict]:
    """That many requests of one key in the last whole hour."""
    step = HOUR / count
    return [
        spend_log(
            startTime=NOON + step * number,
            api_key=KEY,
            prompt_tokens=400 - (size := number * number * 97 % 380),
            completion_tokens=5 + size,
            **changes,
        )
        for number in range(count)
    ]


def test_quiet_traffic_has_at_most_one_false_alarm_a_week_per_100_entities():
    weeks = [backtest.series(backtest.quiet(seed)) for seed in range(100, 108)]
    alarms = sum(len(backtest.found_in(one)) for one in weeks)
    assert alarms * 100 / sum(len(one.ids) for one in weeks) <= 1


@pytest.mark.parametrize("kind", backtest.KINDS)
def test_a_planted_event_is_found(kind):
    base = backtest.quiet(104)
    traffic, event = backtest.planted(104, base, kind)
    changed = backtest.series(traffic)
    assert backtest.is_found(changed, backtest.found_in(changed), event)
    assert not backtest.is_found(
        backtest.series(base), backtest.found_in(backtest.series(base)), event
    )


POSITIVE = st.floats(1e-6, 1e9)


@given(*[POSITIVE] * 6)
def test_the_parts_of_an_excess_add_up_to_it(requests, tokens, cost, requests_0, tokens_0, cost_0):
    actual = {"requests": requests, "tokens": tokens, "cost": cost}
    expected = {"requests": requests_0, "tokens": tokens_0, "cost": cost_0}
    one = Episode("cost", 0, 0, 1, True, cost - cost_0, expected, actual)
    parts = parts_of_excess(one)
    assert parts is not None
    scale = max(cost, cost_0) * 100
    assert sum(parts.values()) == pytest.approx(cost - cost_0, abs=1e-9 * scale)


def test_without_anything_usual_there_are_no_parts():
    nothing = dict.fromkeys(("requests", "tokens", "cost"), 0.0)
    one = Episode("cost", 0, 0, 1, True, 2.0, nothing, dict.fromkeys(nothing, 1.0))
    assert parts_of_excess(one) is None
    assert in_words(one) == "Usually there is next to nothing at this time of the week."


def test_a_key_that_sends_more_is_one_finding_with_its_cause_and_its_requests(database):
    made = database(rows=[*steady(21), *spike(spend=0.25)])
    name_key(made.engine, KEY, "nightly")
    source = source_of(made)
    (one,) = [one for one in found(source).findings if one.source == "anomalies"]
    assert replace(one, id="") == replace(
        one,
        id="",
        about=("key", KEY),
        headline="Key nightly cost $50.00 in 1 hour, usually $1.00",
        cause="50 times the requests (+$49.00). Of 1 user.",
        usd=pytest.approx(49.0, rel=1e-9),
        people=0,
        requests=200,
        since=NOON,
        until=None,
    )
    assert one.evidence is not None
    assert one.evidence.page == "Sessions"
    assert one.evidence.query() == {
        "range": ["custom"],
        "from": ["2026-11-23T12:00Z"],
        "to": ["2026-11-23T13:00Z"],
        "key": [KEY],
        "sort": ["cost"],
    }
    # The same a few minutes later; an hour later it goes on; when it is over, it is gone.
    assert [each.id for each in found(source, AT + 5 * MINUTE).findings] == [one.id]
    later = found(source, AT + 4 * HOUR)
    assert of(later, "anomalies") == []


def test_an_anomaly_that_is_over_is_listed_as_ended_for_a_day(database):
    more = [row for hour in range(1, 7) for row in at_hour(hour)]
    made = database(rows=[*steady(21), *spike(spend=0.25), *more])
    one = found(source_of(made), AT + 6 * HOUR)
    assert of(one, "anomalies") == []
    assert [(each.since, each.until) for each in one.ended if each.about[0] == "key"] == [
        (NOON, NOON + HOUR)
    ]


def at_hour(hour: int) -> list[dict]:
    """What is usual, an hour after the last whole one."""
    return [
        spend_log(startTime=NOON + hour * HOUR + number * MINUTE, api_key=key, spend=0.25)
        for number in range(4)
        for key in (KEY, key_of("other"))
    ]


def test_one_dollar_more_is_no_finding(database):
    made = database(rows=[*steady(21), *spike(spend=0.005)])
    assert [one for one in found(source_of(made)).findings if one.usd] == []


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([], "Anomalies need 8 days of history; the log has no request in the last five weeks."),
        ([spend_log()], "Anomalies need 8 days of history; the log has 1 hour."),
        (
            [*steady(2), *spike(spend=0.25)],
            "Anomalies need 8 days of history; the log has 2 days.",
        ),
    ],
    ids=["nothing", "one row", "two days"],
)
def test_too_little_history_is_a_sentence_and_no_finding(database, rows, note):
    one = found(source_of(database(rows=rows)))
    assert (of(one, "anomalies"), of(one, "loops"), one.failed) == ([], [], ())
    assert note in one.notes


@pytest.mark.parametrize(
    "changes",
    [
        {"spend": -5.0},
        {"spend": float("nan")},
        {"custom_llm_provider": "", "model_group": "", "api_base": ""},
        {"startTime": datetime(2199, 1, 1, tzinfo=UTC)},
        {"startTime": datetime(1999, 1, 1, tzinfo=UTC)},
        {"api_key": "", "user": "", "team_id": ""},
    ],
    ids=["negative", "no number", "no provider", "later", "earlier", "no one"],
)
def test_odd_rows_are_no_findings(database, changes):
    odd = [spend_log(**{"startTime": NOON + number * MINUTE} | changes) for number in range(5)]
    one = found(source_of(database(rows=[*steady(15), *odd])))
    assert (of(one, "anomalies"), of(one, "loops"), one.failed) == ([], [], ())


def test_of_ten_thousand_keys_the_largest_are_tested_and_a_sentence_says_so(database):
    made = database(rows=steady(15))
    made.execute(
        f"""INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, "startTime",
            "endTime", model, model_group) SELECT 'many-' || n, 'acompletion',
            encode(sha256(n::text::bytea), 'hex'), 0.0001, t, t + interval '1 second', 'm', 'claude'
            FROM generate_series(1, 10000) AS n,
            LATERAL (SELECT '{(NOON - 3 * DAY):%Y-%m-%d %H:%M}'::timestamp
                     + n * interval '10 seconds' AS t) AS at"""
    )
    one = found(source_of(made))
    assert of(one, "anomalies") == []
    (note,) = [note for note in one.notes if note.startswith("Of ")]
    assert note.startswith("Of 10,002 keys, the 50 largest by cost or requests were tested;")


def loop(count: int = 40, start: datetime = NOON, **changes: Any) -> list[dict]:
    """An agent that sends its growing history every twenty seconds, and gets nearly the same."""
    plain = {"session_id": "looping", "api_key": KEY, "model_group": "claude", "spend": 0.5}
    return [
        spend_log(
            **plain
            | {
                "startTime": start + number * timedelta(seconds=20),
                "prompt_tokens": 1_000 + number * 120,
                "completion_tokens": 80 + number % 3,
            }
            | changes
        )
        for number in range(count)
    ]


def test_a_runaway_loop_is_found_within_minutes(database):
    made = database(rows=loop())
    name_key(made.engine, KEY, "gardener")
    source = source_of(made)
    at = NOON + 15 * MINUTE
    (one,) = found(source, at).findings
    assert (one.source, one.headline, one.usd, one.requests, one.since, one.until) == (
        "loops",
        "One session of gardener sent 40 requests in 13 min 0 s in a loop",
        20.0,
        40,
        NOON,
        None,
    )
    assert one.cause == (
        "Prompts of 1,000 to 5,680 tokens to claude, no pause longer than 3 minutes; "
        "100 % nearly equal to the one before."
    )
    assert one.evidence is not None
    assert dict(one.evidence.more) == {"session": "looping", "of": KEY}
    over = found(source, NOON + HOUR)
    assert (over.findings, [each.id for each in over.ended]) == ((), [one.id])


@pytest.mark.parametrize(
    "rows",
    [
        loop(14),
        loop(spend=0.001),
        [row for n in range(40) for row in loop(1, NOON + n * 4 * MINUTE)],
        loop(session_id=None),
        [
            spend_log(
                session_id="working",
                spend=0.5,
                startTime=NOON + n * timedelta(seconds=20),
                prompt_tokens=1_000 + n * n * 97 % 5_000,
                completion_tokens=40 + n * 193 % 700,
            )
            for n in range(60)
        ],
    ],
    ids=["few", "cheap", "with pauses of a person", "of no session", "an agent at work"],
)
def test_what_is_no_loop(database, rows):
    assert of(found(source_of(database(rows=rows)), NOON + 3 * HOUR), "loops") == []
    ended = found(source_of(database(rows=rows)), NOON + 3 * HOUR).ended
    assert [one for one in ended if one.source == "loops"] == []


def test_a_hundred_without_a_pause_are_found_though_they_differ(database):
    rows = [
        spend_log(
            session_id="busy",
            startTime=NOON + number * timedelta(seconds=30),
            prompt_tokens=1_000 + number * number * 97 % 5_000,
            completion_tokens=40 + number * 193 % 700,
        )
        for number in range(110)
    ]
    (one,) = found(source_of(database(rows=rows)), NOON + HOUR).findings
    assert (one.source, one.requests) == ("loops", 110)


def test_a_key_without_sessions_that_repeats_is_a_loop_unless_it_does_so_every_day(database):
    rows = loop(80, session_id=None)
    made = database(rows=rows)
    (one,) = found(source_of(made), NOON + 30 * MINUTE).findings
    assert (one.source, one.about, one.requests) == ("loops", ("key", KEY), 80)
    for day in (2, 3, 4):
        made.insert(loop(80, NOON - day * DAY, session_id=None))
    assert found(source_of(made), NOON + 30 * MINUTE).findings == ()


def test_a_loop_explains_that_its_key_costs_more(database):
    made = database(rows=[*steady(21), *loop(160, spend=0.5)])
    one = found(source_of(made))
    assert [(each.source, each.about) for each in one.findings if each.about == ("key", KEY)] == [
        ("loops", ("key", KEY))
    ]


def test_failures_hit_people_and_are_ranked_by_them(database):
    failed = [
        failure(
            startTime=NOON + number * timedelta(seconds=50),
            model_group="gpt-4o",
            user=f"user-{number % 7}",
            api_key=KEY,
        )
        for number in range(60)
    ]
    usual = [
        spend_log(startTime=NOON - hour * HOUR + number * MINUTE, model_group="gpt-4o", api_key=KEY)
        for hour in range(1, 16 * 24)
        for number in range(25)
    ]
    one = next(
        each
        for each in found(source_of(database(rows=[*usual, *failed]))).findings
        if each.source == "anomalies"
    )
    assert (one.people, one.weight, one.usd) == (7, 70.0, None)
    assert one.headline.endswith("100 % of 60 requests failed in 1 hour, usually 0 %")
    assert one.evidence is not None
    assert ("status", "with failures") in one.evidence.more


def test_filters_narrow_what_is_found_and_are_in_the_links(database):
    made = database(rows=[*loop(), *loop(session_id="second", api_key=key_of("b"), team_id="t2")])
    source, at = source_of(made), NOON + 15 * MINUTE
    assert found(source, at).total == 2
    (one,) = found(source, at, team=("t2",)).findings
    assert one.evidence is not None
    assert one.evidence.query()["team"] == ["t2"]


def test_a_teams_reader_sees_findings_of_their_own_requests_alone(database):
    made = database(
        rows=[*loop(team_id="own"), *loop(session_id="b", api_key=key_of("b"), team_id="theirs")]
    )
    own = source_of(made).seen_by(Access(Scope(teams=("own",)), "viewer"))
    (one,) = found(own, NOON + 15 * MINUTE).findings
    assert one.about == ("key", KEY)
    assert found(own.seen_by(Access(Scope(), "viewer")), NOON + 15 * MINUTE).findings == ()


def test_at_most_ten_are_shown_and_all_are_counted(database):
    rows = [
        row
        for number in range(12)
        for row in loop(20, session_id=f"s{number}", api_key=key_of(f"k{number}"), spend=1 + number)
    ]
    one = found(source_of(database(rows=rows)), NOON + 15 * MINUTE)
    assert (len(one.findings), one.total) == (10, 12)
    assert [each.usd for each in one.findings] == [20.0 * (12 - number) for number in range(10)]


def test_a_source_that_fails_is_named_and_the_others_are_there(database, monkeypatch):
    def failing(*_: Any) -> Found:
        raise errors.QuestionTooSlow("secret")

    def broken(*_: Any) -> Found:
        raise ValueError("secret")

    monkeypatch.setattr(sources, "SOURCES", {**sources.SOURCES, "slow": failing, "odd": broken})
    one = found(source_of(database(rows=loop())), NOON + 15 * MINUTE)
    assert [(each.source, each.sentence) for each in one.failed] == [
        ("slow", "The query took longer than the time limit and was stopped."),
        ("odd", "Unexpected error in the dashboard."),
    ]
    assert len(one.findings) == 1
    monkeypatch.setattr(sources, "SOURCES", {"slow": failing})
    with pytest.raises(errors.QuestionTooSlow):
        found(source_of(database()), NOON)


@pytest.fixture(scope="module")
def clean(server):
    with filled(server) as made:
        yield made


@pytest.fixture
def true(clean):
    with copied(clean) as made:
        yield made


def ledger_findings(true: TrueLedgers) -> Report:
    source = source_of(true.database)
    try:
        return found(source, NOW)
    finally:
        source.engine.dispose()


def test_clean_ledgers_need_no_attention(true):
    assert of(ledger_findings(true), "ledgers") == []


def test_what_was_lost_between_two_writes_is_a_finding_from_ten_cents_on(true):
    true.as_before_deliveries()
    lost = true.unbook(OF_ALICE)
    assert of(ledger_findings(true), "ledgers") == []
    true.execute(f"UPDATE {LEDGER_LOGS} l SET spend = spend * 1000 WHERE {OF_ALICE}")
    (one,) = [one for one in ledger_findings(true).findings if one.source == "ledgers"]
    assert (one.about, one.requests) == (("ledgers", "lost_between_writes"), lost.requests)
    assert one.headline == (
        f"Ledgers: {lost.requests} requests in the log, not in the daily totals"
    )
    assert one.usd == pytest.approx(float(lost.usd) * 1000)
    assert one.evidence is not None
    assert one.evidence.query()["part"] == ["ledgers"]


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_version_has_a_report(database, version):
    one = found(source_of(database(version, [spend_log()] if version == "latest" else [])))
    assert one.failed == ()


def test_the_api_has_the_findings_of_now_and_of_each_scope(database):
    now = datetime.now(UTC)
    start = now - 20 * MINUTE
    made = database(rows=[*loop(start=start, team_id="own"), *unknown_keys(now)])
    name_key(made.engine, KEY, "gardener")
    api = calls_of(made, token("all"), token("team", Scope(teams=("other",))))
    answer = api.get("/api/v1/findings")
    (one,) = [each for each in answer["findings"] if each["source"] == "loops"]
    assert (one["usd"], one["requests"], one["until"]) == (20.0, 40, None)
    assert one["evidence"].startswith("/Sessions?range=custom&from=")
    assert "session=looping" in one["evidence"]
    assert [each["headline"] for each in answer["findings"] if each["source"] == "keys"] == [
        "Requests with 2 keys that LiteLLM does not know fail"
    ]
    team = api.by("team").get("/api/v1/findings")
    assert (team["findings"], team["ended"], team["total"]) == ([], [], 0)
    assert api.get("/api/v1/findings", team="other")["total"] == 0
    assert api.send("GET", "/api/v1/findings", params={"days": 7}).status_code == 422


def unknown_keys(now: datetime) -> list[dict]:
    return [
        failure(startTime=now - HOUR, api_key=key_of(f"unknown {number}"), user="", team_id="")
        for number in range(2)
    ]


def test_home_shows_the_findings_and_what_was_tested(database, open_page):
    start = datetime.now(UTC) - 20 * MINUTE
    made = database(rows=loop(start=start))
    name_key(made.engine, KEY, "**gardener** <b>")
    app = open_page("Home.py", made.url)
    texts = [one.value for one in (*app.markdown, *app.caption)]
    (headline,) = [text for text in texts if "in a loop" in text]
    assert "$20.00".replace("$", "&#36;").replace(".", "&#46;") in headline
    assert "<b>" not in headline
    assert "**gardener**" not in headline
    assert not app.exception


def texts(app) -> list[str]:
    return [one.value for one in (*app.markdown, *app.caption)]


def test_home_without_findings_says_what_was_tested(open_page, database):
    made = database(rows=[spend_log(startTime=datetime.now(UTC) - HOUR, spend=0.01)])
    app = open_page("Home.py", made.url)
    assert "**Nothing needs attention.**" in [one.value for one in app.markdown], [
        one.value for one in (*app.markdown, *app.caption)
    ]
    assert any("Tested" in one.value for one in app.caption)


def test_usual_is_nothing_that_numpy_warns_of(recwarn):
    one = backtest.series(backtest.quiet(105, 24 * 10))
    backtest.found_in(one)
    empty = replace(one, **{name: np.zeros_like(one.requests) for name in ("requests", "cost_usd")})
    assert backtest.found_in(empty) == []
    assert [str(each.message) for each in recwarn if each.category is RuntimeWarning] == []
