"""The viewer: anyone on an open app, a person who signed in, or one named by a proxy.

Streamlit itself signs people in if secrets.toml has a section [auth]. A proxy before the app names
a person in a header, and proves itself by a secret in another one: the machine of a connection is
unknown, because the server uses the forwarded address.
"""

import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NoReturn

import streamlit as st

from tracelib import errors
from tracelib.page.text.markdown_escape import label
from tracelib.permissions.people import ANYONE, Person, access_of
from tracelib.querying.installation import Installation, has_sign_in_settings, installation
from tracelib.settings import Settings

WayIn = Literal["open", "sign-in", "proxy"]
SECRET_HEADER = "X-Tracelib-Proxy-Secret"
# Streamlit keeps a sign-in for 30 days, even if the person has lost access since.
SIGNED_IN_FOR_S = 12 * 3_600
CLOCKS_DIFFER_S = 60
# A longer name, or one with invisible characters, is not valid.
NAMED = re.compile(r"[^\x00-\x20\x7f-\xa0]{1,320}")
VIEWER = "viewer"


def identify(installed: Installation) -> tuple[Person, Installation]:
    """Who is the viewer, and what of the installation may they see?

    Stops the page with a sentence for viewers who are not signed in or may see nothing. Raises
    BadSetting if the settings contradict one another.
    """
    way = way_in(installed.settings)
    if way == "open":
        return ANYONE, installed
    person = _signed_in() if way == "sign-in" else _person_by_proxy(installed.settings)
    access = access_of(person, installed.settings.people or ())
    if access is None:
        _refuse(person, way)
    _clear_state_of_another(person)
    return person, replace(installed, access=access)


def way_in(settings: Settings) -> WayIn:
    """How do people sign in? Raises BadSetting if that is not clear."""
    # Streamlit knows whether a person is signed in only if sign-in is configured.
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
    """Is the app open to everyone? A best guess if a setting is not valid."""
    return "is_logged_in" not in st.user and not has_sign_in_settings()


def person_of_claims(claims: Mapping[str, Any], now_s: float) -> Person | None:
    """The person with these claims of a sign-in. None if it is too long ago.

    An address is ignored if `email_verified` has any value but true.
    """
    if not _is_signed_in(claims.get("iat"), now_s):
        return None
    is_verified = str(claims.get("email_verified", True)).lower() == "true"
    by_name = {
        name: values
        for name, value in claims.items()
        if (values := _values(value)) and (is_verified or name != "email")
    }
    who, name = (by_name.get(one, (None,))[0] for one in ("email", "name"))
    return Person(
        who or by_name.get("sub", (None,))[0], name or who, by_name, has_address=bool(who)
    )


def with_current_access(person: Person, installed: Installation) -> Installation:
    """The current access of a viewer whose page was drawn some time ago.

    Raises NotForThisRole if they have none any more, and BadSetting if it cannot be known.
    """
    settings = installation().settings
    if person.who is None and settings.people is None and not settings.identity_header:
        return installed
    access = access_of(person, settings.people or ())
    # Behind a proxy a claim is a header, and none of them has the time of the sign-in.
    is_by_proxy = bool(settings.identity_header)
    if access is None or not (is_by_proxy or _is_still_signed_in(person)):
        raise errors.NotForThisRole()
    return replace(installed, access=access)


def person_of_headers(
    headers: Mapping[str, list[str]], named_in: str, secret: str | None
) -> Person | None:
    """The person in a proxy's headers. None if they may not be the proxy's.

    `headers` are by their names in small letters. One that occurs twice is ignored: one of the two
    may be the visitor's own.
    """
    single = {name: values[0].strip() for name, values in headers.items() if len(values) == 1}
    proof, who = single.get(SECRET_HEADER.lower(), ""), single.get(named_in.lower(), "")
    if not secret or not hmac.compare_digest(proof.encode(), secret.encode()):
        return None
    if not NAMED.fullmatch(who):
        return None
    del single[SECRET_HEADER.lower()]
    return Person(who, who, {name: _parts(value) for name, value in single.items()})


def _is_signed_in(issued: object, now_s: float) -> bool:
    """Is a sign-in of that time still valid?

    One in the future is not, except for a clock's error.
    """
    if not isinstance(issued, int | float):
        return False
    return now_s - SIGNED_IN_FOR_S <= issued <= now_s + CLOCKS_DIFFER_S


def _is_still_signed_in(person: Person) -> bool:
    issued = person.claims.get("iat", ())
    return len(issued) == 1 and _is_signed_in(float(issued[0]), time.time())


def _signed_in() -> Person:
    person = person_of_claims(st.user.to_dict(), time.time()) if st.user.is_logged_in else None
    if person is None:
        _begin()
        st.button("Sign in", type="primary", on_click=st.login, key="sign in")
        st.stop()
    return person


def _person_by_proxy(settings: Settings) -> Person:
    headers = {name.lower(): st.context.headers.get_all(name) for name in st.context.headers}
    person = person_of_headers(headers, settings.identity_header or "", settings.proxy_secret)
    if person is None:
        _begin()
        st.text(
            "Open the dashboard through your sign-in proxy; this connection carries no identity."
        )
        st.stop()
    return person


def _refuse(person: Person, way: WayIn) -> NoReturn:
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
    st.header("LLM traceability", anchor=False)


def _clear_state_of_another(person: Person) -> None:
    """Forget the state of a tab if another person uses it now."""
    if st.session_state.get(VIEWER, person.who) != person.who:
        # `clear` would stop at the first widget that is not drawn yet.
        for remembered in list(st.session_state):
            st.session_state.pop(remembered, None)
    st.session_state[VIEWER] = person.who


def _values(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(one) for one in value if isinstance(one, str | int | float))
    return (str(value),) if isinstance(value, str | int | float) and value != "" else ()


def _parts(value: str) -> tuple[str, ...]:
    """The parts of a header between commas, as proxies write groups."""
    return tuple(part for one in value.split(",") if (part := one.strip()))
