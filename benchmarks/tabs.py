"""A browser's tab as the server sees it: Streamlit's own protocol over a websocket.

It opens a page, refreshes it as the timer in a browser does, goes to another address of it, stops a
run, and keeps what Streamlit lets a browser keep. It draws nothing.
"""

import asyncio
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.RootContainer_pb2 import RootContainer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

# The longest wait for the end of a run.
PATIENCE_S = 120.0
# For how many runs a browser keeps a large message, `global.maxCachedMessageAge`.
RUNS_KEPT = 2
ZONE = "UTC"
NOT_COMPILED, TO_RUN_AGAIN, ONLY_TIMER = (
    ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
    ForwardMsg.FINISHED_EARLY_FOR_RERUN,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
)


@dataclass
class Run:
    """One run of a page: how long it took, its size, and what a viewer would see go wrong.

    `whole_s` until the page stood whole for the first time, with older figures where the newest
    are late; `seconds` until all were the newest. `is_skipped` if the timer came so soon after the
    run before that the page did not run.
    """

    whole_s: float = 0.0
    seconds: float = 0.0
    size: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_skipped: bool = False


class Tab:
    """A tab that is open on a page; use it in an `async with`."""

    def __init__(self, port: int, page: str, query: str) -> None:
        self.port, self.page, self.query = port, page, query
        self._socket: ClientConnection | None = None
        self._script = self._timer = ""
        self._kept: dict[str, int] = {}
        self._runs = 0
        self._drawn_at = 0.0

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the websocket."""
        self._socket = await connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream",
            subprotocols=["streamlit"],
            max_size=None,
            ping_interval=None,
            open_timeout=None,
        )

    async def close(self) -> None:
        """Close the tab."""
        if self._socket:
            await self._socket.close()

    async def open(self) -> Run:
        """Run the page whole, as when it is opened."""
        return await self._ran(self._rerun())

    async def go(self, query: str) -> Run:
        """Run the page for another address."""
        self.query = query
        return await self._ran(self._rerun())

    async def refresh(self) -> Run:
        """Run the page again by its timer, which it sends with each run."""
        message = self._rerun()
        message.rerun_script.fragment_id = self._timer
        message.rerun_script.is_auto_rerun = True
        return await self._ran(message)

    async def stop(self) -> None:
        """Press Stop."""
        message = BackMsg()
        message.stop_script = True
        await self._send(message)

    async def begin(self) -> None:
        """Ask for the page, and do not wait."""
        await self._send(self._rerun())

    async def ended(self) -> Run:
        """Wait until the run that was begun has ended."""
        return await self._read(Run(), time.perf_counter())

    def _rerun(self) -> BackMsg:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string = self.query
        if self._script:
            asked.page_script_hash = self._script
        else:
            asked.page_name = self.page
        asked.cached_message_hashes.extend(self._kept)
        asked.context_info.timezone = ZONE
        return message

    async def _ran(self, message: BackMsg) -> Run:
        started = time.perf_counter()
        try:
            await self._send(message)
            return await self._read(Run(), started)
        except (ConnectionClosed, OSError) as error:
            return Run(time.perf_counter() - started, errors=[f"socket: {error}"])

    async def _send(self, message: BackMsg) -> None:
        assert self._socket
        await self._socket.send(message.SerializeToString())

    async def _read(self, run: Run, started: float) -> Run:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._is_whole(run, started):
                    pass
        except TimeoutError:
            run.errors.append(f"no end after {PATIENCE_S:g} s")
        run.seconds = time.perf_counter() - started
        run.whole_s = run.whole_s or run.seconds
        self._runs += 1
        self._kept = {
            name: last for name, last in self._kept.items() if self._runs - last <= RUNS_KEPT
        }
        return run

    async def _is_whole(self, run: Run, started: float) -> bool:
        """Read one message: was it the last one of a whole run?"""
        assert self._socket
        received = await self._socket.recv(decode=False)
        run.size += len(received)
        message = ForwardMsg.FromString(received)
        kind = message.WhichOneof("type")
        if kind in ("delta", "ref_hash") and message.metadata.delta_path[0] == RootContainer.MAIN:
            self._drawn_at = time.perf_counter()
        if kind == "navigation":
            self._script = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            self._timer = message.auto_rerun.fragment_id
        elif kind == "ref_hash":
            self._kept[message.ref_hash] = self._runs
        elif kind == "delta":
            _note(run, message)
            if message.metadata.cacheable:
                self._kept[message.hash] = self._runs
        elif kind in ("page_not_found", "session_event"):
            run.errors.append(kind)
        elif kind == "script_finished" and message.script_finished == NOT_COMPILED:
            run.errors.append("the script does not compile")
        is_again = kind == "script_finished" and message.script_finished == TO_RUN_AGAIN
        if is_again and self._drawn_at > started:  # the run of the timer draws nothing
            run.whole_s = run.whole_s or self._drawn_at - started
        run.is_skipped = kind == "script_finished" and message.script_finished == ONLY_TIMER
        return kind == "script_finished" and not is_again


def _note(run: Run, message: ForwardMsg) -> None:
    element = message.delta.new_element
    kind = element.WhichOneof("type")
    if kind == "exception":
        run.errors.append(element.exception.message or element.exception.type)
    elif kind == "alert" and element.alert.format == Alert.ERROR:
        run.errors.append(element.alert.body)
    elif kind == "alert" and element.alert.format == Alert.WARNING:
        run.warnings.append(element.alert.body)
