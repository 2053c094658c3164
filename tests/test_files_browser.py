"""A click brings the file in a real browser, in each way in; to nobody else, or with a sentence."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.behind_proxy import HEADER, SECRET
from tests.browsing import MARKS, Visit, chromium, playwright, serving
from tests.directory import directory
from tests.rows import NOON, spend_log
from tests.server import free_port
from tests.visiting import people
from tracelib import errors

pytestmark = MARKS
expect = playwright.expect
DAY = f"range=custom&from={NOON:%Y-%m-%d}&to={NOON:%Y-%m-%d}&refresh=off"
SAID = "The parcel is lost."


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def place(database, tmp_path) -> dict[str, str]:
    """A database with one session, an audit log, and a list of people with ada alone."""
    said = {"messages": [{"role": "user", "content": SAID}]}
    made = database(rows=[spend_log(session_id="s-1", proxy_server_request=said)])
    listed = tmp_path / "people.json"
    listed.write_text(people(ada=("auditor", {"all": True}), eve=("auditor", {"all": True})))
    return {
        "DATABASE_URL": made.url,
        "TRACELIB_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
        "TRACELIB_PEOPLE": str(listed),
    }


@pytest.fixture(params=["open", "sign-in", "proxy"])
def app(request, place, tmp_path) -> Iterator[tuple[str, dict[str, str]]]:
    """The app, with how a visitor comes in."""
    if request.param == "open":
        del place["TRACELIB_PEOPLE"]
        with serving("asgi.py", **place) as address:
            yield address, "open"
    elif request.param == "proxy":
        known = {"TRACELIB_IDENTITY_HEADER": HEADER, "TRACELIB_PROXY_SECRET": SECRET}
        with serving("tests.behind_proxy:app", **place, **known) as address:
            yield address, "proxy"
    else:
        port, secrets = free_port(), tmp_path / "secrets.toml"
        with directory() as known:
            known.app = f"http://127.0.0.1:{port}"
            known.claims = {"email": "ada@example.com"}
            secrets.write_text(known.secrets())
            with serving("asgi.py", port, STREAMLIT_SECRETS_FILES=str(secrets), **place) as address:
                yield address, "sign-in"


def entered(browser, app: tuple[str, str]) -> Visit:
    """A tab of somebody who is let in, on the session."""
    address, way = app
    visit = Visit(browser, address, newcomer=True)
    if way == "sign-in":
        visit.open("")
        visit.page.get_by_role("button", name="Sign in").click()
        expect(visit.page.get_by_role("heading", name="Home")).to_be_visible()
    visit.open(f"Sessions?session=s-1&{DAY}")
    visit.page.get_by_role("button", name="Export").click()
    return visit


def test_a_click_brings_the_file_to_its_own_tab_alone(browser, app, place):
    visit = entered(browser, app)
    button = visit.page.get_by_role("button", name="JSON", exact=True)
    with visit.page.expect_request("**/files") as sent, visit.page.expect_download() as handed:
        button.focus()
        visit.page.keyboard.press("Enter")
    assert handed.value.suggested_filename.startswith("session-s-1-")
    asked = json.loads(handed.value.path().read_text("utf-8"))["turns"][0]["asked"]
    assert asked[0]["parts"][0]["text"] == SAID
    record = json.loads(Path(place["TRACELIB_AUDIT_LOG"]).read_text().splitlines()[-1])
    who = None if app[1] == "open" else "ada@example.com"
    assert (record["what"], record["who"], record["format"]) == ("exported", who, "json")
    _nobody_else_gets_it(browser, visit, app, sent.value.headers["x-tracelib-file"])
    _it_fails_with_a_sentence(visit, app, place)
    visit.page.context.close()


def _nobody_else_gets_it(browser, visit: Visit, app: tuple[str, str], file_id: str) -> None:
    """With the ID alone, with the cookies of another, with a false sign-in; not even by a link."""
    address, way = app
    headers = {"X-Tracelib-File": file_id, "Origin": address, "Sec-Fetch-Site": "same-origin"}
    other = browser.started.new_context()
    known = visit.page.context.cookies()
    for cookies in ([], [one for one in known if one["name"] != "_streamlit_xsrf"]):
        other.clear_cookies()
        other.add_cookies(cookies)
        assert other.request.post(f"{address}/files", headers=headers).status == 404
    if way == "proxy":
        other.add_cookies([*known, {"name": "visitor", "value": "eve", "url": address}])
        assert other.request.post(f"{address}/files", headers=headers).status == 404
    other.clear_cookies()
    other.add_cookies(known)
    assert other.request.get(f"{address}/files", headers=headers).status == 404
    assert other.request.post(f"{address}/files", headers=headers).status == 200
    if way == "sign-in":
        other.add_cookies([{"name": "_streamlit_user", "value": "x", "url": address}])
        assert other.request.post(f"{address}/files", headers=headers).status == 404
    other.close()


def _it_fails_with_a_sentence(visit: Visit, app: tuple[str, str], place: dict[str, str]) -> None:
    status = visit.page.get_by_role("status").filter(has_text=" ")
    button = visit.page.get_by_role("button", name="One HTML file")
    if app[1] == "open":
        log = Path(place["TRACELIB_AUDIT_LOG"])
        log.unlink()
        log.mkdir()
        sentence = errors.AuditFailed.sentence
    else:
        Path(place["TRACELIB_PEOPLE"]).write_text(people(eve=("auditor", {"all": True})))
        sentence = errors.NotForThisRole.sentence
    button.click()
    expect(status.filter(has_text=sentence)).to_be_visible()
    visit.page.route("**/files", lambda route: route.abort())
    button.click()
    unreachable = status.filter(has_text="The app could not be reached.")
    expect(unreachable).to_be_visible()
    # What a sign-in page of a proxy would be.
    visit.page.unroute("**/files")
    visit.page.route(
        "**/files", lambda route: route.fulfill(body="<html>", content_type="text/html")
    )
    button.click()
    expect(status.filter(has_text=sentence)).to_have_count(0)
    expect(unreachable).to_be_visible()
