"""Files are fetched by the tab that offers them and by nobody else, whole or not at all."""

import logging
import threading
from http import HTTPStatus

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from tests.calling import place_of
from tracelib import errors, files
from tracelib.files import File, Offers, Tab
from tracelib.permissions.people import ANYONE, Person

HOME = place_of("postgresql://nobody@localhost/nothing", [])
ADA = Tab("session of ada", b"browser of ada", "ada")
MINE = {"cookie": "browser=browser of ada", "who": "ada"}
BODY = b"one,two\n" * 50_000


def identify(request: Request):
    """What a test sends of itself: a cookie and a name."""
    browser, who = request.cookies.get("browser"), request.headers.get("who")
    if who == "turned out":
        raise errors.NotForThisRole
    return browser and browser.encode(), Person(who) if who else ANYONE, HOME


def make_body(person, installed):
    return [BODY]


class Place:
    """An app with the path of files, and the tabs that are open there."""

    def __init__(self) -> None:
        self.offers, self.open = Offers(), {ADA.session_id}
        app = Starlette(routes=files.routes(identify, self.offers))
        self.client = TestClient(app)

    def offer(self, make=make_body, tab=ADA, key="CSV") -> str:
        file = File("a list – 1.csv", "text/csv", make)
        return self.offers.add(tab, key, file, lambda: tab.session_id in self.open)

    def fetch(self, file_id: str | None, method="POST", path="/files", **headers: str):
        own = {} if file_id is None else {"X-Tracelib-File": file_id}
        return self.client.request(method, path, headers=MINE | own | headers)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.mark.parametrize("path", ["/files", "/traces/files", "/a/b/files"])
@pytest.mark.parametrize("accepted", ["gzip, br", "identity"])
def test_a_file_arrives_whole(place, path, accepted):
    response = place.fetch(place.offer(), path=path, **{"accept-encoding": accepted})
    assert response.content == BODY
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''a%20list%20%E2%80%93%201.csv"
    )
    if accepted != "identity":
        assert response.headers["content-encoding"] == "gzip"
        assert int(response.headers["content-length"]) < len(BODY) / 20


def test_it_is_made_for_who_fetches_it_at_that_moment_and_each_time(place):
    made = []

    def make(person, installed):
        made.append((person.who, installed))
        return [b"a"]

    file_id = place.offer(make)
    assert made == []
    assert [place.fetch(file_id).content for _ in range(2)] == [b"a", b"a"]
    assert made == [("ada", HOME)] * 2


@pytest.mark.parametrize(
    "other",
    [
        {"method": "GET"},
        {"method": "HEAD"},
        {"cookie": "browser=browser of eve"},
        {"cookie": ""},
        {"who": "eve"},
        {"who": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_nobody_else_gets_it_before_or_after(place, other):
    file_id = place.offer()
    before = place.fetch(file_id, **other)
    assert place.fetch(file_id, **{"sec-fetch-site": "same-origin"}).content == BODY
    after = place.fetch(file_id, **other)
    for response in (before, after):
        assert response.status_code == HTTPStatus.NOT_FOUND
        assert BODY[:8] not in response.content
        assert "content-disposition" not in response.headers


def test_an_id_that_is_none_is_refused_alike(place):
    place.offer()
    for file_id in (None, "", "x" * 43):
        response = place.fetch(file_id)
        assert response.status_code == HTTPStatus.NOT_FOUND
        assert response.json() == {
            "sentence": errors.FileUnavailable.sentence,
            "remedy": errors.FileUnavailable.remedy,
        }


def test_a_closed_tab_offers_nothing_until_it_is_connected_again(place):
    file_id = place.offer()
    place.open.clear()
    assert place.fetch(file_id).status_code == HTTPStatus.NOT_FOUND
    place.open.add(ADA.session_id)
    assert place.fetch(file_id).content == BODY


def test_a_tab_offers_one_file_for_a_key_and_no_more_than_some(place):
    first = place.offer()
    assert place.offer(lambda *_: [b"new"]) == first
    assert place.fetch(first).content == b"new"
    others = [place.offer(key=str(number)) for number in range(files.MOST_OF_TAB)]
    assert place.fetch(first).status_code == HTTPStatus.NOT_FOUND
    assert {place.fetch(one).content for one in others} == {BODY}


def test_of_many_tabs_and_of_closed_ones_nothing_is_kept(place, monkeypatch):
    tabs = [Tab(str(number), None, None) for number in range(4)]
    place.open |= {tab.session_id for tab in tabs}
    closed = place.offer()
    place.open.remove(ADA.session_id)
    place.offer(tab=tabs[0])
    assert closed in place.offers._offers  # it may come back
    monkeypatch.setattr(files, "CLOSED_FOR_S", -1)
    place.offer(tab=tabs[1])
    assert closed not in place.offers._offers
    monkeypatch.setattr(files, "MOST_TABS", 2)
    place.offer(tab=tabs[2])
    assert [offer.tab for offer in place.offers._offers.values()] == tabs[1:3]


def failing(error):
    def make(person, installed):
        yield BODY
        raise error

    return make


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (errors.AuditFailed("No space left on device"), 503, errors.AuditFailed),
        (errors.DatabaseUnreachable("10.0.0.1 refuses"), 503, errors.DatabaseUnreachable),
        (errors.NotForThisRole(), 403, errors.NotForThisRole),
        (ZeroDivisionError("secret"), 500, errors.OwnFault),
    ],
)
def test_a_file_that_fails_is_a_sentence_and_no_part_of_a_file(place, caplog, error, status, shown):
    caplog.set_level(logging.WARNING)
    response = place.fetch(place.offer(failing(error)))
    assert response.status_code == status
    assert response.json() == {"sentence": shown.sentence, "remedy": shown.remedy}
    assert type(error).__name__ in caplog.text
    assert "secret" not in caplog.text


def test_who_may_see_nothing_any_more_is_told_so(place):
    response = place.fetch(place.offer(), who="turned out")
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert response.json()["sentence"] == errors.NotForThisRole.sentence


def test_two_are_made_at_once_and_when_too_many_wait_one_is_refused(place, monkeypatch):
    monkeypatch.setattr(files, "MOST_WAITING", 1)
    begun, go_on, at_once, most = threading.Semaphore(0), threading.Event(), [], []

    def make(person, installed):
        at_once.append(1)
        most.append(len(at_once))
        begun.release()
        assert go_on.wait(30)
        at_once.pop()
        return [BODY]

    file_id = place.offer(make)
    with place.client:  # one event loop for all
        fetched = []
        threads = [
            threading.Thread(target=lambda: fetched.append(place.fetch(file_id))) for _ in range(3)
        ]
        for thread in threads[:2]:
            thread.start()
            assert begun.acquire(timeout=30)
        threads[2].start()
        busy = _refused_soon(place, file_id)
        go_on.set()
        for thread in threads:
            thread.join(30)
    assert busy == {
        "sentence": errors.FilesBusy.sentence,
        "remedy": errors.FilesBusy.remedy,
    }
    assert [response.content for response in fetched] == [BODY] * 3
    assert max(most) == files.AT_ONCE == 2


def _refused_soon(place: Place, file_id: str) -> dict[str, str]:
    """What is said once the third waits; until then one that would wait itself is not sent."""
    route = place.client.app.routes[0].app
    while route._making.statistics().tasks_waiting < 1:
        threading.Event().wait(0.01)
    return place.fetch(file_id).json()


def test_what_is_held_for_sending_is_bounded_and_let_go(place, monkeypatch):
    route = place.client.app.routes[0].app
    assert place.fetch(place.offer()).content == BODY
    assert route._bytes == 0
    monkeypatch.setattr(files, "MOST_BYTES", -1)
    assert place.fetch(place.offer()).json()["sentence"] == errors.FilesBusy.sentence
