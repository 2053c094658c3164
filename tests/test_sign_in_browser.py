"""Signing in and out in a real browser, by a directory that speaks OpenID Connect."""

from collections.abc import Iterator

import pytest

from tests.browsing import MARKS, Visit, chromium, playwright, serving
from tests.directory import Directory, directory
from tests.server import free_port
from tests.visiting import people

pytestmark = MARKS
expect = playwright.expect


@pytest.fixture(scope="module")
def known(real_rows_database, tmp_path_factory) -> Iterator[Directory]:
    """A directory, and the app that people sign in to by it."""
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    port = free_port()
    with directory() as known:
        known.app = f"http://127.0.0.1:{port}"
        secrets.write_text(known.secrets())
        variables = {
            "DATABASE_URL": real_rows_database.url,
            "STREAMLIT_SECRETS_FILES": str(secrets),
            "TRACELIB_PEOPLE": people(ada=("viewer", {"all": True})),
        }
        with serving("asgi.py", port, **variables):
            yield known


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def signed_in(browser, known: Directory, **claims: object) -> Visit:
    """A tab of somebody who has just come back from the directory."""
    known.claims = claims
    visit = Visit(browser, known.app, newcomer=True)
    visit.open("")
    visit.page.get_by_role("button", name="Sign in").click()
    return visit


def test_somebody_signs_in_and_out(browser, known):
    visit = signed_in(browser, known, email="ada@example.com", name="Ada Lovelace")
    expect(visit.page.get_by_text("Ada Lovelace, viewer")).to_be_visible()
    expect(visit.page.get_by_role("heading", name="Home")).to_be_visible()
    visit.page.get_by_role("button", name="Sign out").click()
    expect(visit.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "Ada Lovelace" not in visit.page.content()
    visit.page.context.close()


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "eve@example.com"},
        {"email": "ada@example.com", "email_verified": False},
        {"name": "ada@example.com"},
    ],
)
def test_who_is_not_listed_sees_nothing(browser, known, claims):
    visit = signed_in(browser, known, **claims)
    expect(visit.page.get_by_text("have not been given access")).to_be_visible()
    assert visit.page.get_by_test_id("stMetric").count() == 0
    visit.page.context.close()
