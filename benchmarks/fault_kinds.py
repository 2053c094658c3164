"""The faults: what goes wrong, how it is mended, and where the app of each runs."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg2

from benchmarks import fault_sites as sites
from benchmarks.fault_sites import ENDING, ROLE, Site, World, as_role
from tests.rows import spend_log
from tests.test_faults import ODD

LOG, INDEX = '"LiteLLM_SpendLogs"', "LiteLLM_SpendLogs_startTime_idx"
Act = Callable[[World], object]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, how it is mended, and at which site.

    With `restarts` the app is killed and started again in it.
    """

    begin: Act
    end: Act
    site: Site = sites.plain
    restarts: bool = False


def _signalled(number: signal.Signals) -> Act:
    def send(world: World) -> None:
        for process in world.processes():
            os.kill(process, number)

    return send


def _line(**changes: object) -> Act:
    def change(world: World) -> None:
        for name, value in changes.items():
            setattr(world.line, name, value)

    return change


def _statements(*texts: str) -> Act:
    return lambda world: world.execute(*texts)


def _to_new_connections(*texts: str) -> Act:
    def begin(world: World) -> None:
        world.execute(*texts)
        world.end_connections()

    return begin


def _each_row(does: str) -> tuple[Act, Act]:
    """The role does this for each row that it reads."""
    return (
        _statements(
            f"CREATE FUNCTION meanwhile() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN {does}; "
            "RETURN true; END $$",
            f"ALTER TABLE {LOG} ENABLE ROW LEVEL SECURITY",
            f"CREATE POLICY meanwhile ON {LOG} FOR SELECT TO {ROLE} USING (meanwhile())",
        ),
        _statements(
            f"DROP POLICY meanwhile ON {LOG}",
            f"ALTER TABLE {LOG} DISABLE ROW LEVEL SECURITY",
            "DROP FUNCTION meanwhile",
        ),
    )


CONFLICT = "RAISE EXCEPTION 'canceling statement due to conflict' USING ERRCODE = '40001'"


def _once(world: World) -> None:
    """Interrupt the queries of one refresh: each of them twice, as each is tried twice."""
    begin, end = _each_row(CONFLICT)
    begin(world)

    def mend() -> None:
        world.stop.set()
        end(world)

    world.meanwhile(mend, 12)


def _locked(world: World) -> None:
    """Lock the log until the fault ends, as a migration does."""
    connection = psycopg2.connect(world.database.url)
    connection.cursor().execute(f"LOCK TABLE {LOG} IN ACCESS EXCLUSIVE MODE")

    def hold() -> None:
        world.stop.wait()
        connection.close()

    world.meanwhile(hold, 0)


def _stop(world: World) -> None:
    world.stop.set()


def _terminated(world: World) -> None:
    world.meanwhile(world.end_connections, 0.2)


def _partitioned(world: World) -> None:
    with psycopg2.connect(world.database.url) as connection:
        connection.cursor().execute(
            f'ALTER TABLE {LOG} RENAME TO "Before";'
            f'CREATE TABLE {LOG} (LIKE "Before" INCLUDING DEFAULTS) '
            'PARTITION BY RANGE ("startTime");'
            f'CREATE TABLE "All of it" PARTITION OF {LOG} DEFAULT;'
            f'INSERT INTO {LOG} TABLE "Before";'
            f"GRANT SELECT ON {LOG} TO {ROLE}"
        )
    connection.close()


def _fail_over(world: World) -> None:
    """The first server hangs; ten seconds later the second accepts writes."""
    world.line.cut()

    def promote() -> None:
        world.stop.set()
        _second_accepts_writes(world, True)

    world.meanwhile(promote, 10)


def _second_accepts_writes(world: World, does: bool) -> None:
    """Let it accept writes in new connections, or end those in which it does."""
    name, read_only = world.database.name, "off" if does else "on"
    world.second.database.server.execute(
        f"ALTER DATABASE {name} SET default_transaction_read_only = {read_only}",
        *([] if does else [ENDING]),
    )


def _back(world: World) -> None:
    world.line.mend()
    _second_accepts_writes(world, False)


def _first_host(act: Act) -> Act:
    """The second server accepts writes already; then this happens to the first."""

    def begin(world: World) -> None:
        _second_accepts_writes(world, True)
        act(world)

    return begin


def _refused_and_ended(world: World) -> None:
    world.line.refuse()
    world.end_connections()


def _accepted(world: World) -> None:
    world.line.accept()
    _second_accepts_writes(world, False)


def _names(hangs: bool) -> Act:
    def change(world: World) -> None:
        world.names.hangs = hangs
        world.end_connections()

    return change


def _restarted(world: World) -> None:
    world.pooler.stop()
    world.pooler.start()


def _secrets(url: Callable[[World], str]) -> Act:
    return lambda world: sites.write_secrets(world, url(world))


def _its_url(world: World) -> str:
    return as_role(world.line.url)


def _other_hangs(world: World) -> None:
    world.line.cut()
    sites.write_secrets(world, _its_url(world).replace(world.database.name, world.other.name))


def _back_from_other(world: World) -> None:
    world.line.mend()
    sites.write_secrets(world, _its_url(world))


def _removed(world: World) -> None:
    for one in world.replica.iterdir():
        shutil.rmtree(one)


def _fill_disk(world: World) -> None:
    with suppress(OSError), (world.replica / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))


def _killed(world: World) -> None:
    world.writer.end(signal.SIGKILL)
    world.database.engine.dispose()  # the server may have been stopped meanwhile
    world.database.insert([spend_log(startTime=datetime.now(UTC))])


KEPT = 'CREATE TABLE "Kept" AS TABLE'
REFUSED = Fault(
    _to_new_connections(f"ALTER ROLE {ROLE} NOLOGIN"), _statements(f"ALTER ROLE {ROLE} LOGIN")
)
STOPPED = Fault(lambda world: world.server.stop(), lambda world: world.server.start())
EMPTIED = Fault(
    _statements(f"{KEPT} {LOG}", f"TRUNCATE {LOG}"),
    _statements(f'INSERT INTO {LOG} TABLE "Kept"', 'DROP TABLE "Kept"'),
)


def _at(site: Site, begin: Act, end: Act) -> Fault:
    return Fault(begin, end, site)


FAULTS = {
    "server stopped": STOPPED,
    "server hangs": Fault(_signalled(signal.SIGSTOP), _signalled(signal.SIGCONT)),
    "network loses packets": Fault(lambda world: world.line.cut(), lambda world: world.line.mend()),
    "9 s a round trip": Fault(_line(lag_s=9), _line(lag_s=0)),
    "responses cut at 1,000 bytes, then reset": Fault(
        _line(most_bytes=1_000, resets=True), _line(most_bytes=None, resets=False)
    ),
    "responses cut at 1,000 bytes, then nothing": Fault(
        _line(most_bytes=1_000), _line(most_bytes=None)
    ),
    "connections ended five times a second": Fault(_terminated, _stop),
    "each query interrupted (40001)": Fault(*_each_row(CONFLICT)),
    "queries interrupted for 12 s (40001)": Fault(_once, _stop),
    "each query over the time limit": Fault(*_each_row("PERFORM pg_sleep(1)")),
    "sign-in refused": REFUSED,
    "no connection left": Fault(
        _to_new_connections(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0"),
        _statements(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1"),
    ),
    "no right to the log": Fault(
        _statements(f"REVOKE SELECT ON {LOG} FROM {ROLE}"),  # noqa: S608 - a name of its own
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
    "table locked": Fault(_locked, _stop),
    "table replaced by a partitioned one": Fault(
        _partitioned,
        _statements(f"DROP TABLE {LOG}", f'ALTER TABLE "Before" RENAME TO {LOG}'),
    ),
    "table emptied": EMPTIED,
    "column dropped": Fault(
        _statements(f"ALTER TABLE {LOG} RENAME COLUMN agent_id TO dropped"),
        _statements(f"ALTER TABLE {LOG} RENAME COLUMN dropped TO agent_id"),
    ),
    "column added": Fault(
        _statements(f"ALTER TABLE {LOG} ADD COLUMN added text DEFAULT 'x'"),
        _statements(f"ALTER TABLE {LOG} DROP COLUMN added"),
    ),
    "index dropped": Fault(
        _statements(f'DROP INDEX "{INDEX}"'),
        _statements(f'CREATE INDEX "{INDEX}" ON {LOG} ("startTime")'),
    ),
    "settings of the role are odd": Fault(
        _to_new_connections(
            *(f"ALTER ROLE {ROLE} SET {name} = {value}" for name, value in ODD.items())
        ),
        _to_new_connections(f"ALTER ROLE {ROLE} RESET ALL"),
    ),
    "first of two hosts hangs": _at(
        sites.two_hosts, _first_host(lambda world: world.line.cut()), _back
    ),
    "first of two hosts refuses": _at(sites.two_hosts, _first_host(_refused_and_ended), _accepted),
    "second host takes over after 10 s": _at(sites.two_hosts, _fail_over, _back),
    "name server hangs": _at(sites.named, _names(True), _names(False)),
    "pooler paused": _at(
        sites.pooled,
        lambda world: world.pooler.console("PAUSE"),
        lambda world: world.pooler.console("RESUME"),
    ),
    "pooler restarted": _at(sites.pooled, _restarted, lambda _: None),
    "pooler stopped": _at(
        sites.pooled, lambda world: world.pooler.stop(), lambda world: world.pooler.start()
    ),
    "server behind the pooler stopped": _at(sites.pooled, STOPPED.begin, STOPPED.end),
    "secrets: another user": _at(
        sites.with_secrets,
        _secrets(lambda world: _its_url(world).replace(ROLE, "unknown")),
        _secrets(_its_url),
    ),
    "secrets: another database": _at(
        sites.with_secrets,
        _secrets(lambda world: _its_url(world).replace(world.database.name, world.other.name)),
        _secrets(_its_url),
    ),
    "secrets: another database, which hangs": _at(
        sites.with_secrets, _other_hangs, _back_from_other
    ),
    "secrets: no URL of a database": _at(
        sites.with_secrets, _secrets(lambda _: "mysql://nonsense"), _secrets(_its_url)
    ),
    "clock of the app an hour ahead": _at(
        sites.with_clock,
        lambda world: sites.set_clock(world, 3_600),
        lambda world: sites.set_clock(world, 0),
    ),
    "clock of the app an hour behind": _at(
        sites.with_clock,
        lambda world: sites.set_clock(world, -3_600),
        lambda world: sites.set_clock(world, 0),
    ),
    "replica: server stopped": _at(sites.replicated, STOPPED.begin, STOPPED.end),
    "replica: table emptied": _at(sites.replicated, EMPTIED.begin, EMPTIED.end),
    "replica: table locked": _at(sites.replicated, _locked, _stop),
    "replica: its writer killed": _at(sites.replicated, _killed, lambda _: None),
    "replica: its folder removed": _at(sites.replicated, _removed, lambda _: None),
    "replica: its disk full": _at(
        sites.replicated, _fill_disk, lambda world: (world.replica / "filling").unlink()
    ),
    "app restarted, server stopped": Fault(STOPPED.begin, STOPPED.end, restarts=True),
    "app restarted, server hangs": Fault(
        _signalled(signal.SIGSTOP), _signalled(signal.SIGCONT), restarts=True
    ),
    "app restarted, network loses packets": Fault(
        lambda world: world.line.cut(), lambda world: world.line.mend(), restarts=True
    ),
}
