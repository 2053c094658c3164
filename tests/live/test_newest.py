"""The newest LiteLLM: its figures and its conversations, as the app reads them."""

import re
from collections import Counter
from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.calling import calls_of
from tests.live import install, ledger, traffic
from tests.live.habits import ALL, HABITS, NOT_YET
from tests.live.ledger import Figures, dollars
from tests.live.living import Live, living
from tests.live.playing import play
from tests.live.said import assert_all_was_said, assert_habit, called, session_turns
from tests.sources import records
from tracelib import models, overview, sessions, status
from tracelib.conversation.notes import REFUSED
from tracelib.status import ProxyHealth, proxy_health

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def live(installed, tcp_server, tmp_path_factory):
    """A proxy that has answered all kinds of requests and all habits."""
    with living(install.NEWEST, tcp_server, tmp_path_factory.mktemp("newest")) as live:
        live.client.send_all(list(traffic.mixed(rounds=2)))
        for request in (*traffic.cached(6), *traffic.refused(3), *traffic.shared()):
            live.client.send(request)
        for habit in HABITS:
            play(habit, live.client, live.vendor)
        live.wait_until_written()
        yield live


@pytest.fixture
def api(live):
    return calls_of(live.database)


def window(live: Live) -> dict[str, str]:
    """The window of all that was sent, as the API takes it."""
    found = live.filters.window
    return {"start": found.start.isoformat(), "end": found.end.isoformat()}


def replayed(rows, column: str) -> Counter[str]:
    """The tokens that LiteLLM's cache repeated, for each value of a column."""
    tokens = Counter()
    for row in filter(ledger.is_hit, rows):
        tokens[row[column]] += row["total_tokens"]
    return tokens


def test_the_proxy_is_alive_and_ready(live):
    assert proxy_health(live.proxy.url) == ProxyHealth(True, True, "connected", None, "")


def test_totals(live):
    found = overview.totals(live.source, live.filters)
    daily, activity = live.ledger.daily("user")["metadata"], live.ledger.activity()
    sent = live.client.exchanges
    assert found.requests == daily["total_api_requests"] == activity["sum_api_requests"]
    assert found.requests == len(sent)
    assert found.failures == daily["total_failed_requests"]
    assert found.failures == sum(exchange.failed for exchange in sent)
    assert dollars(found.cost_usd) == dollars(daily["total_spend"]) > 0


def test_litellm_counts_the_tokens_that_its_cache_repeated(live):
    found = overview.totals(live.source, live.filters)
    daily, activity = live.ledger.daily("user")["metadata"], live.ledger.activity()
    hits = [row for row in live.ledger.log() if ledger.is_hit(row)]
    assert found.replayed_tokens == sum(row["total_tokens"] for row in hits) > 0
    assert found.total_tokens + found.replayed_tokens == activity["sum_total_tokens"]
    assert found.total_tokens + found.replayed_tokens == daily["total_tokens"]
    for part in ("prompt_tokens", "completion_tokens"):
        repeated = sum(row[part] for row in hits)
        assert getattr(found, part) + repeated == daily[f"total_{part}"]


def test_log_daily_tables_and_running_totals_agree(live, api):
    found = api.get("/api/v1/ledgers", days=2)
    sent = len(live.client.exchanges)
    for name in ("days", "keys", "teams", "users", "tags"):
        assert {one["id" if "id" in one else "date"]: one["classes"] for one in found[name]} == {
            one["id" if "id" in one else "date"]: [] for one in found[name]
        }
    assert sum(day["log_requests"] for day in found["days"]) == sent
    totals = [one["running_total"] for one in found["keys"] if one["running_total"]]
    assert {total["state"] for total in totals} <= {"agrees", "reset"}
    assert found["missing"] == []


def test_by_model(live):
    found = {
        row["model"]: Figures(
            row["requests"],
            row["failures"],
            dollars(row["cost_usd"]),
            row["total_tokens"] + row["replayed_tokens"],
        )
        for row in records(models.usage_by_model(live.source, live.filters))
    }
    assert found == ledger.by_value(
        lambda row: row["model_group"] or row["model"], live.ledger.log()
    )
    assert found == live.ledger.daily_by("user", "model_groups")
    # LiteLLM says nothing in place of the name of a model that it does not know.
    renamed = {
        name or "unknown-model": one for name, one in live.ledger.activity_by_model().items()
    }
    assert {name: (found[name].requests, found[name].tokens) for name in renamed} == renamed
    sent = Counter(exchange.request.body["model"] for exchange in live.client.exchanges)
    sent["unknown-model"] = sent.pop("no-such-model")
    sent["gpt-4o-mini"] += sent.pop("primary")  # the fallback has answered
    assert {name: one.requests for name, one in found.items()} == sent


@pytest.mark.parametrize(
    ("dimension", "column", "table", "part"),
    [
        ("key", "api_key", "user", "api_keys"),
        ("user", "user", "user", "entities"),
        ("team", "team_id", "team", "entities"),
    ],
)
def test_by_owner(live, dimension, column, table, part):
    rows = live.ledger.log()
    repeated = replayed(rows, column)
    frame = overview.cost_by_owner(live.source, live.filters)
    found = {
        row["id"] or "": Figures(
            row["requests"],
            row["failures"],
            dollars(row["cost_usd"]),
            row["total_tokens"] + repeated[row["id"]],
        )
        for row in records(frame[frame["dimension"] == dimension])
    }
    assert found == ledger.by(column, rows)
    daily = live.ledger.daily_by(table, part)
    assert found == {"" if name == "Unassigned" else name: one for name, one in daily.items()}
    assert sum(repeated.values()) > 0


def test_names_of_owners(live):
    frame = overview.cost_by_owner(live.source, live.filters)
    names = {(row["dimension"], row["id"]): row["name"] for row in records(frame)}
    for alias, about in traffic.KEYS.items():
        assert names["key", live.stored_key(alias)] == alias
        if "team_id" in about:
            assert names["team", about["team_id"]] == traffic.TEAMS[about["team_id"]]
        if "user_id" in about:
            assert names["user", about["user_id"]] == f"{about['user_id']}@example.com"


def test_by_tag(live):
    found = {
        row["tag"]: (row["requests"], dollars(row["cost_usd"]), row["total_tokens"])
        for row in records(overview.cost_by_tag(live.source, live.filters))
    }
    daily = live.ledger.daily_by("tag", "entities")
    automatic = {tag for tag in daily if tag.startswith("User-Agent: ")}
    assert found == {
        tag: (one.requests, one.cost_usd, one.tokens)
        for tag, one in daily.items()
        if tag not in automatic
    }
    assert set(found) == {"prod", "checkout", "batch", "of no list"}
    assert automatic


@pytest.mark.parametrize(
    ("dimension", "value", "parameter"),
    [
        ("team", "team-red", "team_id"),
        ("user", "carol", "user_id"),
        ("key", "service-key", "api_key"),
        ("model", "gpt-4o-mini", "model_group"),
    ],
)
def test_filters(live, dimension, value, parameter):
    chosen = live.stored_key(value) if dimension == "key" else value
    found = overview.totals(live.source, replace(live.filters, **{dimension: (chosen,)}))
    (expected,) = ledger.by_value(lambda _: "", live.ledger.log(**{parameter: chosen})).values()
    assert (found.requests, found.failures) == (expected.requests, expected.failures)
    assert dollars(found.cost_usd) == expected.cost_usd
    assert found.total_tokens + found.replayed_tokens == expected.tokens


def test_cache_hits_and_failures(live):
    found = overview.totals(live.source, live.filters)
    theirs = live.ledger.cache_hits()
    assert found.cache_hits == theirs["totals"]["cache_hits"] > 0
    assert 100 * found.cache_hit_rate == pytest.approx(theirs["totals"]["cache_hit_ratio"])
    assert found.failures == theirs["totals"]["failed_requests"]
    classes, codes = Counter(), Counter()
    for one in theirs["error_breakdown"]:
        classes[one["error_class"]] += one["count"]
        codes[one["error_code"]] += one["count"]
    groups = status.failure_groups(live.source, live.filters)
    for by, expected in (("class", classes), ("code", codes)):
        rows = records(groups[groups["by"] == by])
        assert {row["value"]: row["failures"] for row in rows} == expected


def test_litellm_s_mean_response_time_includes_cache_hits(live):
    found = overview.totals(live.source, live.filters)
    daily = live.ledger.daily("user")["metadata"]
    hits = [row for row in live.ledger.log() if ledger.is_hit(row)]
    assert daily["total_timed_requests"] == found.answered + len(hits)
    theirs = daily["total_response_time_ms"] - sum(row["request_duration_ms"] for row in hits)
    assert theirs == pytest.approx(found.answered * found.response_ms_avg)


def test_sessions(live):
    groups = live.ledger.log(group_by_session=True)
    assert overview.sessions(live.source, live.filters) == overview.SessionCounts(
        unique=len(groups),
        with_many_requests=sum(one["session_total_count"] > 1 for one in groups),
    )
    for one in groups:
        selection = sessions.summary(live.source, live.session_of(one))
        assert selection.requests == one["session_total_count"]
        assert dollars(selection.cost_usd) == dollars(one["session_total_spend"])


def test_litellm_mixes_two_keys_of_one_session_id(live):
    theirs = live.proxy.ask("/spend/logs/session/ui", session_id="shared")
    assert theirs["total"] == 2
    ours = records(sessions.keys_of(live.source, "shared"))
    assert [(one["key_name"], one["requests"]) for one in ours] == [
        ("alice-key", 1),
        ("bob-key", 1),
    ]


def test_every_session_says_what_was_sent_and_what_came_back(live):
    assert len(live.sessions()) > 50
    assert_all_was_said(live, HABITS)


def test_a_request_turned_away_at_the_door_is_counted_and_says_nothing(live):
    """LiteLLM stores no prompt of it, and gives it a session of its own."""
    turned_away = [one for one in live.client.exchanges if not one.call_id]
    unknown = live.stored_key(traffic.UNKNOWN_KEY)
    rows = live.ledger.log(api_key=unknown)
    assert {one.status for one in turned_away} == {401, 422}
    assert len(rows) == sum(one.status == 401 for one in turned_away)
    for row in rows:
        (turn,) = session_turns(live, live.session_of(row))
        assert (turn.new_messages, turn.responses, turn.notes) == ((), (), (REFUSED,))


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_habit(live, habit):
    assert_habit(live, habit)


def test_the_habits_not_read_yet_are_habits():
    assert NOT_YET.keys() <= {habit.name for habit in ALL}


def test_the_api_s_overview(live, api):
    found = api.get("/api/v1/analytics/overview", **window(live))
    daily = live.ledger.daily("user")["metadata"]
    assert found["requests"] == daily["total_api_requests"]
    assert dollars(found["cost_usd"]) == dollars(daily["total_spend"])
    assert found["error_rate"] == daily["total_failed_requests"] / daily["total_api_requests"]
    assert found["unique_sessions"] == len(live.ledger.log(group_by_session=True))


def test_the_api_s_models(live, api):
    found = api.get("/api/v1/analytics/models", **window(live))["models"]
    daily = live.ledger.daily_by("user", "model_groups")
    assert {one["model"]: (one["requests"], dollars(one["cost_usd"])) for one in found} == {
        name: (one.requests, one.cost_usd) for name, one in daily.items()
    }


def test_the_api_s_failures(live, api):
    found = api.get("/api/v1/failures", **window(live))
    rows = live.ledger.log(status_filter="failure")
    models_of = Counter(row["model_group"] or row["model"] for row in rows)
    assert (found["requests"], found["failures"]) == (len(live.client.exchanges), len(rows))
    assert {one["value"]: one["failures"] for one in found["models"]} == models_of
    newest = [row["request_id"] for row in rows[: len(found["newest"])]]
    assert [one["request_id"] for one in found["newest"]] == newest


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_the_api_s_messages(live, api, habit):
    path = f"/api/v1/sessions/{quote(habit.name)}"
    found = api.get(f"{path}/messages", redact=False, count=200)["messages"]
    lines = [said_by_api(one) for one in found if not is_in_place_of_an_answer(one)]
    assert lines == [spaced(line) for line in habit.said]
    assert api.get(f"{path}/summary")["requests"] == len(live.sent_in(habit.name))


def said_by_api(message) -> str:
    """A message of the API as the line of a habit. What it says of an image is plain text."""
    thinking = f"({message['reasoning']})" if message["reasoning"] else ""
    content = message["content"] or ""
    calls = [called(one["name"], one["arguments"]) for one in message["tool_calls"]]
    words = f"[{content}]" if message["role"] == "tool" else content
    return spaced(" ".join([f"{message['role']}:", thinking, words, *calls]))


def spaced(line: str) -> str:
    """The words of a line, without the signs around an image."""
    return " ".join(re.sub("[<>]", " ", line).split())


def is_in_place_of_an_answer(message) -> bool:
    """Is this the empty message that stands for the answer of a request that failed?"""
    return message["role"] == "assistant" and message["error"] is not None
