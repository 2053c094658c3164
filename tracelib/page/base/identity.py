"""The viewer of a page: anyone on an open app, a person who signed in, or one named by a proxy."""

import time
from dataclasses import replace
from typing import NoReturn
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from tracelib import errors, events, hosts
from tracelib.connections.strangers import CONNECTIONS, NONCE
from tracelib.page.base.persons import WayIn, person_by_proxy, person_of_claims, way_in
from tracelib.page.text.markdown_escape import label
from tracelib.permissions.people import ANYONE, Person, access_of
from tracelib.querying.installation import (
    Installation,
    has_sign_in_settings,
    host_names,
    installation,
)
from tracelib.settings import Settings

VIEWER, IDENTIFIED = "viewer", "person and access"
# The platform may reach the app on its own machine.
COMMUNITY_CLOUD = "*.streamlit.app"


def identify(installed: Installation) -> tuple[Person, Installation]:
    """Who is the viewer, and what of the installation may they see?

    Stops the page with a sentence for viewers who are not signed in or may see nothing. Raises
    BadSetting if the settings contradict one another.
    """
    way = way_in(installed.settings)
    if way == "open":
        _note_connection(is_viewer=True)
        return _remembered(ANYONE, installed)
    person = _signed_in() if way == "sign-in" else _person_by_proxy(installed.settings)
    access = access_of(person, installed.settings.people or ())
    if access is None:
        _refuse(person, way)
    _note_connection(is_viewer=True)
    _clear_state_of_another(person)
    return _remembered(person, replace(installed, access=access))


def tab() -> str:
    """The tab of the viewer's browser, by a name that no other has."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def time_zone() -> str:
    """The time zone of the viewer's browser; UTC if it is none that is known here."""
    zone = st.context.timezone or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return "UTC"
    return zone


def check_host() -> None:
    """Raise HostNotAllowed if the tab has opened the app by a foreign name.

    `asgi.py` refuses such requests itself, and knows better on which address they arrive.
    """
    if hosts.are_checked():
        return
    names = host_names()
    names = replace(names, known=(*names.known, COMMUNITY_CLOUD))
    is_local = hosts.is_loopback(st.get_option("server.address"))
    if not names.allow(st.context.headers.get("Host"), is_local):
        raise errors.HostNotAllowed()


def identified() -> tuple[Person, Installation]:
    """Who is the viewer of this page, and what may they see, as `identify` has found?"""
    if IDENTIFIED not in st.session_state:
        return ANYONE, installation()
    found: tuple[Person, Installation] = st.session_state[IDENTIFIED]
    return found


def _remembered(person: Person, installed: Installation) -> tuple[Person, Installation]:
    st.session_state[IDENTIFIED] = person, installed
    return person, installed


def is_open() -> bool:
    """Is the app open to everyone? A best guess if a setting is not valid."""
    return "is_logged_in" not in st.user and not has_sign_in_settings()


def _signed_in() -> Person:
    person = person_of_claims(st.user.to_dict(), time.time()) if st.user.is_logged_in else None
    if person is None:
        _begin()
        st.button("Sign in", type="primary", on_click=st.login, key="sign in")
        st.stop()
    return person


def _person_by_proxy(settings: Settings) -> Person:
    headers = {name.lower(): st.context.headers.get_all(name) for name in st.context.headers}
    person = person_by_proxy(headers, settings)
    if person is None:
        events.log("warning", "sign_in_refused", reason="no identity")
        _begin()
        st.text(
            "Open the dashboard through your sign-in proxy; this connection carries no identity."
        )
        st.stop()
    return person


def _refuse(person: Person, way: WayIn) -> NoReturn:
    events.log("warning", "sign_in_refused", reason="not listed")
    _begin()
    st.text(
        f"You are signed in as {person.name or person.who}, but have not been given access. "
        "Ask the administrator to list you in TRACELIB_PEOPLE."
    )
    if way == "sign-in":
        sign_out()
    st.stop()


def who(person: Person, installed: Installation) -> None:
    """Show who is signed in, in the sidebar; nothing if the app is open."""
    if person.who is None:
        return
    st.caption(f"{label(person.name or person.who, 60)}, {installed.access.role}")
    if way_in(installed.settings) == "sign-in":
        sign_out()


def sign_out() -> None:
    """Draw the sign-out button."""
    st.button("Sign out", on_click=st.logout, key="sign out", width="stretch")


def _begin() -> None:
    _note_connection(is_viewer=False)
    st.header("LLM traceability", anchor=False)


def _note_connection(is_viewer: bool) -> None:
    """Note for the server whether this tab's connection is a viewer's."""
    context = get_script_run_ctx()
    session_id = context.session_id if context else None
    CONNECTIONS.decide(st.context.headers.get(NONCE), session_id, is_viewer)


def _clear_state_of_another(person: Person) -> None:
    """Forget the state of a tab if another person uses it now."""
    if st.session_state.get(VIEWER, person.who) != person.who:
        # `clear` would stop at the first widget that is not drawn yet.
        for remembered in list(st.session_state):
            st.session_state.pop(remembered, None)
    st.session_state[VIEWER] = person.who
