"""An older LiteLLM, which worked on two days and then stopped: shorter than the newest."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import pytest

from tests.live import install, traffic
from tests.live.clock import Clock
from tests.live.habits import HABITS
from tests.live.ledger import Figures, dollars
from tests.live.living import Live, living, wait_for
from tests.live.playing import play
from tests.live.said import assert_all_was_said, assert_habit
from tests.sources import records
from tracelib import overview
from tracelib.status import ProxyHealth, proxy_health
from tracelib.window import BUCKETS

pytestmark = pytest.mark.live

TODAY = datetime.now(UTC).date()
DAYS = (TODAY - timedelta(2), TODAY - timedelta(1))


@dataclass(frozen=True)
class Lived:
    """A proxy that has stopped: its health before and after, and its own figures of each day."""

    live: Live
    before: ProxyHealth
    after: ProxyHealth
    daily: dict[str, Figures]


@pytest.fixture(scope="module")
def lived(installed, settable_clock, tcp_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("older")
    clock = Clock(folder, datetime.combine(DAYS[0], time(23, 50), UTC))
    with living(install.OLDER, tcp_server, folder, clock.variables) as live:
        before = proxy_health(live.proxy.url)
        live.client.send_all(list(traffic.mixed(rounds=1)))
        live.wait_until_written()
        clock.set(datetime.combine(DAYS[1], time(0, 1), UTC))
        wait_for(lambda: live.proxy.today() == DAYS[1], lambda: "the clock was not set")
        for request in (*traffic.cached(6), *traffic.refused(3), *traffic.shared()):
            live.client.send(request)
        for habit in HABITS:
            play(habit, live.client, live.vendor)
        live.wait_until_written()
        daily = live.ledger.daily_by_date()
        live.proxy.stop()
        yield Lived(live, before, proxy_health(live.proxy.url), daily)


def test_a_proxy_that_was_stopped_is_not_alive(lived):
    assert lived.before == ProxyHealth(True, True, "connected", None, "")
    sentence = "The proxy is not responding: Connection refused."
    assert lived.after == ProxyHealth(False, False, None, None, sentence)


def test_days_are_litellm_s_days(lived):
    live = lived.live
    frame = overview.over_time(live.source, live.filters, BUCKETS["1d"])
    found = {
        f"{row['bucket']:%Y-%m-%d}": Figures(
            row["requests"],
            row["failures"],
            dollars(row["cost_usd"]),
            row["total_tokens"] + row["replayed_tokens"],
        )
        for row in records(frame[frame["requests"] > 0])
    }
    assert found == lived.daily
    assert list(found) == [f"{day}" for day in DAYS]
    assert sum(one.requests for one in found.values()) == len(live.client.exchanges)


def test_every_session_says_what_was_sent_and_what_came_back(lived):
    assert_all_was_said(lived.live, HABITS)


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_habit(lived, habit):
    assert_habit(lived.live, habit)
