"""Downloads: the files that pages offer, and the path from which a page fetches them.

A page offers a file under an ID that only its tab receives; the file is made when the tab sends
that ID back. The ID is not an address: it is a header, which no link and no other site can send,
and it is valid only while the tab is open, and only with the cookie of its browser and for the
person who was identified on the page. They are identified again, with their current access.

The file is made as a whole before the first byte is sent: an error is a sentence, never a part of a
file. It is compressed at once, so a slow network does not keep much in memory. Offers are in the
memory of this process, as tabs are.
"""

import time
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from secrets import token_urlsafe
from threading import Lock
from urllib.parse import quote

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from tracelib import errors, events
from tracelib.permissions.people import Person
from tracelib.querying.installation import Installation

PATH = "/files"
ID_HEADER = "X-Tracelib-File"
MOST_TABS, MOST_OF_TAB = 1_000, 60
# A tab may be disconnected for a moment.
CLOSED_FOR_S = 180
# A session of thousands of requests takes hundreds of megabytes while its file is made.
AT_ONCE, MOST_WAITING = 2, 200
MOST_BYTES = 256_000_000  # of compressed files that wait to be sent
SENT_WITHIN_S = 600
GZIP = 31  # for zlib: with gzip's header


@dataclass(frozen=True, slots=True)
class File:
    """A file to download. `make` returns its pieces, for this person with their current access."""

    name: str
    media_type: str
    make: Callable[[Person, Installation], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab: its session in Streamlit, the cookie of its browser, and who uses it."""

    session_id: str
    browser: bytes | None
    who: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that a tab may fetch while it is open."""

    tab: Tab
    file: File
    is_open: Callable[[], bool]


@dataclass
class _Offered:
    """The IDs of what one tab offers, by key, the latest last; `seen_at` is when it was open."""

    is_open: Callable[[], bool]
    seen_at: float
    ids: "OrderedDict[str, str]" = field(default_factory=OrderedDict)


class Offers:
    """The files that open tabs offer; of the most recent tabs and for each its latest files.

    `is_served` says whether this process has the path to fetch them from.
    """

    def __init__(self) -> None:
        self.is_served = False
        self._tabs: OrderedDict[Tab, _Offered] = OrderedDict()
        self._offers: dict[str, Offer] = {}
        self._lock = Lock()

    def add(self, tab: Tab, key: str, file: File, is_open: Callable[[], bool]) -> str:
        """Offer a file, and return its ID: the same one for as long as the tab offers this key."""
        with self._lock:
            if tab not in self._tabs:
                self._forget_closed()
                self._tabs[tab] = _Offered(is_open, time.monotonic())
            offered = self._tabs[tab]
            self._tabs.move_to_end(tab)
            file_id = offered.ids.setdefault(key, token_urlsafe(32))
            offered.ids.move_to_end(key)
            self._offers[file_id] = Offer(tab, file, is_open)
            if len(offered.ids) > MOST_OF_TAB:
                del self._offers[offered.ids.popitem(last=False)[1]]
            if len(self._tabs) > MOST_TABS:
                self._forget(next(iter(self._tabs)))
            return file_id

    def offer(self, file_id: str) -> Offer | None:
        """The offer with this ID. None if there is none, or its tab is closed."""
        with self._lock:
            found = self._offers.get(file_id)
        return found if found and found.is_open() else None

    def _forget_closed(self) -> None:
        now = time.monotonic()
        for tab, offered in list(self._tabs.items()):
            if offered.is_open():
                offered.seen_at = now
            elif now - offered.seen_at > CLOSED_FOR_S:
                self._forget(tab)

    def _forget(self, tab: Tab) -> None:
        for file_id in self._tabs.pop(tab).ids.values():
            del self._offers[file_id]


OFFERS = Offers()
# The cookie of the browser that sends a request, and its person with their current access.
Identify = Callable[[Request], tuple[bytes | None, Person, Installation]]


def routes(identify: Identify, offers: Offers = OFFERS) -> list[BaseRoute]:
    """The path of files, wherever the app is mounted. For `st.App(routes=…)`.

    `identify` is called in a thread and may raise a TraceError.
    """
    offers.is_served = True
    endpoint = _Endpoint(offers, identify)
    return [Route(PATH, endpoint), Route(f"/{{mount:path}}{PATH}", endpoint)]


class _Endpoint:
    """Sends the offered files, as an ASGI app."""

    def __init__(self, offers: Offers, identify: Identify) -> None:
        self._offers, self._identify = offers, identify
        self._identifying, self._making = CapacityLimiter(8), CapacityLimiter(AT_ONCE)
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, pieces = Request(scope, receive), deque[bytes]()
        try:
            offer, person, installed = await self._authorized(request)
            pieces = await self._made(request, offer.file, person, installed)
            response = _response(offer.file, pieces, request.headers.get("accept-encoding", ""))
        except errors.TraceError as error:
            events.log(
                "warning", "file_refused", error=type(error).__name__, sentence=error.sentence
            )
            response = _refusal(error)
        except Exception as fault:
            events.exception("file_fault", fault)
            response = _refusal(errors.OwnFault())
        size = sum(map(len, pieces))
        self._bytes += size
        try:
            # A slower client is disconnected; the browser reports that as an error.
            with anyio.move_on_after(SENT_WITHIN_S):
                await response(scope, receive, send)
        finally:
            self._bytes -= size

    async def _authorized(self, request: Request) -> tuple[Offer, Person, Installation]:
        """What is fetched, and by whom? Raises a TraceError."""
        is_own_page = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        offer = self._offers.offer(request.headers.get(ID_HEADER, ""))
        if request.method != "POST" or not is_own_page or offer is None:
            raise errors.FileUnavailable()
        browser, person, installed = await to_thread.run_sync(
            self._identify, request, limiter=self._identifying
        )
        if (browser, person.who) != (offer.tab.browser, offer.tab.who):
            raise errors.FileUnavailable()
        return offer, person, installed

    async def _made(
        self, request: Request, file: File, person: Person, installed: Installation
    ) -> deque[bytes]:
        """The compressed file. Waits for its turn; empty if the tab does not wait as long."""
        is_full = self._making.statistics().tasks_waiting >= MOST_WAITING
        if is_full or self._bytes > MOST_BYTES:
            raise errors.FilesBusy()
        async with self._making:
            if await request.is_disconnected():
                return deque()
            return await to_thread.run_sync(_packed, file, person, installed)


def _packed(file: File, person: Person, installed: Installation) -> deque[bytes]:
    """Make the file, and compress it."""
    started = time.perf_counter()
    packer, pieces = zlib.compressobj(level=1, wbits=GZIP), deque[bytes]()
    for piece in file.make(person, installed):
        if packed := packer.compress(piece):
            pieces.append(packed)
    pieces.append(packer.flush())
    seconds = time.perf_counter() - started
    size = sum(map(len, pieces))
    events.log("info", "file_exported", type=file.media_type, bytes=size, seconds=seconds)
    return pieces


def _response(file: File, pieces: deque[bytes], accepted: str) -> Response:
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        "Vary": "Accept-Encoding",
    }
    if "gzip" not in accepted:
        return StreamingResponse(_unpacked(pieces), headers=headers, media_type=file.media_type)
    # With its length, a response that ends early is an error for every browser.
    headers |= {"Content-Encoding": "gzip", "Content-Length": str(sum(map(len, pieces)))}
    return StreamingResponse(_taken(pieces), headers=headers, media_type=file.media_type)


def _taken(pieces: deque[bytes]) -> Iterator[bytes]:
    """The pieces, each removed as it is sent."""
    while pieces:
        yield pieces.popleft()


def _unpacked(pieces: deque[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=GZIP)
    for piece in _taken(pieces):
        yield unpacker.decompress(piece)


STATUS = {
    errors.FileUnavailable: HTTPStatus.NOT_FOUND,
    errors.NotForThisRole: HTTPStatus.FORBIDDEN,
    errors.OwnFault: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def _refusal(error: errors.TraceError) -> Response:
    """The error for the page, without the server's message."""
    status = STATUS.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"sentence": error.sentence, "remedy": error.remedy}, status)
