"""Who holds a connection: viewers, strangers, and which strangers are too many.

A server accepts a connection before anyone knows whose it is. A websocket is a stranger's until a
page has run for it and knows its viewer; an HTTP connection is one whenever the server waits for
it.
"""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

# A browser makes one up for each websocket.
NONCE = "Sec-WebSocket-Key"
# How long a request may take to arrive, the first message of a websocket, and a part of a response
# to be read; and how long a page may take to know its viewer.
PATIENCE_S = 20.0
# How many strangers may stay. More may come at once, as a team does that opens a dashboard at nine.
MOST_STRANGERS, FOR_A_MOMENT_S = 80, 1.0
MOST_AT_ONCE, MOST_NEW_WEBSOCKETS, MOST_WEBSOCKETS = 800, 200, 1_000
# What a stranger may leave unread of a websocket, such as the responses to pings. What is left of a
# download is a viewer's.
MOST_UNREAD = 100_000  # bytes
MOST_SESSIONS = 10_000


@dataclass(eq=False, slots=True)
class Connection:
    """A connection: when it was opened, and since when the server waits for it, if it does.

    `first_message` is when a websocket sent one. `is_viewer` is None until a page has decided it.
    """

    opened: float
    waits_since: float | None
    address: str = ""
    transport: asyncio.Transport | None = None
    is_websocket: bool = False
    first_message: float | None = None
    is_viewer: bool | None = None

    @property
    def since(self) -> float:
        """When it began to wait or, if it does not, when it was opened."""
        return self.opened if self.waits_since is None else self.waits_since

    def is_stranger(self, now: float) -> bool:
        """Is it open, no viewer's, and not the server's turn?"""
        if self.is_closed():
            return False
        if not self.is_websocket:
            return self.waits_since is not None
        if (
            self.is_viewer is None
            and self.first_message is not None
            and now - self.first_message < PATIENCE_S
        ):
            return False
        return not self.is_viewer

    def waits(self) -> None:
        """The server waits for it from now on, if it did not yet."""
        if self.waits_since is None:
            self.waits_since = time.monotonic()

    def is_overdue(self, now: float) -> bool:
        """Has the server waited too long, or has too much been left unread?"""
        if self.waits_since is not None and now - self.waits_since > PATIENCE_S:
            return True
        unread = self.transport.get_write_buffer_size() if self.transport else 0
        return self.is_websocket and unread > MOST_UNREAD and self.is_stranger(now)

    def is_closed(self) -> bool:
        """Is there nothing left of it?"""
        return self.transport is None or self.transport.is_closing()

    def close(self) -> None:
        """Close it at once, whatever is still to be sent."""
        if self.transport is not None:
            self.transport.abort()


@dataclass(slots=True)
class Connections:
    """All connections of this process; the websockets among them by their nonce.

    `sessions` are those of viewers, the oldest first: their browsers reconnect to them, and do not
    always send a message then.
    """

    open: set[Connection] = field(default_factory=set)
    by_nonce: dict[str, Connection] = field(default_factory=dict)
    sessions: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def strangers(self, now: float) -> list[Connection]:
        """The connections that are strangers', those that have been so for longest first."""
        return sorted((one for one in self.open if one.is_stranger(now)), key=_since)

    def make_room(self) -> None:
        """Close strangers if one more connection is too many at once."""
        now = time.monotonic()
        strangers = self.strangers(now)
        if len(strangers) >= MOST_AT_ONCE:
            _close(surplus(strangers, MOST_AT_ONCE - 1, now))

    def make_room_for_websocket(self) -> bool:
        """Close new websockets if one more is too many; False if viewers have all."""
        websockets = [one for one in self.open if one.is_websocket]
        new = sorted((one for one in websockets if not one.is_viewer), key=_since)
        _close(surplus(new, MOST_NEW_WEBSOCKETS - 1, time.monotonic()))
        return len(websockets) - len(new) < MOST_WEBSOCKETS

    def decide(self, nonce: str | None, session_id: str | None, is_viewer: bool) -> None:
        """Note whether the websocket with this nonce, of this session, is a viewer's.

        May be called in any thread. A viewer's websocket stays one.
        """
        connection = self.by_nonce.get(nonce or "")
        if connection is None or connection.is_viewer:
            return
        connection.is_viewer = is_viewer
        if is_viewer and session_id:
            self.sessions[session_id] = None
            if len(self.sessions) > MOST_SESSIONS:
                self.sessions.popitem(last=False)

    def sweep(self, now: float) -> None:
        """Close what takes too long, reads too little, or is too many; forget what is closed."""
        self.open = {one for one in self.open if not one.is_closed()}
        _close(one for one in self.open if one.is_overdue(now))
        _close(surplus(self.strangers(now), MOST_STRANGERS, now - FOR_A_MOMENT_S))


def surplus(strangers: Iterable[Connection], most: int, until: float) -> list[Connection]:
    """Which strangers are too many? The oldest ones of the address that has the most, in turns.

    `strangers` are in the order in which they came; those that came after `until` may stay. So a
    flood from one address makes room for others, and behind a proxy, where all may have the same
    address, a viewer has the time to become known.
    """
    by_address: dict[str, list[Connection]] = defaultdict(list)
    for one in strangers:
        by_address[one.address].append(one)
    too_many = sum(map(len, by_address.values())) - most
    closed: list[Connection] = []
    while len(closed) < too_many:
        most_of_all = max(by_address.values(), key=len)
        if most_of_all[0].since > until:
            break
        closed.append(most_of_all.pop(0))
    return closed


def _since(one: Connection) -> float:
    return one.since


def _close(connections: Iterable[Connection]) -> None:
    for one in connections:
        one.close()


CONNECTIONS = Connections()
