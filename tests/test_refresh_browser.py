"""Pages in a real browser that wait for a slow database, and are refreshed meanwhile."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.browsing import MARKS, Visit, chromium, playwright, quicker, serving
from tests.rows import spend_log
from tests.slow_line import SlowLine, slow_line

pytestmark = MARKS
expect = playwright.expect

REFRESH_S = 1
A_PAGE = 8  # questions of one, at least
A_CONNECTION = 4  # questions are asked at once, as many as there are connections
# How well the first tile can be seen, looked at all the time.
LOOKED_AT = """() => {
  window.seen = [];
  setInterval(() => {
    const tile = document.querySelector('[data-testid=stMetric]');
    const held = tile?.closest('[data-testid=stElementContainer]');
    window.seen.push(held ? Number(getComputedStyle(held).opacity) : 0);
    if (document.querySelector('[data-testid=stSkeleton]')) window.seen.push(0);
  }, 30);
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def line(database) -> Iterator[SlowLine]:
    """A line to ten requests; it is not slow yet."""
    now = datetime.now(UTC)
    rows = [spend_log(startTime=now - timedelta(hours=hour, minutes=30)) for hour in range(10)]
    with slow_line(database(rows=rows)) as line:
        yield line


@pytest.fixture
def served(tmp_path) -> Callable[[SlowLine], AbstractContextManager[str]]:
    """The app over a line, which refreshes as soon as a test has time for."""
    variables = quicker(tmp_path, REFRESH_S)

    @contextmanager
    def serve(line: SlowLine) -> Iterator[str]:
        with serving(DATABASE_URL=line.url, **variables) as address:
            yield address

    return serve


def first_figure(visit: Visit):
    return visit.page.locator("[data-testid=stMetricValue]").first


def updated(visit: Visit):
    return visit.page.get_by_text(re.compile("^Updated [0-9:]+$"))


def wait_for_update(visit: Visit) -> None:
    """Wait until the page was refreshed and says so."""
    before = updated(visit).inner_text()
    expect(updated(visit)).not_to_have_text(before)


def kinds(questions: Sequence[str]) -> Counter[str]:
    """How often each question was asked, whatever moments it was asked for."""
    return Counter(re.sub(r"'[^']*'|[0-9]+", "?", one) for one in questions)


def test_a_page_that_takes_longer_than_its_refresh_shows_its_figures(browser, line, served):
    with served(line) as app:
        visit = Visit(browser, app)
        visit.open("Overview?refresh=off")
        once = kinds(line.questions())
        visit.check()
        line.statements.clear()

        line.lag_s = REFRESH_S / 4
        visit = Visit(browser, app)
        visit.page.goto(f"{app}/Overview?refresh=10s&range=24h")
        waiting = visit.page.get_by_text("Waiting for the database: totals, sessions, over time")
        expect(waiting).to_be_visible()
        expect(first_figure(visit)).to_have_text("10")
        expect(waiting).to_have_count(0)
        took = visit.page.evaluate("() => performance.now()") / 1_000
        assert took > 2 * REFRESH_S
        # A run that begins again would ask the same first. Totals are asked of two ranges.
        assert len(kinds(line.questions()[:A_PAGE])) >= A_PAGE - 1
        line.statements.clear()

        line.database.insert([spend_log(startTime=datetime.now(UTC))])
        expect(first_figure(visit)).to_have_text("11")
        runs = max(kinds(line.questions()).values())
        assert kinds(line.questions()).total() <= runs * once.total()
        visit.check()


def test_figures_stay_as_they_are_while_a_refresh_waits(browser, line, served):
    with served(line) as app:
        visit = Visit(browser, app)
        visit.open("Overview?refresh=10s&range=24h")
        line.lag_s = REFRESH_S / 4
        wait_for_update(visit)
        visit.page.evaluate(LOOKED_AT)
        expect(visit.page.get_by_text(re.compile("Updated .*, waiting for 3 s"))).to_be_visible()
        assert visit.page.get_by_text("Waiting for the database").count() == 0
        wait_for_update(visit)
        seen = visit.page.evaluate("() => window.seen")
        assert len(seen) > 50
        assert set(seen) == {1}
        visit.check()


def test_another_choice_is_not_kept_waiting(browser, line, served):
    with served(line) as app:
        visit = Visit(browser, app)
        visit.open("Overview?refresh=off&range=24h")
        line.statements.clear()
        line.lag_s = 4.0  # longer than it takes to choose again
        visit.page.get_by_label("Time range").first.click()
        visit.page.get_by_role("option", name="Last 30 days").click()
        visit.page.wait_for_url("**range=30d**")
        expect(visit.page.get_by_text("Waiting for the database")).to_be_visible()
        line.lag_s = 0.4
        visit.page.get_by_label("Time range").first.click()
        visit.page.get_by_role("option", name="Last hour").click()
        expect(first_figure(visit)).to_have_text("1")
        # Of the first choice only what was under way by then was asked.
        assert len(line.questions()) <= len(kinds(line.questions())) + 2 + A_CONNECTION
        visit.check()


def test_tabs_that_are_closed_leave_no_questions_behind(browser, line, served):
    with served(line) as app:
        visit = Visit(browser, app)
        visit.open("Overview?refresh=off&range=24h")
        visit.check()
        line.statements.clear()
        line.lag_s = 1.0
        for span in ("1h", "7d", "30d"):
            for page in ("Overview", "Models"):
                visit = Visit(browser, app)
                visit.page.goto(f"{app}/{page}?refresh=10s&range={span}")
                expect(visit.page.get_by_text("Waiting for the database")).to_be_visible()
                visit.page.context.close()
        line.lag_s = 0.0
        visit = Visit(browser, app)
        visit.open("Overview?refresh=off&range=24h&model=gpt-4o")
        own = 11
        assert len(line.questions()) <= own + 4 * A_CONNECTION
        visit.check()


def test_a_page_that_is_not_refreshed_stays_as_it_is(browser, line, served):
    with served(line) as app:
        visit = Visit(browser, app)
        visit.open("Overview?refresh=10s&range=24h")
        wait_for_update(visit)
        visit.page.get_by_label("Auto-refresh").first.click()
        visit.page.get_by_role("option", name="Off").click()
        visit.page.wait_for_url("**refresh=off**")
        visit.settle()
        said = updated(visit).inner_text()
        visit.page.wait_for_timeout(2_500 * REFRESH_S)
        assert updated(visit).inner_text() == said
        visit.check()


def test_a_page_that_cannot_be_shown_is_shown_once_its_setting_is_corrected(
    browser, tmp_path, line
):
    secret = tmp_path / "url"
    secret.write_text("mysql://elsewhere")
    variables = quicker(tmp_path, REFRESH_S)
    with serving(DATABASE_URL_FILE=str(secret), **variables) as app:
        visit = Visit(browser, app)
        visit.page.goto(f"{app}/Overview")
        expect(visit.page.get_by_text("Nothing can be shown yet")).to_be_visible()
        secret.write_text(line.url)
        expect(first_figure(visit)).to_have_text("10")
