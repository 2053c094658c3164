"""The page of a session in a real browser: clicks lead to messages, and what opens closes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browsing import MARKS, Visit, chromium, playwright, quicker, serving
from tests.database import Database
from tests.rows import spend_log
from tracelib.selection import read_row_id

pytestmark = MARKS
expect = playwright.expect
PAGE = "Sessions?refresh=off&session="
SLOW = 60_000  # ms, on a machine with much else to do
REFRESH_S = 3


def conversation(name: str, turns: int) -> Iterator[dict]:
    """A minute of work a turn; each sends again all that was said before. The third one fails."""
    start = datetime.now(UTC) - timedelta(hours=2)
    said: list[dict] = [{"role": "system", "content": "Be brief."}]
    for number in range(1, turns + 1):
        said = [*said, {"role": "user", "content": f"Question {number}, {'at length ' * 40}"}]
        answer = {"role": "assistant", "content": f"Answer {number}"}
        yield spend_log(
            session_id=name,
            request_id=f"{name}-{number}",
            startTime=start + timedelta(minutes=number),
            request_duration_ms=50_000,
            status="failure" if number == 3 else "success",
            proxy_server_request={"messages": said},
            response={"choices": [{"message": answer}]},
        )
        said = [*said, answer]


def with_clock(turns: int) -> Iterator[dict]:
    """A conversation whose system prompt says what time it is, and so changes."""
    for number, row in enumerate(conversation("clock", turns), start=1):
        row["proxy_server_request"]["messages"][0] = {
            "role": "system",
            "content": f"It is {number} o'clock.",
        }
        yield row


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def app(server, tmp_path_factory) -> Iterator[str]:
    """The address of the app over two conversations, one of them of several pages."""
    log = Database(server)
    log.insert([*conversation("short", 10), *conversation("long", 42), *with_clock(4)])
    variables = quicker(tmp_path_factory.mktemp("quicker"), REFRESH_S)
    with serving(DATABASE_URL=log.url, **variables) as address:
        yield address
    log.drop()


@pytest.fixture
def visit(browser, app) -> Iterator[Visit]:
    visit = Visit(browser, app)
    yield visit
    visit.check()


def said_in_url(visit: Visit) -> dict[str, list[str]]:
    return parse_qs(urlsplit(visit.page.url).query)


def turn(visit: Visit, number: object):
    """What was said in the request of this number."""
    return visit.page.locator(f".st-key-turn-{number}")


def click_bar(visit: Visit, row: int) -> str:
    """Click a bar of the waterfall; the number of the request that it opens."""
    bar = visit.page.locator(".st-key-waterfall .barlayer .point").nth(row)
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.wait_for_url("**request=**")
    named = read_row_id(said_in_url(visit)["request"][0])
    return named.request_id.removeprefix("short-")


def test_a_click_leads_to_its_message_as_often_as_it_is_made(visit):
    visit.open(f"{PAGE}short")
    clicked = turn(visit, click_bar(visit, 6))
    expect(clicked).to_be_focused()
    expect(clicked).to_be_in_viewport()
    # The second click takes the choice back, and leads there once more.
    visit.settle()
    visit.page.keyboard.press("G")
    expect(clicked).not_to_be_focused()
    click_bar(visit, 6)
    expect(clicked).to_be_focused()
    to_failure = visit.page.get_by_role("button", name="3", exact=True)
    for _ in range(2):
        to_failure.click()
        expect(turn(visit, 3)).to_be_focused()
        visit.page.keyboard.press("G")
        expect(turn(visit, 3)).not_to_be_focused()


def test_a_search_leads_to_its_words_under_a_bar_that_stays(visit):
    visit.open(f"{PAGE}short&said=answer+8")
    expect(turn(visit, 8)).to_be_focused()
    visit.page.wait_for_function("() => CSS.highlights.get('match')?.size === 1")
    bar = visit.page.locator(".st-key-conversation-bar")
    box = bar.bounding_box()
    assert 0 < box["y"] + box["height"] <= turn(visit, 8).bounding_box()["y"]
    visit.page.keyboard.press("G")
    expect(bar).to_be_in_viewport(ratio=1)
    bar.get_by_role("button", name="Back to the timeline").click()
    expect(visit.page.locator(".st-key-timeline")).to_be_in_viewport()


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1440), ("light", 390)])
def test_what_a_client_changed_is_opened_set_in_and_passed_by_the_keys(browser, app, scheme, width):
    visit = Visit(browser, app, scheme, width)
    visit.open(f"{PAGE}clock")
    visit.page.keyboard.press("g")
    reached = []
    for _ in range(9):
        reached.append(visit.page.evaluate("() => document.activeElement.innerText.split(' ')[0]"))
        visit.page.keyboard.press("j")
    assert [role.split("\n")[0] for role in reached] == ["System"] + ["User", "Assistant"] * 4
    change = turn(visit, 2).locator("[data-testid=stExpander]")
    change.get_by_text("System prompt changed: 1 word added, 1 removed").click()
    new = change.locator("[class*=st-key-history-system]")
    expect(new).to_contain_text("System, as it is sent now")
    expect(new).to_contain_text("It is 2 o'clock.")
    message = turn(visit, 2).locator("[class*=st-key-role-user]")
    assert new.bounding_box()["x"] > message.bounding_box()["x"] + 10
    # What went wrong is not as faint as other captions.
    failed = visit.page.locator(".st-key-failed-3 [data-testid=stCaptionContainer]").first
    expect(failed).to_have_css("opacity", "1")
    assert not visit.is_sideways()
    visit.shoot(f"session-changed-{scheme}-{width}")
    visit.check()


def test_a_page_that_is_turned_to_is_read_from_its_top(visit):
    visit.open(f"{PAGE}long")
    pager = visit.page.locator("[class*=st-key-transcript-page-1-below]")
    pager.get_by_role("button", name="Page 2").click()
    visit.page.wait_for_url("**page=2**")
    expect(turn(visit, 41)).to_be_in_viewport()
    expect(turn(visit, 1)).to_have_count(0)


def test_what_changed_opens_stays_over_a_refresh_and_closes(visit):
    visit.open("Sessions?refresh=10s&session=short")
    turn(visit, 2).get_by_role("button", name="What changed").click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog).to_contain_text("added 2, kept 2")
    compared = map(read_row_id, said_in_url(visit)["diff"])
    assert [row.request_id for row in compared] == ["short-1", "short-2"]
    updated = visit.page.get_by_text("Updated ")
    expect(updated).not_to_have_text(updated.inner_text())
    expect(dialog).to_contain_text("Question 2")
    visit.page.get_by_label("Close").click()
    expect(dialog).to_have_count(0)
    visit.page.wait_for_url(lambda url: "diff=" not in url)


def test_a_session_is_handed_on_as_a_file(visit):
    visit.open(f"{PAGE}short")
    visit.page.get_by_role("button", name="Export").click()
    with visit.page.expect_download() as handed:
        visit.page.get_by_role("button", name="One HTML file").click()
    assert handed.value.suggested_filename.startswith("session-short-")
    assert "Question 10" in handed.value.path().read_text("utf-8")


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1440), ("light", 390)])
def test_it_fits_a_dark_desk_and_a_telephone(browser, app, scheme, width):
    visit = Visit(browser, app, scheme, width)
    for path, look in ((f"{PAGE}short", "Session"), (f"{PAGE}short&with=short", "Session-pair")):
        visit.open(path)
        assert not visit.is_sideways()
        visit.shoot(f"{look}-{width}-{scheme}")
    visit.check()
