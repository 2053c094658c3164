"""The list of sessions in a real browser: typing, a search that reads on, a drag on the strip."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import test_browser
from tests.browsing import Visit, serving
from tests.rows import spend_log

browser, pytestmark = test_browser.browser, test_browser.pytestmark


@pytest.fixture
def sessions(database):
    """The address of the app over a week of sessions, one an hour; every tenth is of a refund."""
    now = datetime.now(UTC)
    rows = [
        spend_log(
            startTime=now - timedelta(hours=hours, minutes=5),
            session_id=f"session-{hours}",
            status="failure" if hours % 7 == 0 else "success",
            proxy_server_request={
                "messages": [{"role": "user", "content": "refund" if hours % 10 == 0 else "tea"}]
            },
        )
        for hours in range(160)
    ]
    with serving(DATABASE_URL=database(rows=rows).url) as address:
        yield address


def said_in_url(visit: Visit) -> dict[str, list[str]]:
    return parse_qs(urlsplit(visit.page.url).query)


def drag_over_the_strip(visit: Visit, first: float, last: float) -> None:
    """Drag from one share of the strip's width to another."""
    area = visit.page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    middle = area["y"] + area["height"] / 2
    mouse = visit.page.mouse
    mouse.move(area["x"] + area["width"] * first, middle)
    mouse.down()
    mouse.move(area["x"] + area["width"] * last, middle, steps=8)
    mouse.up()


def test_sessions_are_searched_narrowed_and_widened_again(browser, sessions):
    visit = Visit(browser, sessions)
    visit.open("Sessions?refresh=10s")
    assert visit.page.get_by_text("160 sessions").count() == 1
    drag_over_the_strip(visit, 0.25, 0.5)
    visit.page.wait_for_url("**since=**")
    narrowed = said_in_url(visit)
    since, until = (datetime.fromisoformat(narrowed[name][0]) for name in ("since", "until"))
    assert timedelta(hours=36) < until - since < timedelta(hours=48)
    visit.page.get_by_text("160 sessions").wait_for(state="detached")
    visit.settle()
    visit.shoot("Sessions-part-light")

    visit.page.get_by_label("Text in prompts and answers").fill("refund")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_text("Searched all there was at").wait_for()
    assert said_in_url(visit) == narrowed | {"said": ["refund"]}
    visit.page.get_by_role("button", name=" to ").first.click()
    visit.page.get_by_text("16 sessions", exact=True).wait_for()
    visit.settle()
    visit.shoot("Sessions-said-light")
    assert said_in_url(visit) == {"refresh": ["10s"], "said": ["refund"]}

    visit.page.get_by_role("button", name="says “refund”").click()
    visit.page.get_by_text("160 sessions").wait_for()
    assert said_in_url(visit) == {"refresh": ["10s"]}
    visit.check()


def test_a_telephone_shows_the_whole_form_without_moving_sideways(browser, sessions):
    visit = Visit(browser, sessions, width=390)
    visit.open("Sessions?refresh=off&said=refund&min_requests=1&tag=User-Agent:+pytest")
    visit.page.get_by_text("Searched all there was at").wait_for()
    visit.page.get_by_text("More conditions (2)").click()
    visit.page.get_by_label("Cost, $", exact=True).first.fill("0.1")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**min_cost=0.1**")
    visit.page.get_by_text("More conditions (3)").wait_for()
    assert visit.page.get_by_label("Cost, $", exact=True).first.is_visible()
    visit.page.get_by_text("Searched all there was at").wait_for()
    visit.shoot("Sessions-search-phone")
    sideways = "() => document.documentElement.scrollWidth > window.innerWidth"
    assert not visit.page.evaluate(sideways)
    visit.check()
