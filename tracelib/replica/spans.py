"""The files of a replica: each is written once, under a temporary name, and never changed."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeEngine

from tracelib.replica import layout, marking
from tracelib.replica.dialect import compiled
from tracelib.replica.manifest import make_durable
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.storage import Built, Carried, Csv, Kept, Listed, NameRow
from tracelib.spendlogs import sums
from tracelib.spendlogs.copying import ON_THE_WAY
from tracelib.spendlogs.marks import MARKS
from tracelib.spendlogs.replicated import COLUMNS, COPIED, NAMES, stored_table
from tracelib.window import HOUR_S

# Every DuckDB of version 2 reads it, and it packs texts closer than the oldest format.
STORAGE = "v2.0.0"
THREADS = 2
SPILLED = "spilled.tmp"
# Which sessions a file has, sorted, so that most files need not be searched for one.
SESSIONS = (
    "CREATE TABLE made.sessions AS "
    "SELECT DISTINCT session_number FROM made.requests ORDER BY session_number"
)
MODELS = (
    "SELECT model, count(*) AS requests FROM made.requests WHERE model IS NOT NULL GROUP BY model"
)
LONGEST_LINE = 32 * 1024**2
# The aliases that rows carry, for IDs that no table of names knows.
ALIASES = {"key": "key_alias", "team": "team_alias"}


class WrongCount(Exception):
    """A file of rows was read as another number of rows than PostgreSQL wrote."""


def build(
    settings: ReplicaSettings, start: int | None, read: Sequence[Csv], kept: Sequence[Kept]
) -> Built:
    """Write the file of the span that starts in this hour. Raises an OSError or a duckdb.Error."""
    file = f"span-{'first' if start is None else start}-{uuid.uuid4().hex[:12]}.duckdb"
    with _writing(settings, file) as database:
        hours = _load(database, read)
        for number, one in enumerate(kept):
            _attach(database, settings.folder / one.span.file, f"old{number}")
        database.execute(f"CREATE TABLE made.requests AS SELECT {_empty(COLUMNS)} WHERE false")
        is_marked = settings.reads_bodies and marking.is_needed(bool(hours), kept)
        if is_marked:
            again = (
                [f"old{n}.requests" for n, one in enumerate(kept) if one.without] if hours else []
            )
            marking.mark(database, _sources(bool(hours), kept), again)
        database.execute("BEGIN")
        for part in _in_order(hours, kept, is_marked):
            database.execute(f"INSERT INTO made.requests {part}")
        database.execute("COMMIT")
        database.execute(f"CREATE TABLE made.carried AS {_carried()}")
        database.execute(f"CREATE TABLE made.models AS {MODELS}")
        database.execute(SESSIONS)
        added = add_sums(database)
        rows = _count(database, "made.requests")
    return Built(file, rows, (settings.folder / file).stat().st_size, hours, added)


def add_sums(database: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Write the sums of the rows of `made` into it, where these are far fewer; their tables."""
    requests = stored_table("requests", "made")
    rows, added = _count(database, "made.requests"), list[str]()
    for name, columns in sums.TABLES.items():
        text, values = compiled(sums.by_day(requests, columns))
        # First in memory: a table that is dropped again leaves its room in the file.
        database.execute(f"CREATE TEMP TABLE {name} AS {text}", values)
        if _count(database, name) * sums.LEAST_REQUESTS <= rows:
            database.execute(f"CREATE TABLE made.{name} AS FROM {name} ORDER BY ALL")
            added.append(name)
        database.execute(f"DROP TABLE {name}")
    return tuple(added)


def build_names(settings: ReplicaSettings, rows: Sequence[NameRow]) -> str:
    """Write a file of names, rows of NAMES. Raises an OSError or a duckdb.Error."""
    file = f"names-{uuid.uuid4().hex[:12]}.duckdb"
    with _writing(settings, file) as database:
        database.execute(f"CREATE TABLE made.names AS SELECT {_empty(NAMES)} WHERE false")
        database.execute("BEGIN")
        if rows:
            database.executemany("INSERT INTO made.names VALUES (?, ?, ?, ?)", rows)
        database.execute("COMMIT")
    return file


def listed(settings: ReplicaSettings, file: str) -> Listed:
    """Which names and models do the rows of this file have? Raises a duckdb.Error."""
    with _database(settings) as database:
        _attach(database, settings.folder / file, "old")
        names = database.execute("FROM old.carried ORDER BY ALL").fetchall()
        models = database.execute("FROM old.models").fetchall()
    return Listed([Carried(*row) for row in names], dict(models))


def is_sound(settings: ReplicaSettings, path: Path) -> bool:
    """Can every block of this file be read? It reads the whole file."""
    try:
        with _database(settings) as database:
            _attach(database, path, "old")
            for table in ("requests", "carried", *_sums_of(database)):
                database.execute(f"SELECT count(hash(one)) FROM old.{table} one").fetchall()  # noqa: S608
    except duckdb.Error:
        return False
    return True


@contextmanager
def _writing(settings: ReplicaSettings, file: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database `made` that has this name once it is complete, and leaves nothing if it fails."""
    partial = settings.folder / f"{file}.tmp"
    try:
        with _database(settings) as database:
            database.execute(f"ATTACH {_quoted(partial)} AS made (STORAGE_VERSION '{STORAGE}')")
            yield database
            database.execute("CHECKPOINT made")
            database.execute("DETACH made")
        make_durable(partial)
        partial.replace(settings.folder / file)
    except BaseException:
        for left in settings.folder.glob(f"{file}*"):
            left.unlink(missing_ok=True)
        raise


@contextmanager
def _database(settings: ReplicaSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{settings.writing_mb}MB",
        "threads": THREADS,
        "temp_directory": str(settings.folder / SPILLED),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    database = duckdb.connect(":memory:", config=config)
    try:
        yield database
    finally:
        database.close()


def _load(database: duckdb.DuckDBPyConnection, read: Sequence[Csv]) -> dict[int, tuple[int, int]]:
    """Load the rows into the table `read`; rows and hashes by hour."""
    if not read:
        return {}
    try:
        _load_csv(database, read, LONGEST_LINE, is_parallel=True)
    except (duckdb.InvalidInputException, WrongCount):
        longest = max(one.path.stat().st_size for one in read) + 1
        _load_csv(database, read, max(longest, LONGEST_LINE), is_parallel=False)
    text = "SELECT hour, count(*), sum(row_hash) FROM read GROUP BY hour ORDER BY hour"
    return {hour: (rows, int(hashes)) for hour, rows, hashes in database.execute(text).fetchall()}


def _load_csv(
    database: duckdb.DuckDBPyConnection, read: Sequence[Csv], longest: int, is_parallel: bool
) -> None:
    columns = {name: COLUMNS[name] for name in COPIED}
    kinds = ", ".join(
        f"'{name}': '{_kind(kind)}'" for name, kind in (columns | dict(ON_THE_WAY)).items()
    )
    paths = ", ".join(_quoted(one.path) for one in read)
    # As COPY writes it: an empty text is quoted, an unknown one is not.
    text = (
        f"CREATE OR REPLACE TEMP TABLE read AS SELECT * FROM read_csv([{paths}], header = false, "  # noqa: S608
        f"auto_detect = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', "
        f"nullstr = '', allow_quoted_nulls = false, max_line_size = {longest}, "
        f"parallel = {is_parallel}, columns = {{{kinds}}})"
    )
    database.execute(text)
    found, written = _count(database, "read"), sum(one.rows for one in read)
    if found != written:
        raise WrongCount(f"{found} rows of {written}")


def _sources(has_read: bool, kept: Sequence[Kept]) -> dict[int, tuple[str, str]]:
    """The tables with the rows of a new file, and which of their rows these are, by number."""
    others = {
        number: (f"old{number - 1}.requests", _kept_condition(one, None, None))
        for number, one in enumerate(kept, start=1)
    }
    return {0: ("read", "true"), **others} if has_read else others


def _in_order(read: Collection[int], kept: Sequence[Kept], is_marked: bool) -> Iterator[str]:
    """The rows that were read and those that are kept, as parts that follow each other in time.

    By hour, and in it by session: to group sessions takes less time where their requests stand
    together. Kept rows are in order already: to sort them with the others takes too much memory.
    """
    if not kept:
        yield from [_read_rows(None, None, is_marked)] if read else []
        return
    start: int | None = None
    for first, last in layout.runs(read):
        yield from _kept_rows(kept, start, first, is_marked)
        yield _read_rows(first, last, is_marked)
        start = last
    yield from _kept_rows(kept, start, None, is_marked)


def _read_rows(start: int | None, end: int | None, is_marked: bool) -> str:
    unmarked = (f"NULL AS {_name(name)}" for name in MARKS)
    marks = marking.columns(is_kept=False) if is_marked else unmarked
    names = ", ".join([*map(_name, COPIED), *marks])
    rows = marking.joined(0, "read") if is_marked else "read"
    # As `replicated.session_number`.
    session = "session_id" if "session_id" in COLUMNS else "coalesce(own_session_id, request_id)"
    key = f"{session} || ':' || coalesce(key, '')"
    number = f"(md5_number_lower({key}) >> 1)::BIGINT AS session_number"
    return (
        f"SELECT {number}, {names} FROM {rows} WHERE {_between('hour', start, end)} "  # noqa: S608
        "ORDER BY hour, session_number"
    )


def _kept_rows(
    kept: Sequence[Kept], start: int | None, end: int | None, is_marked: bool
) -> Iterator[str]:
    """What is kept from the hour `start` to before `end`, in the order of the spans."""
    own = [_name(name) for name in COLUMNS if not is_marked or name not in MARKS]
    names = ", ".join([*own, *(marking.columns(is_kept=True) if is_marked else ())])
    for number, one in enumerate(kept):
        table = f"old{number}.requests"
        rows = marking.joined(number + 1, table) if is_marked else table
        yield f"SELECT {names} FROM {rows} WHERE {_kept_condition(one, start, end)}"  # noqa: S608


def _kept_condition(one: Kept, start: int | None, end: int | None) -> str:
    hour = f"(epoch_us(start_order) // {HOUR_S * 1_000_000})"
    parts = [_between(hour, start, end), _between(hour, one.start, one.end)]
    if one.without:
        parts.append(f"{hour} NOT IN ({', '.join(map(str, sorted(one.without)))})")
    return " AND ".join(parts)


def _between(hour: str, start: int | None, end: int | None) -> str:
    """The condition that an hour is at or after the start, and before the end."""
    bounds = [f"{hour} >= {start}"] if start is not None else []
    bounds += [f"{hour} < {end}"] if end is not None else []
    return " AND ".join(bounds) or "true"


def _carried() -> str:
    arms = [
        f"SELECT '{dimension}' AS dimension, {_name(dimension)} AS owner, "  # noqa: S608
        f"max_by({alias}, start_order) AS name, max(start_order) AS started FROM made.requests "
        f"WHERE {_name(dimension)} IS NOT NULL AND {alias} IS NOT NULL GROUP BY {_name(dimension)}"
        for dimension, alias in ALIASES.items()
    ]
    return " UNION ALL ".join(arms)


def _attach(database: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    database.execute(f"ATTACH {_quoted(path)} AS {name} (READ_ONLY)")


def _sums_of(database: duckdb.DuckDBPyConnection) -> list[str]:
    text = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old'"
    return [name for (name,) in database.execute(text).fetchall() if name in sums.TABLES]


def _count(database: duckdb.DuckDBPyConnection, table: str) -> int:
    ((rows,),) = database.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608
    return int(rows)


def _empty(columns: Mapping[str, TypeEngine[Any]]) -> str:
    return ", ".join(f"NULL::{_kind(kind)} AS {_name(name)}" for name, kind in columns.items())


def _kind(kind: TypeEngine[Any]) -> str:
    return str(kind.compile(PGDialect()))  # type: ignore[no-untyped-call]


def _name(column: str) -> str:
    return f'"{column}"'


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
