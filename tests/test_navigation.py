"""Moving through a conversation, in a real browser: by a jump and by key."""

from collections.abc import Iterator

import pytest

from tests.browsing import MARKS, Visit, chromium, playwright, serving

pytestmark = MARKS
expect = playwright.expect

SCRIPT = """
import streamlit as st
from tracelib.page.base import navigation

def jump(target, token):
    st.session_state.update(target=target, token=token)

st.text_input("Search", key="search")
st.text(f"Searched for: {st.session_state.search}")
st.button("To message 20", on_click=jump, args=("role-user-20", "20"))
st.button("Nowhere", on_click=jump, args=(None, "nowhere"))
navigation.scroll_to(
    st.session_state.get("target", st.query_params.get("at")),
    st.session_state.get("token", "opened"),
    st.query_params.get("said", ""),
    "top" if "said" in st.query_params else None,
)
with st.container(key="top"):
    st.text("The timeline")
transcript = st.container(key="transcript")
for number in range(1, 31):
    with transcript, st.container(key=f"role-user-{number}"):
        st.text(f"Message {number}" + " was said" * 20)
        st.space(300)
        if number % 10 == 0:
            with st.container(key=f"failed-{number}"):
                st.text(f"Failure {number}")
"""
TOP = pytest.approx(72, abs=2)  # px, below the header


@pytest.fixture(scope="module")
def conversation(tmp_path_factory) -> Iterator[str]:
    """The address of thirty messages, of which every tenth failed."""
    script = tmp_path_factory.mktemp("app") / "conversation.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with serving(str(script)) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser, conversation) -> Iterator[Visit]:
    visit = Visit(browser, conversation)
    visit.open("")
    yield visit
    visit.check()


def top_of(visit: Visit, key: str) -> float:
    place = visit.page.locator(f".st-key-{key}")
    return place.evaluate("place => place.getBoundingClientRect().top")


def focused(visit: Visit) -> str | None:
    """The key of the element that has the focus."""
    return visit.page.evaluate(
        "() => [...document.activeElement.classList]"
        ".find(name => name.startsWith('st-key-'))?.slice(7)"
    )


def press(visit: Visit, *keys: str) -> tuple[str | None, float]:
    """Press keys; which element has the focus then, and how far from the top it is."""
    for key in keys:
        visit.page.keyboard.press(key)
    at = focused(visit)
    return at, top_of(visit, at) if at else 0.0


def wait_for_focus(visit: Visit, key: str) -> None:
    expect(visit.page.locator(f".st-key-{key}")).to_be_focused()


def wait_until_read(visit: Visit, key: str) -> None:
    """Wait until this element has the focus and is where reading begins.

    What is drawn above it pushes it down for a moment.
    """
    wait_for_focus(visit, key)
    visit.page.wait_for_function(
        "([name, top]) => Math.abs("
        "document.querySelector(name).getBoundingClientRect().top - top) <= 2",
        arg=[f".st-key-{key}", TOP.expected],
        timeout=10_000,
    )


def test_a_jump_leads_to_its_message_once(visit):
    visit.page.get_by_role("button", name="To message 20").click()
    wait_until_read(visit, "role-user-20")
    assert press(visit, "g")[0] == "role-user-1"
    search = visit.page.get_by_label("Search")
    search.fill("word")
    search.press("Enter")
    expect(visit.page.get_by_text("Searched for: word")).to_be_visible()
    visit.settle()
    assert top_of(visit, "role-user-20") > 2_000
    visit.page.get_by_role("button", name="Nowhere").click()
    visit.settle()
    visit.page.get_by_role("button", name="To message 20").click()
    wait_for_focus(visit, "role-user-20")


def test_a_link_opens_at_its_message(visit):
    visit.open("?at=role-user-15")
    wait_until_read(visit, "role-user-15")
    visit.open("?at=role-user-99")
    assert focused(visit) is None


def test_keys_move_from_message_to_message(visit):
    assert press(visit, "j") == ("role-user-1", TOP)
    assert press(visit, "j", "j", "j") == ("role-user-4", TOP)
    assert press(visit, "k") == ("role-user-3", TOP)
    assert press(visit, "n") == ("failed-10", TOP)
    assert press(visit, "n") == ("failed-20", TOP)
    assert press(visit, "p") == ("failed-10", TOP)
    assert press(visit, "G")[0] == "role-user-30"
    assert press(visit, "j")[0] == "role-user-30"
    assert press(visit, "g") == ("role-user-1", TOP)
    assert press(visit, "k") == ("role-user-1", TOP)
    visit.page.locator(".st-key-role-user-12").evaluate("place => place.scrollIntoView()")
    assert press(visit, "j") == ("role-user-13", TOP)


def test_where_there_is_no_further_failure_a_line_says_so_for_a_while(visit):
    told = visit.page.locator(".navigation [role=status]")
    visit.page.keyboard.press("p")
    expect(told).to_have_text("No earlier failures on this page")
    assert press(visit, "n", "n", "n", "n")[0] == "failed-30"
    expect(told).to_have_text("No more failures on this page")
    expect(told).to_have_text("")


def test_sought_words_are_marked_and_a_button_leads_back(visit):
    visit.open("?said=MESSAGE+2&at=role-user-20")
    wait_for_focus(visit, "role-user-20")
    visit.page.wait_for_function("() => CSS.highlights.get('match')?.size === 11")
    marked = "() => [...CSS.highlights.get('match')].map(String)"
    assert set(visit.page.evaluate(marked)) == {"Message 2"}
    visit.page.get_by_role("button", name="Back to the timeline").click()
    wait_for_focus(visit, "top")
    visit.open("?said=.*")
    visit.page.wait_for_timeout(500)
    assert not visit.page.evaluate("() => CSS.highlights.has('match')")


def test_keys_that_are_typed_stay_where_they_are_typed(visit):
    search = visit.page.get_by_label("Search")
    search.press_sequentially("jnG")
    assert search.input_value() == "jnG"
    assert focused(visit) is None
    visit.page.keyboard.press("Tab")
    assert press(visit, "Control+j", "Alt+j", "x")[0] is None


def test_a_line_says_which_keys_there_are_and_a_strict_policy_lets_them_be(browser, conversation):
    visit = Visit(browser, conversation)
    policy = "default-src 'self'; script-src 'self' blob:; style-src 'self' 'unsafe-inline'"
    visit.page.route(f"{conversation}/", lambda asked: _with_policy(asked, policy))
    visit.page.goto(conversation)
    visit.page.get_by_text("Failure 30").wait_for()
    visit.settle()
    said = visit.page.locator(".navigation").inner_text()
    assert " ".join(said.split()) == (
        "j next message k previous n next failure p previous failure g first G last"
    )
    assert press(visit, "n") == ("failed-10", TOP)
    visit.page.context.close()


def _with_policy(asked, policy: str) -> None:
    answer = asked.fetch()
    asked.fulfill(response=answer, headers=answer.headers | {"content-security-policy": policy})
