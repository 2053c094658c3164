"""The person that a sign-in or a proxy states, for a page or for a request of a browser.

Streamlit itself signs people in if secrets.toml has a section [auth]. A proxy before the app names
a person in a header, and proves itself by a secret in another one: the machine of a connection is
unknown, because the server uses the forwarded address.
"""

import hmac
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import streamlit as st
from starlette.requests import Request
from streamlit.auth_util import get_secrets_auth_section
from streamlit.web.server.starlette import starlette_websocket
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import (
    USER_COOKIE_NAME,
    XSRF_COOKIE_NAME,
)

from tracelib import errors
from tracelib.permissions.people import ANYONE, Person, access_of, claims_of
from tracelib.querying.installation import Installation, installation
from tracelib.settings import Settings

WayIn = Literal["open", "sign-in", "proxy"]
SECRET_HEADER = "X-Tracelib-Proxy-Secret"
# Streamlit keeps a sign-in for 30 days, even if the person has lost access since.
SIGNED_IN_FOR_S = 12 * 3_600
CLOCKS_DIFFER_S = 60
# A longer name, or one with invisible characters, is not valid.
NAMED = re.compile(r"[^\x00-\x20\x7f-\xa0]{1,320}")


def of_request(request: Request) -> tuple[bytes | None, Person, Installation]:
    """Who sends this HTTP request: the cookie of the browser, the person, their current access?

    Raises NotForThisRole if they have none, FileUnavailable if they are not identified, and
    BadSetting if the settings contradict one another.
    """
    installed, browser = installation(), browser_of(request.cookies)
    way = way_in(installed.settings, can_sign_in=bool(get_secrets_auth_section()))
    if way == "open":
        return browser, ANYONE, installed
    if way == "sign-in":
        person = person_of_claims(_claims_of_cookie(request), time.time())
    else:
        headers = {name: request.headers.getlist(name) for name in request.headers}
        person = person_by_proxy(headers, installed.settings)
    if person is None:
        raise errors.FileUnavailable()
    access = access_of(person, installed.settings.people or ())
    if access is None:
        raise errors.NotForThisRole()
    return browser, person, replace(installed, access=access)


def browser_of(cookies: Mapping[str, str]) -> bytes | None:
    """What identifies a browser: the token in Streamlit's own cookie against forged requests."""
    token, _ = decode_xsrf_token_string(cookies.get(XSRF_COOKIE_NAME, ""))
    return token


def _claims_of_cookie(request: Request) -> Mapping[str, Any]:
    """The claims of Streamlit's sign-in cookie, as Streamlit reads them for a websocket."""
    cookie = starlette_websocket._get_signed_cookie_with_chunks(request.cookies, USER_COOKIE_NAME)
    origin = request.headers.get("origin", "")
    claims = starlette_websocket._parse_decoded_user_cookie(cookie, origin) if cookie else {}
    return claims if claims.get("is_logged_in") else {}


def way_in(settings: Settings, can_sign_in: bool | None = None) -> WayIn:
    """How do people sign in? Raises BadSetting if that is not clear."""
    if can_sign_in is None:
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


def person_by_proxy(headers: Mapping[str, list[str]], settings: Settings) -> Person | None:
    """The person in a proxy's headers, as these settings read them; see `person_of_headers`."""
    claims = claims_of(settings.people or ())
    return person_of_headers(headers, settings.identity_header or "", settings.proxy_secret, claims)


def person_of_headers(
    headers: Mapping[str, list[str]],
    named_in: str,
    secret: str | None,
    claims: Iterable[str] = (),
) -> Person | None:
    """The person in a proxy's headers. None if they may not be the proxy's.

    `headers` are by their names in small letters. Of those that count (the person's, the secret's,
    and those that are `claims`) none may occur twice, and none with underscores in place of its
    hyphens: one of the two may be the visitor's own. Any other that occurs twice is ignored.
    """
    if any(_occurs_twice(headers, name) for name in (SECRET_HEADER, named_in, *claims)):
        return None
    single = {name: values[0].strip() for name, values in headers.items() if len(values) == 1}
    proof, who = single.get(SECRET_HEADER.lower(), ""), single.get(named_in.lower(), "")
    if not secret or not hmac.compare_digest(proof.encode(), secret.encode()):
        return None
    if not NAMED.fullmatch(who):
        return None
    del single[SECRET_HEADER.lower()]
    return Person(who, who, {name: _parts(value) for name, value in single.items()})


def _occurs_twice(headers: Mapping[str, list[str]], name: str) -> bool:
    """Does this header occur more than once, or under a name with other hyphens or underscores?"""
    alike = {one: headers[one] for one in headers if _hyphenated(one) == _hyphenated(name)}
    return sum(map(len, alike.values())) > 1 or any(one != name.lower() for one in alike)


def _hyphenated(name: str) -> str:
    return name.lower().replace("_", "-")


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


def _values(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(one) for one in value if isinstance(one, str | int | float))
    return (str(value),) if isinstance(value, str | int | float) and value != "" else ()


def _parts(value: str) -> tuple[str, ...]:
    """The parts of a header between commas, as proxies write groups."""
    return tuple(part for one in value.split(",") if (part := one.strip()))
