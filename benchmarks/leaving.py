"""What do slow statements cost, and what remains of them when no one waits any more?

`python -m benchmarks.leaving [--viewers N] [--json FILE]` serves the app over a database of its own
whose statements take `SLOW_S` each, as those of a busy server do, and gives in seconds:

    stop_s       from Stop in a tab until none of its statements runs at the server
    close_s      from closing a tab
    sigterm_s    from SIGTERM, with a tab and a request of a program under way, until the app ends
    program      what that program got: a status, or what ended its connection
    left_s       from SIGTERM until no statement runs

and threads of the app: before, and the most while so many viewers load Overview at once.
"""

import argparse
import asyncio
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

from benchmarks.load_world import App, app_over
from benchmarks.tabs import Tab
from tests.database import Database
from tests.rows import spend_log
from tests.server import running

ROLE, SECRET = "dashboard", "secret of a program"
ROWS, ROW_S = 150, 0.1
SLOW_S = ROWS * ROW_S
QUERY = "range=7d&refresh=off&zone=UTC"
UNDER_WAY_S, PATIENCE_S = 3.0, 30.0
# A row is visible only after a moment.
SLOWED = (
    f"CREATE ROLE {ROLE} LOGIN",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}",
    'ALTER TABLE "LiteLLM_SpendLogs" ENABLE ROW LEVEL SECURITY',
    f'CREATE POLICY slow ON "LiteLLM_SpendLogs" USING (pg_sleep({ROW_S})::text IS NOT NULL)',
)
ACTIVE = f"""
    SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}' AND state = 'active'
"""  # noqa: S608 - a name of its own


@dataclass
class Seen:
    """See the head of this module; None if it did not happen in time."""

    viewers: int
    threads_before: int = 0
    threads_most: int = 0
    stop_s: float | None = None
    close_s: float | None = None
    sigterm_s: float | None = None
    left_s: float | None = None
    program: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write what was seen to this file")
    asked = parser.parse_args()
    token = {"name": "program", "sha256": hashlib.sha256(SECRET.encode()).hexdigest()}
    tokens = json.dumps([token | {"scope": {"all": True}, "role": "viewer"}])
    seen = Seen(asked.viewers)
    with running() as server:
        database = Database(server)
        now = datetime.now(UTC)
        database.insert(
            spend_log(startTime=now - timedelta(hours=1 + hour)) for hour in range(ROWS)
        )
        database.execute(*SLOWED)
        environment = {"TRACELIB_API_TOKENS": tokens, "TRACELIB_STATEMENT_TIMEOUT_S": "120"}
        url = server.url(database.name, user=ROLE)
        with app_over(url, **environment) as app:
            asyncio.run(_observed(seen, app, lambda: database.execute(ACTIVE)[0][0]))
    print(json.dumps(asdict(seen), indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(asdict(seen), indent=2) + "\n")


async def _observed(seen: Seen, app: App, active: Callable[[], int]) -> None:
    seen.stop_s = await _ended_by(Tab.stop, app, active)
    seen.close_s = await _ended_by(Tab.close, app, active)
    seen.threads_before = app.process.num_threads()
    tabs = [Tab(app.port, "Overview", QUERY) for _ in range(seen.viewers)]
    for tab in tabs:
        await tab.connect()
        await tab.begin()
    for _ in range(round(2 * SLOW_S)):
        seen.threads_most = max(seen.threads_most, app.process.num_threads())
        await asyncio.sleep(0.5)
    await asyncio.gather(*(tab.close() for tab in tabs[1:]))
    program = Thread(target=_call, args=(app, seen))
    program.start()
    await asyncio.sleep(UNDER_WAY_S)
    began = time.monotonic()
    app.process.terminate()
    seen.sigterm_s = await _until(lambda: not app.process.is_running() or _is_zombie(app))
    seen.left_s = await _until(lambda: not active(), began)
    program.join(PATIENCE_S)


def _is_zombie(app: App) -> bool:
    return bool(app.process.status() == "zombie")


async def _ended_by(
    act: Callable[[Tab], Coroutine[None, None, None]], app: App, active: Callable[[], int]
) -> float | None:
    """How long after this act of a tab, with statements under way, does none of them run?"""
    tab = Tab(app.port, "Overview", QUERY)
    await tab.connect()
    await tab.begin()
    if await _until(lambda: active() > 0) is None:
        return None
    await asyncio.sleep(UNDER_WAY_S)
    # A tab that does not read does not see that its end was noticed.
    acting = asyncio.create_task(act(tab))
    taken_s = await _until(lambda: not active())
    await acting
    await tab.close()
    return taken_s


async def _until(is_so: Callable[[], bool], began: float | None = None) -> float | None:
    began = began or time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        if is_so():
            return round(time.monotonic() - began, 1)
        await asyncio.sleep(0.1)
    return None


def _call(app: App, seen: Seen) -> None:
    address = f"http://127.0.0.1:{app.port}/api/v1/analytics/overview?days=2"
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {SECRET}"})
    try:
        with urllib.request.urlopen(asked, timeout=60) as response:
            seen.program = f"{response.status}"
    except urllib.error.HTTPError as error:
        seen.program = f"{error.code} {error.read()[:300].decode()}"
    except OSError as error:
        seen.program = str(error)


if __name__ == "__main__":
    main()
