"""What do a page and a program see while something is wrong with the database, and after it?

`python -m benchmarks.faults [--only NAME] [--seconds N] [--json FILE]` serves the app over a
database of its own, through a line that can be slow or dead, with a page of Overview open in
Chromium that is refreshed every ten seconds, and a program that calls the API each second. One
after the other, each fault lasts so many seconds, 40 unless said:

    page_s         from the first refresh in the fault until the page says what is wrong
    program_s      from the beginning of the fault until the API says it
    figures        the least number of figures on the page in that time; before there are 11
    words          what the page said
    statements     of the page and the program in that time
    page_heals_s   from the end of the fault until the page has new figures, and no warning
    program_heals_s                                 until the API responds with figures

The seconds of a page contain up to ten until its next refresh where it heals.
"""

import argparse
import hashlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from playwright.sync_api import Page, sync_playwright

from tests.browsing import CHROMIUM, FLAGS, SETTLED, serving
from tests.database import Database
from tests.rows import spend_log
from tests.server import Server, running, utils
from tests.slow_line import SlowLine, slow_line

ROLE, SECRET = "dashboard", "secret of a program"
LOG = '"LiteLLM_SpendLogs"'
REFRESH_S, STEP_MS = 10, 250
STATE = """() => ({
  figures: document.querySelectorAll('[data-testid=stMetric]').length,
  words: [...document.querySelectorAll('[data-testid=stAlert]')]
    .map(one => one.innerText).join(' '),
  status: [...document.querySelectorAll('[data-testid=stSidebar] [data-testid=stCaptionContainer]')]
    .map(one => one.innerText).find(text => /Updated|Waiting/.test(text)) || '',
})"""


@dataclass(frozen=True)
class World:
    """The server, the database of LiteLLM on it, and the line of the app to it."""

    server: Server
    database: Database
    line: SlowLine

    def execute(self, *statements: str) -> None:
        self.database.execute(*statements)

    def end_connections(self) -> None:
        self.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'"  # noqa: S608 - a name of its own
        )

    def processes(self) -> Iterator[int]:
        """The server's processes, the first one of all first."""
        first = utils.PostmasterInfo.read_from_pgdata(self.server.data).process
        yield first.pid
        yield from (one.pid for one in first.children())


Act = Callable[[World], None]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how it is mended."""

    begin: Act
    end: Act


def _signalled(number: signal.Signals) -> Act:
    def send(world: World) -> None:
        for process in world.processes():
            os.kill(process, number)

    return send


def _lag(seconds: float) -> Act:
    return lambda world: setattr(world.line, "lag_s", seconds)


def _statements(*texts: str) -> Act:
    return lambda world: world.execute(*texts)


def _refused(text: str) -> Act:
    def begin(world: World) -> None:
        world.execute(text)
        world.end_connections()

    return begin


FAULTS = {
    "server stopped": Fault(lambda world: world.server.stop(), lambda world: world.server.start()),
    "server hangs": Fault(_signalled(signal.SIGSTOP), _signalled(signal.SIGCONT)),
    "network loses packets": Fault(lambda world: world.line.cut(), lambda world: world.line.mend()),
    "9 s a round trip": Fault(_lag(9), _lag(0)),
    "sign-in refused": Fault(
        _refused(f"ALTER ROLE {ROLE} NOLOGIN"), _statements(f"ALTER ROLE {ROLE} LOGIN")
    ),
    "no connection left": Fault(
        _refused(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0"),
        _statements(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1"),
    ),
    "no right to the log": Fault(
        _statements(f"REVOKE SELECT ON {LOG} FROM {ROLE}"),  # noqa: S608 - as above
        _statements(f"GRANT SELECT ON {LOG} TO {ROLE}"),
    ),
    "no right to the names of teams": Fault(
        _statements(f'REVOKE SELECT ON "LiteLLM_TeamTable" FROM {ROLE}'),  # noqa: S608 - as above
        _statements(f'GRANT SELECT ON "LiteLLM_TeamTable" TO {ROLE}'),
    ),
    "table renamed": Fault(
        _statements(f'ALTER TABLE {LOG} RENAME TO "Elsewhere"'),
        _statements(f'ALTER TABLE "Elsewhere" RENAME TO {LOG}'),
    ),
    "column dropped": Fault(
        _statements(f"ALTER TABLE {LOG} RENAME COLUMN agent_id TO dropped"),
        _statements(f"ALTER TABLE {LOG} RENAME COLUMN dropped TO agent_id"),
    ),
}


@dataclass
class Seen:
    """What was seen of a fault; see the head of this module. None if it was not seen."""

    fault: str
    page_s: float | None = None
    program_s: float | None = None
    figures: int = 1_000
    words: list[str] = field(default_factory=list)
    statements: int = 0
    page_heals_s: float | None = None
    program_heals_s: float | None = None


class Program(Thread):
    """Asks the API each second; `told` has each moment and whether it got figures."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.address = f"{address}/api/v1/analytics/overview?days=1"
        self.told: list[tuple[float, bool]] = []
        self.ends = Event()

    def run(self) -> None:
        while not self.ends.wait(1):
            self.told.append((time.monotonic(), self._has_figures()))

    def _has_figures(self) -> bool:
        asked = urllib.request.Request(self.address, headers={"Authorization": f"Bearer {SECRET}"})
        try:
            with urllib.request.urlopen(asked, timeout=60) as response:
                return response.status == 200
        except OSError:
            return False

    def first(self, after: float, has_figures: bool) -> float | None:
        """How long after this moment did it first get figures, or none?"""
        return next(
            (at - after for at, had in self.told if at > after and had is has_figures), None
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=FAULTS)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--json", type=Path, help="also write what was seen to this file")
    asked = parser.parse_args()
    names = [asked.only] if asked.only else [*FAULTS]
    with _world() as world, _app(world) as address, _page(address) as page:
        program = Program(address)
        program.start()
        seen = [_observed(name, world, page, program, asked.seconds) for name in names]
        program.ends.set()
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in seen], indent=2) + "\n")


@contextmanager
def _world() -> Iterator[World]:
    now = datetime.now(UTC)
    with running() as server:
        database = Database(server)
        database.insert(
            spend_log(startTime=now - timedelta(hours=hour, minutes=30)) for hour in range(160)
        )
        database.execute(
            f"CREATE ROLE {ROLE} LOGIN", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}"
        )
        with slow_line(database) as line:
            yield World(server, database, line)


@contextmanager
def _app(world: World) -> Iterator[str]:
    token = {"name": "program", "sha256": hashlib.sha256(SECRET.encode()).hexdigest()}
    url = world.line.url.replace("postgres@", f"{ROLE}@")
    tokens = json.dumps([token | {"scope": {"all": True}, "role": "viewer"}])
    with serving("asgi.py", DATABASE_URL=url, TRACELIB_API_TOKENS=tokens) as address:
        yield address


@contextmanager
def _page(address: str) -> Iterator[Page]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(f"{address}/Overview?refresh={REFRESH_S}s")
        page.wait_for_function(SETTLED, timeout=120_000)
        yield page
        browser.close()


def _observed(name: str, world: World, page: Page, program: Program, seconds: float) -> Seen:
    seen, fault = Seen(name), FAULTS[name]
    asked_before = len(world.line.questions())
    began = time.monotonic()
    fault.begin(world)
    _watch(seen, page, began + seconds)
    seen.program_s = _rounded(program.first(began, has_figures=False))
    seen.statements = len(world.line.questions()) - asked_before
    ended = time.monotonic()
    fault.end(world)
    seen.page_heals_s = _healed(page, ended)
    time.sleep(3)
    seen.program_heals_s = _rounded(program.first(ended, has_figures=True))
    print(json.dumps(asdict(seen), ensure_ascii=False), flush=True)
    return seen


def _watch(seen: Seen, page: Page, until: float) -> None:
    refreshed, before = None, page.evaluate(STATE)["status"]
    while time.monotonic() < until:
        state = page.evaluate(STATE)
        if refreshed is None and state["status"] != before:
            refreshed = time.monotonic()
        seen.figures = min(seen.figures, state["figures"])
        if state["words"] and state["words"] not in seen.words:
            seen.words.append(state["words"])
        if state["words"] and seen.page_s is None:
            seen.page_s = _rounded(time.monotonic() - (refreshed or time.monotonic()))
        page.wait_for_timeout(STEP_MS)


def _healed(page: Page, ended: float) -> float | None:
    """When is the page updated without a warning after this moment?"""
    before = page.evaluate(STATE)["status"]
    while time.monotonic() < ended + 90:
        state = page.evaluate(STATE)
        is_new = state["status"] != before and "aiting" not in state["status"]
        if is_new and not state["words"] and state["figures"]:
            return _rounded(time.monotonic() - ended)
        page.wait_for_timeout(STEP_MS)
    return None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


if __name__ == "__main__":
    main()
