"""The list of sessions in a real browser: typing, a search that reads on, a drag on the strip."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import test_browser
from tests.browsing import Visit, playwright, serving
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
    playwright.expect(visit.page.get_by_text("160 sessions")).to_have_count(1)
    drag_over_the_strip(visit, 0.25, 0.5)
    visit.page.wait_for_url("**since=**")
    narrowed = said_in_url(visit)
    since, until = (datetime.fromisoformat(narrowed[name][0]) for name in ("since", "until"))
    assert timedelta(hours=36) < until - since < timedelta(hours=48)
    visit.page.get_by_text("160 sessions").wait_for(state="detached")
    visit.settle()
    visit.shoot("Sessions-part-light")

    visit.page.get_by_label("Text in prompts and responses").fill("refund")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_text("Searched everything logged up to").wait_for()
    assert said_in_url(visit) == narrowed | {"said": ["refund"]}
    visit.page.get_by_role("button", name=" to ").first.click()
    visit.page.get_by_text("16 sessions", exact=True).wait_for()
    visit.settle()
    visit.shoot("Sessions-said-light")
    assert said_in_url(visit) == {"refresh": ["10s"], "said": ["refund"]}

    visit.page.get_by_role("button", name="contains “refund”").click()
    visit.page.get_by_text("160 sessions").wait_for()
    assert said_in_url(visit) == {"refresh": ["10s"]}
    visit.check()


def test_a_telephone_shows_the_whole_form_without_moving_sideways(browser, sessions):
    visit = Visit(browser, sessions, width=390)
    visit.open("Sessions?refresh=off&said=refund&min_requests=1&tag=User-Agent:+pytest")
    visit.page.get_by_text("Searched everything logged up to").wait_for()
    visit.page.get_by_text("More conditions (2)").click()
    visit.page.get_by_label("Cost, $", exact=True).first.fill("0.1")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**min_cost=0.1**")
    visit.page.get_by_text("More conditions (3)").wait_for()
    assert visit.page.get_by_label("Cost, $", exact=True).first.is_visible()
    visit.page.get_by_text("Searched everything logged up to").wait_for()
    visit.shoot("Sessions-search-phone")
    sideways = "() => document.documentElement.scrollWidth > window.innerWidth"
    assert not visit.page.evaluate(sideways)
    visit.check()


def test_two_sessions_are_ticked_and_read_side_by_side(browser, sessions):
    visit = Visit(browser, sessions)
    visit.open("Sessions?refresh=off&words=yes")
    grid = visit.page.locator("[data-testid=stDataFrame]").first
    compare = visit.page.get_by_role("button", name="Compare these two")
    assert compare.is_disabled()
    for row in (1, 3):
        grid.click(position={"x": 14, "y": 20 + row * 33})
        visit.settle()
    playwright.expect(compare).to_be_enabled(timeout=60_000)
    visit.shoot("Sessions-ticked-light")
    grid.hover()
    tools = visit.page.locator("[data-testid=stElementToolbar] button")
    shown = [one.get_attribute("aria-label") for one in tools.all() if one.is_visible()]
    assert shown == ["Clear selection", "Show/hide columns", "Search", "Fullscreen"]
    compare.click()
    visit.page.wait_for_url("**with=**")
    visit.page.get_by_text("Both sessions").wait_for()
    said = said_in_url(visit)
    assert (said["session"], said["with"]) == (["session-2"], ["session-0"])
    visit.check()


def test_a_session_that_was_left_is_opened_again_by_the_same_cell(browser, sessions):
    visit = Visit(browser, sessions)
    visit.open("Sessions?refresh=off")
    for _ in range(2):
        visit.page.locator("[data-testid=stDataFrame] canvas").first.wait_for()
        visit.page.locator("[data-testid=stDataFrame]").first.click(position={"x": 100, "y": 53})
        visit.page.wait_for_url("**session=**")
        visit.page.get_by_role("button", name="All sessions").click()
        visit.page.wait_for_url(lambda url: "session=" not in url)
        visit.settle()
    visit.check()


def test_names_are_chosen_from_those_that_are_there_or_typed(browser, sessions):
    visit = Visit(browser, sessions)
    visit.open("Sessions?refresh=off")
    visit.page.get_by_text("More conditions").click()
    field = visit.page.get_by_label("Call type")
    field.wait_for()
    visit.settle()
    field.click()
    visit.page.get_by_role("option", name="acompletion").click()
    visit.page.wait_for_url("**call_type=acompletion**")
    visit.page.get_by_text("More conditions (1)").wait_for()
    tag = visit.page.get_by_label("Tag", exact=True)
    tag.fill("never seen")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**tag=never+seen**")
    visit.page.get_by_text("No sessions match this search in this time range.").wait_for()
    assert said_in_url(visit) == {
        "refresh": ["off"],
        "call_type": ["acompletion"],
        "tag": ["never seen"],
    }
    visit.settle()
    visit.shoot("Sessions-suggested-light")
    visit.check()


@pytest.fixture
def long_log(database):
    """The address of the app over requests that take some seconds to search."""
    made = database()
    made.execute(LONG_TO_SEARCH)
    with serving(DATABASE_URL=made.url) as address:
        yield address


LONG_TO_SEARCH = """
    INSERT INTO "LiteLLM_SpendLogs" (
        request_id, session_id, call_type, api_key, spend, total_tokens, prompt_tokens,
        completion_tokens, "startTime", "endTime", model, proxy_server_request
    )
    SELECT 'r' || n, 's' || n, 'acompletion', 'k', 0, 0, 0, 0, moment, moment, 'm', body
    FROM generate_series(1, 9000) AS n,
        LATERAL (SELECT now() AT TIME ZONE 'UTC' - (n + 30) * interval '10 s' AS moment) AS started,
        (SELECT jsonb_build_object('input', repeat('tea or refund? ', 2000)) AS body) AS bodies
"""


def test_a_long_search_is_left_on_its_way_and_shows_two_hundred_at_a_time(browser, long_log):
    visit = Visit(browser, long_log)
    visit.page.goto(f"{long_log}/Sessions?refresh=off&said=nobody+said+this")
    visit.page.get_by_role("button", name="Stop", exact=True).wait_for()
    visit.page.get_by_text("Read ").first.wait_for()
    playwright.expect(visit.page.locator("[data-testid=stStatusWidget]")).to_be_hidden()
    visit.page.get_by_role("button", name="contains “nobody said this”").click()
    visit.page.get_by_text("9,000 sessions").wait_for()
    visit.settle()
    assert said_in_url(visit) == {"refresh": ["off"]}

    visit.page.get_by_label("Text in prompts and responses").fill("refund")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_text("The newest 200 sessions").wait_for()
    playwright.expect(visit.page.get_by_text("Complete back to")).to_have_count(1)
    visit.settle()
    visit.shoot("Sessions-capped-light")
    visit.page.get_by_role("button", name="Find 200 more").click()
    visit.page.get_by_text("The newest 400 sessions").wait_for()
    visit.settle()
    visit.check()
