"""Which host names the app may be opened by: a foreign one may lead a browser here unasked.

A page of another site can let its own name resolve to this machine (DNS rebinding). Its browser
then takes the app for a part of that site, whose scripts could read it. An IP address and localhost
cannot be redirected like that, so they are always allowed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from threading import Event
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tracelib import errors

ANY = "*"
_CHECKED = Event()
LONGEST = 253
MISDIRECTED, FORBIDDEN, POLICY_VIOLATION = 421, 403, 1008
REFUSED = f"{errors.HostNotAllowed.sentence} {errors.HostNotAllowed.remedy}"
REFUSED_ORIGIN = (
    "Pages of another origin may not connect. If it is yours, add its host name to "
    "TRACELIB_ALLOWED_HOSTS."
)


def read_names(text: str) -> tuple[str, ...]:
    """The names in a list with commas. Raises ValueError, in a sentence, if one is not a name.

    >>> read_names("traces.example.com, *.example.org")
    ('traces.example.com', '*.example.org')
    """
    names = tuple(name for part in text.split(",") if (name := part.strip().lower()))
    for name in names:
        if name != ANY and (hostname(name.removeprefix("*.")) != name.removeprefix("*.")):
            raise ValueError(
                f"{name[:40]!r} is not a host name; write it without scheme and port, such as "
                "traces.example.com, *.example.com or *."
            )
    return names


def hostname(host: str) -> str | None:
    """The name in a value of the header Host, in lower case; None if there is none.

    >>> hostname("Traces.example.com.:8501"), hostname("[::1]:8501"), hostname("ada@localhost")
    ('traces.example.com', '::1', None)
    """
    try:
        parsed = urlsplit(f"//{host}")
        name, _ = parsed.hostname, parsed.port
    except ValueError:
        return None
    if not name or len(host) > LONGEST or any(sign in host for sign in "@/?#\\* "):
        return None
    return name.rstrip(".")


def is_fixed(name: str) -> bool:
    """Is this an IP address or localhost, which no name server can redirect?"""
    return _address(name) is not None or name == "localhost" or name.endswith(".localhost")


def is_named(name: str, names: Iterable[str]) -> bool:
    """Is this name one of these, some of which may begin with *.?"""
    return any(
        name == one or one == ANY or (one.startswith("*.") and name.endswith(one[1:]))
        for one in names
    )


@dataclass(frozen=True, slots=True)
class HostNames:
    """The names by which the app may be opened: those that are set, and others that it knows.

    If none are set, only this machine's own browsers need one of them: the app is reached under
    other names through a proxy or a platform, and those it cannot know.
    """

    set: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    def allow(self, host: str | None, is_local: bool) -> bool:
        """May the app be opened by this value of the header Host? Browsers always send one.

        `is_local` if it is reached on an address of this machine alone.
        """
        if host is None or (not self.set and not is_local):
            return True
        name = hostname(host)
        return name is not None and (is_fixed(name) or is_named(name, (*self.set, *self.known)))

    def allow_origin(self, origin: str, host: str | None) -> bool:
        """May a page of this origin open a websocket to this host?

        Another port of this machine is another app.
        """
        try:
            place = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        if host is not None and place == host.lower():
            return place != ""
        name = hostname(place)
        named = [one for one in (*self.set, *self.known) if one != ANY]
        return name is not None and not is_fixed(name) and is_named(name, named)


def is_loopback(address: str | None) -> bool:
    """Is this an address or name under which only this machine reaches itself?"""
    found = _address(address or "")
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback if found else address == "localhost"


def are_checked() -> bool:
    """Are the host names of all requests checked before they reach a page?"""
    return _CHECKED.is_set()


def only_allowed(app: ASGIApp, read_names: Callable[[], HostNames]) -> ASGIApp:
    """The same app, which refuses foreign host names, and websockets of pages of other origins.

    The names are read once, when the server starts.
    """
    _CHECKED.set()
    names = read_names()

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] in ("http", "websocket"):
            refusal = _refusal(scope, names)
        if refusal is None:
            await app(scope, receive, send)
        elif scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
            await refusal(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})

    return respond


def _refusal(scope: Scope, names: HostNames) -> ASGIApp | None:
    headers = Headers(scope=scope)
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    host = hosts[0] if hosts else None
    is_local = is_loopback((scope.get("server") or ("",))[0])
    if len(hosts) > 1 or not names.allow(host, is_local):
        return PlainTextResponse(REFUSED, MISDIRECTED)
    if scope["type"] == "websocket" and not _are_own(origins, host, names):
        return PlainTextResponse(REFUSED_ORIGIN, FORBIDDEN)
    return None


def _are_own(origins: Sequence[str], host: str | None, names: HostNames) -> bool:
    """Is a websocket opened by a page of the app itself? Programs send no origin."""
    return not origins or (len(origins) == 1 and names.allow_origin(origins[0], host))


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
