"""Who looks: whoever reaches an open app, somebody who signed in, or whom a proxy vouches for.

Streamlit itself signs people in where secrets.toml has a section [auth]. A proxy before the app
names a person in a header, and proves that it was the proxy by a secret in another one: which
machine a connection comes from is not known, for the server takes the address that is forwarded.
"""

import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NoReturn

import streamlit as st

from tracelib import errors
from tracelib.page.text.safe import label
from tracelib.permissions.people import ANYONE, Person, access_of
from tracelib.querying.installation import Installation, installation, says_who_may_look
from tracelib.settings import Settings

WayIn = Literal["open", "sign-in", "proxy"]
SECRET_HEADER = "X-Tracelib-Proxy-Secret"
# Streamlit keeps a sign-in for 30 days, whatever has become of the person since.
SIGNED_IN_FOR_S = 12 * 3_600
CLOCKS_DIFFER_S = 60
# Longer, or with signs that do not show, is no name of anybody.
NAMED = re.compile(r"[^\x00-\x20\x7f-\xa0]{1,320}")
LOOKING = "who looks"


def let_in(installed: Installation) -> tuple[Person, Installation]:
    """Who looks, and what of the installation do they see?

    Stops the page for whoever is not signed in, or may see nothing, in a sentence. Raises
    BadSetting where the settings contradict one another.
    """
    way = way_in(installed.settings)
    if way == "open":
        return ANYONE, installed
    person = _signed_in() if way == "sign-in" else _vouched_for(installed.settings)
    access = access_of(person, installed.settings.people or ())
    if access is None:
        _turned_away(person, way)
    _forget_another(person)
    return person, replace(installed, access=access)


def way_in(settings: Settings) -> WayIn:
    """How do people come in? Raises BadSetting where that is not plain."""
    # Streamlit knows whether somebody is signed in only where they can be.
    can_sign_in = "is_logged_in" in st.user
    if can_sign_in and settings.identity_header:
        raise errors.BadSetting(
            "[auth] in secrets.toml and TRACELIB_IDENTITY_HEADER are both set; set only one."
        )
    if can_sign_in:
        return "sign-in"
    if settings.identity_header:
        return "proxy"
    if settings.people is not None:
        raise errors.BadSetting(
            "TRACELIB_PEOPLE is set, but neither [auth] in secrets.toml nor "
            "TRACELIB_IDENTITY_HEADER is, so people cannot be identified."
        )
    return "open"


def is_open() -> bool:
    """Need nobody come in, as far as can be told where a setting cannot be used?"""
    return "is_logged_in" not in st.user and not says_who_may_look()


def said_of(claims: Mapping[str, Any], now_s: float) -> Person | None:
    """Who is it, by the claims of a sign-in? None where that is too long ago.

    An address is nobody's where the directory says anything of it but that it is verified.
    """
    if not _is_signed_in(claims.get("iat"), now_s):
        return None
    is_verified = str(claims.get("email_verified", True)).lower() == "true"
    known = {
        name: values
        for name, value in claims.items()
        if (values := _values(value)) and (is_verified or name != "email")
    }
    who, name = (known.get(one, (None,))[0] for one in ("email", "name"))
    return Person(who or known.get("sub", (None,))[0], name or who, known, has_address=bool(who))


def still(person: Person, installed: Installation) -> Installation:
    """What may they see by now, whose page was drawn some time ago?

    Raises NotForThisRole where that is nothing any more, and BadSetting where it cannot be known.
    """
    settings = installation().settings
    if person.who is None and settings.people is None and not settings.identity_header:
        return installed
    access = access_of(person, settings.people or ())
    # Behind a proxy a claim is a header, and none of them says when somebody signed in.
    is_by_proxy = bool(settings.identity_header)
    if access is None or not (is_by_proxy or _is_still_signed_in(person)):
        raise errors.NotForThisRole()
    return replace(installed, access=access)


def vouched_for(
    headers: Mapping[str, list[str]], named_in: str, secret: str | None
) -> Person | None:
    """Who is it, by a proxy's headers? None where it cannot have been the proxy that says so.

    `headers` are by their names in small letters. One that is there twice says nothing: one of
    the two may be the visitor's own.
    """
    said = {name: values[0].strip() for name, values in headers.items() if len(values) == 1}
    proof, who = said.get(SECRET_HEADER.lower(), ""), said.get(named_in.lower(), "")
    if not secret or not hmac.compare_digest(proof.encode(), secret.encode()):
        return None
    if not NAMED.fullmatch(who):
        return None
    del said[SECRET_HEADER.lower()]
    return Person(who, who, {name: _parts(value) for name, value in said.items()})


def _is_signed_in(issued: object, now_s: float) -> bool:
    """Does a sign-in of then still count? One of the future never did, but for a clock's error."""
    if not isinstance(issued, int | float):
        return False
    return now_s - SIGNED_IN_FOR_S <= issued <= now_s + CLOCKS_DIFFER_S


def _is_still_signed_in(person: Person) -> bool:
    issued = person.claims.get("iat", ())
    return len(issued) == 1 and _is_signed_in(float(issued[0]), time.time())


def _signed_in() -> Person:
    person = said_of(st.user.to_dict(), time.time()) if st.user.is_logged_in else None
    if person is None:
        _begin()
        st.button("Sign in", type="primary", on_click=st.login, key="sign in")
        st.stop()
    return person


def _vouched_for(settings: Settings) -> Person:
    headers = {name.lower(): st.context.headers.get_all(name) for name in st.context.headers}
    person = vouched_for(headers, settings.identity_header or "", settings.proxy_secret)
    if person is None:
        _begin()
        st.text(
            "Open the dashboard through your sign-in proxy; this connection carries no identity."
        )
        st.stop()
    return person


def _turned_away(person: Person, way: WayIn) -> NoReturn:
    _begin()
    st.text(
        f"You are signed in as {person.name or person.who}, but have not been given access. "
        "Ask the administrator to list you in TRACELIB_PEOPLE."
    )
    if way == "sign-in":
        sign_out()
    st.stop()


def who(person: Person, installed: Installation) -> None:
    """Who is signed in, in the sidebar; nothing where the app is open."""
    if person.who is None:
        return
    st.caption(f"{label(person.name or person.who, 60)}, {installed.access.role}")
    if way_in(installed.settings) == "sign-in":
        sign_out()


def sign_out() -> None:
    """The way out."""
    st.button("Sign out", on_click=st.logout, key="sign out", width="stretch")


def _begin() -> None:
    st.header("LLM traceability", anchor=False)


def _forget_another(person: Person) -> None:
    """A tab that goes on for somebody else must not remember what the other one opened."""
    if st.session_state.get(LOOKING, person.who) != person.who:
        # `clear` would stop at the first widget that is not drawn yet.
        for remembered in list(st.session_state):
            st.session_state.pop(remembered, None)
    st.session_state[LOOKING] = person.who


def _values(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(one) for one in value if isinstance(one, str | int | float))
    return (str(value),) if isinstance(value, str | int | float) and value != "" else ()


def _parts(value: str) -> tuple[str, ...]:
    """Of a header each part between commas, as proxies write groups."""
    return tuple(part for one in value.split(",") if (part := one.strip()))
