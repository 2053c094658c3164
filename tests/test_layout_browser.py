"""Pages keep their layout: every load, by any viewer, puts everything in the same place."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.browsing import MARKS, PAGES, Visit, chromium, playwright, quicker, serving
from tests.database import Database
from tests.rows import spend_log

pytestmark = MARKS
expect = playwright.expect

SESSION = "Sessions?session=session-3"
REFRESH_S = 2
# Where each card, chart, table, figure and control is, in whole pixels from the page's corner.
LAYOUT = """() => {
  const kinds = ['stMetric', 'stPlotlyChart', 'stDataFrame', 'stHeading', 'stButton',
    'stLayoutWrapper', 'stButtonGroup', 'stTextInput', 'stSelectbox', 'stPageLink', 'stCode',
    'stExpander'];
  const page = document.querySelector('[data-testid=stMainBlockContainer]');
  const corner = page.getBoundingClientRect();
  const found = [['page', 0, 0, Math.round(corner.width), page.scrollHeight]];
  for (const kind of kinds) {
    for (const one of page.querySelectorAll(`[data-testid=${kind}]`)) {
      const { x, y, width, height } = one.getBoundingClientRect();
      found.push([kind, x - corner.x, y - corner.y, width, height].map(
        (part) => typeof part === 'number' ? Math.round(part) : part));
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def app(server, tmp_path_factory) -> Iterator[str]:
    """The address of the app over a day of two teams, which use three models."""
    now = datetime.now(UTC)
    log = Database(server)
    log.insert(
        spend_log(
            startTime=now - timedelta(minutes=20 * number + 5),
            session_id=f"session-{number % 9}",
            user=f"user-{number % 5}",
            team_id=f"team-{number % 2}",
            model_group=("gpt-4o", "claude", "mistral")[number % 3],
            status="failure" if number % 10 == 0 else "success",
            proxy_server_request={"messages": [{"role": "user", "content": f"Question {number}"}]},
        )
        for number in range(70)
    )
    variables = quicker(tmp_path_factory.mktemp("quicker"), REFRESH_S)
    with serving(DATABASE_URL=log.url, **variables) as address:
        yield address
    log.drop()


def layout(browser, app: str, path: str, width: int, *, newcomer: bool = False) -> list[tuple]:
    visit = Visit(browser, app, width=width, newcomer=newcomer)
    visit.open(path)
    found = visit.page.evaluate(LAYOUT)
    visit.check()
    return found


def with_refresh(path: str, every: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}range=24h&refresh={every}"


@pytest.mark.parametrize(
    ("path", "width"), [*((path, 1440) for path in (*PAGES, SESSION)), ("Overview", 390)]
)
def test_a_page_looks_alike_to_all_at_one_tick_and_the_next(browser, app, path, width):
    at_one_tick = with_refresh(path, "5m")
    first = layout(browser, app, at_one_tick, width, newcomer=True)
    assert len(first) > 10
    for _ in range(2):
        assert layout(browser, app, at_one_tick, width) == first


@pytest.mark.parametrize("path", [*PAGES, SESSION])
def test_a_refresh_moves_nothing(browser, app, path):
    visit = Visit(browser, app)
    visit.open(with_refresh(path, "10s"))
    first = visit.page.evaluate(LAYOUT)
    updated = visit.page.get_by_text(re.compile("^Updated [0-9:]+$"))
    for _ in range(2):
        expect(updated).not_to_have_text(updated.inner_text())
        visit.settle()
        assert visit.page.evaluate(LAYOUT) == first
    visit.check()
    assert layout(browser, app, with_refresh(path, "10s"), 1440) == first
