"""What a gateway that ends between its writes, and an id that comes again, leave in the ledgers.

The proxies add up so seldom that they end before they do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from tests.calling import calls_of
from tests.live import install, traffic
from tests.live.client import Request
from tests.live.clock import Clock
from tests.live.living import LOGGED, Live, living, wait_for
from tests.live.proxy import FLUSH_S
from tests.true_ledgers import TrueLedgers, classes_of
from tracelib.ledgers import Amount, Ledgers, words

pytestmark = pytest.mark.live

SELDOM_S = 600
"""The proxy ends before it has added up for the first time."""

SOME = 6
TAGGED = {"metadata": {"tags": ["prod"]}}
KEY, USER, TEAM, TAG = "alice-key", "alice", "team-red", "prod"
# Rows are in the log soon, whatever is added up when.
LOGS_SOON = {"SPEND_LOG_QUEUE_POLL_INTERVAL": "0.5"}
EARLIER = datetime.now(UTC).date() - timedelta(2)
ADDED_UP = """
SELECT least(
    (SELECT sum(api_requests) FROM "LiteLLM_DailyUserSpend"),
    (SELECT sum(api_requests) FROM "LiteLLM_DailyTeamSpend"),
    (SELECT sum(api_requests) FROM "LiteLLM_DailyTagSpend" WHERE tag = 'prod')
)::int
"""


def send(live: Live, model: str = "gpt-4o", times: int = SOME) -> None:
    """Send so many requests, one after the other."""
    for number in range(times):
        path, body = traffic.chat(model, f"Is this number {number}?", **TAGGED)
        assert live.client.send(Request(path, body, KEY)).status == 200


def wait_until_logged(live: Live, count: int) -> None:
    """Wait until the log has so many rows."""

    def found() -> int:
        return live.database.execute(LOGGED)[0][0]

    wait_for(lambda: found() == count, lambda: f"{found()} rows in the log instead of {count}")


def compared(live: Live, first: date) -> Ledgers:
    """The ledgers up to today as the app compares them."""
    now = datetime.now(UTC)
    return TrueLedgers(live.database).compared(first, now.date(), now=now)


def cost(live: Live, model: str = "gpt-4o") -> Decimal:
    """The cost of a model in the log."""
    sql = 'SELECT sum(spend::numeric) FROM "LiteLLM_SpendLogs" WHERE model_group = '
    return live.database.execute(f"{sql} '{model}'")[0][0]


def assert_everywhere(found: Ledgers, live: Live, expected: dict[str, Amount]) -> None:
    """The days, the key, its user, team and tag have these classes, and nothing else has."""
    owners = {"key": live.stored_key(KEY), "user": USER, "team": TEAM, "tag": TAG}
    assert classes_of(found) == expected
    for kind, own in owners.items():
        assert classes_of(found, kind, own) == classes_of(found, kind) == expected, kind


@dataclass(frozen=True)
class Newest:
    """The ledgers of the newest version once it was killed, was back, and had an id three times."""

    live: Live
    killed: Ledgers
    killed_as_json: dict
    usd: Decimal
    back: Ledgers
    twice: Ledgers


@pytest.fixture(scope="module")
def newest(installed, tcp_server, tmp_path_factory) -> Iterator[Newest]:
    folder, today = tmp_path_factory.mktemp("newest"), datetime.now(UTC).date()
    with living(install.NEWEST, tcp_server, folder, LOGS_SOON, SELDOM_S) as live:
        send(live)
        wait_until_logged(live, SOME)
        live.proxy.kill()
        killed, usd = compared(live, today), cost(live)
        as_json = calls_of(live.database).get("/api/v1/ledgers", start=f"{today}")
        live.proxy.flush_s = FLUSH_S
        live.proxy.start()
        live.wait_until_written()
        back = compared(live, today)
        send(live, "repeating", 3)
        wait_for(lambda: _added_up(live) == SOME + 3, lambda: f"added up: {_added_up(live)}")
        yield Newest(live, killed, as_json, usd, back, compared(live, today))


def _added_up(live: Live) -> int:
    return live.database.execute(ADDED_UP)[0][0]


def test_what_was_logged_and_not_added_up_is_in_flight(newest):
    assert_everywhere(newest.killed, newest.live, {"in_flight": Amount(SOME, newest.usd)})
    notes = words.notes(newest.killed)
    assert any(f"yet to add up {SOME} requests in all" in one for one in notes)
    (day,) = (one for one in newest.killed_as_json["days"] if one["classes"])
    part = {"name": "in_flight", "requests": SOME, "usd": float(newest.usd)}
    assert (day["classes"], day["log_requests"], day["daily_requests"]) == ([part], SOME, 0)


def test_nothing_remains_once_the_gateway_is_back(newest):
    assert newest.back.booked.pending.deliveries == 0
    assert_everywhere(newest.back, newest.live, {})
    line = next(one for one in newest.back.lines["key"] if one.id == newest.live.stored_key(KEY))
    assert words.about_total("key", line) == "Agrees with all daily totals."


def test_an_id_that_came_again_has_one_row(newest):
    lost = -2 * cost(newest.live, "repeating")
    assert lost < 0
    assert_everywhere(newest.twice, newest.live, {"same_id_twice": Amount(-2, lost)})


@dataclass(frozen=True)
class Older:
    """The ledgers of the older version once it was stopped, and once it was killed."""

    live: Live
    stopped: Ledgers
    killed: Ledgers


@pytest.fixture(scope="module")
def older(installed, settable_clock, tcp_server, tmp_path_factory) -> Iterator[Older]:
    """It works two days ago: what was only logged then is not in flight any more."""
    folder = tmp_path_factory.mktemp("older")
    clock = Clock(folder, datetime.combine(EARLIER, time(12), UTC))
    variables = LOGS_SOON | clock.variables
    with living(install.OLDER, tcp_server, folder, variables, SELDOM_S) as live:
        send(live)
        live.proxy.stop()
        stopped = compared(live, EARLIER)
        live.proxy.start()
        send(live)
        wait_until_logged(live, 2 * SOME)
        live.proxy.kill()
        yield Older(live, stopped, compared(live, EARLIER))


def test_a_gateway_that_is_told_to_stop_loses_its_tags(older):
    """Of an older version: it adds up the rest before it ends."""
    found = older.stopped
    lost = {"lost_between_writes": Amount(SOME, cost(older.live) / 2)}
    assert classes_of(found, "tag", TAG) == classes_of(found, "tag") == lost
    assert {kind: classes_of(found, kind) for kind in ("days", "key", "user", "team")} == {
        "days": {},
        "key": {},
        "user": {},
        "team": {},
    }


def test_a_gateway_that_is_killed_loses_what_it_had_not_added_up(older):
    found, usd = older.killed, cost(older.live)
    lost = {"lost_between_writes": Amount(SOME, usd / 2)}
    for kind in ("days", "key", "user", "team"):
        assert classes_of(found, kind) == lost, kind
    assert classes_of(found, "tag") == {"lost_between_writes": Amount(2 * SOME, usd)}
