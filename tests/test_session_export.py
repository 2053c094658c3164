"""The buttons that hand a session or the list on: what they offer, and what a click makes."""

import csv
import json

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.rows import spend_log
from tracelib.page.base import downloads

ADA = "ada@example.org"


def script():
    """A page with nothing on it but the buttons."""
    import streamlit as st

    from tests.rows import KEY, NOON
    from tests.sources import FILTERS
    from tracelib.choice import Choice
    from tracelib.page.base import downloads
    from tracelib.page.base.frame import Frame
    from tracelib.page.base.view import View
    from tracelib.querying.installation import installation
    from tracelib.selection import session
    from tracelib.sessions import SessionSearch

    frame = Frame(("Sessions", {}), *(st.container() for _ in range(4)))
    view = View("Sessions", Choice(), FILTERS, NOON, installation(), frame)
    st.session_state["shown"] = downloads.shown(view)
    downloads.session_buttons(view, session("ada@example.org, s/1", KEY))
    downloads.list_buttons(view, view.filters, SessionSearch())


@pytest.fixture
def files(monkeypatch):
    """The files that the page offers, by label: their names, and what a click makes."""
    offered = {}

    def button(label, data, **options):
        offered[label] = (options["file_name"], data)

    monkeypatch.setattr(downloads.st, "download_button", button)
    st.cache_resource.clear()
    yield offered
    st.cache_resource.clear()


@pytest.fixture
def page(database, monkeypatch, files):
    said = {"messages": [{"role": "user", "content": f"I am {ADA}, EMP-12345"}]}
    row = spend_log(session_id=f"{ADA}, s/1", end_user=ADA, proxy_server_request=said)
    monkeypatch.setenv("DATABASE_URL", database(rows=[row]).url)
    monkeypatch.setenv("TRACELIB_REDACT", '{"employee": "EMP-[0-9]{5}"}')
    return AppTest.from_function(script, default_timeout=30).run()


def made(files, label: str) -> str:
    return files[label][1]().decode("utf-8-sig")


def test_files_are_masked_unless_somebody_switches_it_off(page, files):
    assert not page.exception
    assert [toggle.label for toggle in page.toggle][:7] == [
        *("E-mail addresses", "Keys and passwords", "Card numbers", "Telephone numbers"),
        *("Bank account numbers (IBAN)", "US social security numbers", "employee"),
    ]
    assert all(toggle.value for toggle in page.toggle)
    assert {label: name for label, (name, _) in files.items()} == {
        "One HTML file": "session-e-mails1-20261123-1200Z.html",
        "JSON": "session-e-mails1-20261123-1200Z.json",
        "CSV": "sessions-20261123-1200Z.csv",
        "JSON lines": "sessions-20261123-1200Z.jsonl",
    }
    for label in files:
        assert ADA not in made(files, label)
    asked = json.loads(made(files, "JSON"))["turns"][0]["asked"]
    assert asked[0]["parts"][0]["text"] == "I am [e-mail], [employee]"
    assert "I am [e-mail], [employee]" in made(files, "One HTML file")


def test_what_is_switched_off_is_in_the_file(page, files):
    page.toggle(key="mask session e-mail").set_value(False)
    page.toggle(key="mask list e-mail").set_value(False).run()
    assert f"I am {ADA}, [employee]" in made(files, "One HTML file")
    (line,) = list(csv.DictReader(made(files, "CSV").splitlines()))
    assert (line["End user"], line["Session"]) == (ADA, f"{ADA}, s/1")
    assert json.loads(made(files, "JSON lines"))["end_user"] == ADA


def test_the_page_itself_is_masked_where_the_url_says_so(page):
    assert page.session_state["shown"].names() == ()
    page.query_params["redacted"] = "yes"
    page.run()
    shown = page.session_state["shown"].names()
    assert shown == ("e-mail", "key", "card", "phone", "iban", "ssn", "employee")
