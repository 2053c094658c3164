"""LiteLLM's real schema, from its own migrations, as it was on several days.

The migrations come with the `litellm-proxy-extras` wheel. One pass over them fills one
database, which is copied at each date of `VERSIONS` into a template; a test's database is
then a copy of a template, made in a fraction of a second.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from importlib.metadata import version as installed_version
from pathlib import Path

import litellm_proxy_extras
import sqlalchemy as sa

WHEEL = installed_version("litellm-proxy-extras")
MIGRATIONS = Path(litellm_proxy_extras.__file__).parent / "migrations"

VERSIONS = {
    "2025-03-26": date(2025, 3, 26),
    "2025-05-23": date(2025, 5, 23),
    "2025-11-20": date(2025, 11, 20),
    "2026-05-23": date(2026, 5, 23),
    "latest": date.max,
}
"""The label of each schema, and the last day whose migrations it includes; oldest first."""

COLUMN_COUNTS = {
    "2025-03-26": 25,
    "2025-05-23": 28,
    "2025-11-20": 29,
    "2026-05-23": 32,
    "latest": 36,
}
"""How many columns `LiteLLM_SpendLogs` has in each."""

TABLE = "LiteLLM_SpendLogs"
SPEND_LOGS = f'"{TABLE}"'

PARTITIONED_INDEXES = (
    ("startTime",),
    ("startTime", "request_id"),
    ("end_user",),
    ("session_id",),
    ("api_key", "startTime", "spend"),
)
"""What LiteLLM's script indexes after it has partitioned the spend log."""


def template(version: str) -> str:
    """The name of the template database of one version.

    >>> template("2025-05-23")
    'litellm_2025_05_23'
    """
    return "litellm_" + version.replace("-", "_")


def build_templates(server) -> None:
    """Make the template database of every version on a fresh `server`."""
    server.execute("CREATE DATABASE building")
    done = date.min
    for version, last_day in VERSIONS.items():
        server.run_scripts("building", migrations(after=done, until=last_day))
        server.execute(
            f"CREATE DATABASE {template(version)} TEMPLATE building STRATEGY file_copy"
            " IS_TEMPLATE true"
        )
        done = last_day
    server.execute("DROP DATABASE building")


def migrations(after: date = date.min, until: date = date.max) -> Iterator[str]:
    """The SQL of each migration later than `after`, up to and with the day `until`, in order."""
    for folder in sorted(MIGRATIONS.iterdir(), key=lambda path: path.name.encode()):
        if folder.is_dir() and after < _day(folder.name) <= until:
            yield (folder / "migration.sql").read_text(encoding="utf-8")


def _day(folder_name: str) -> date:
    return date.fromisoformat(folder_name[:8])


def partition(engine: sa.Engine, days: Iterable[date]) -> None:
    """Turn an empty spend log into one partitioned by day, as LiteLLM's opt-in script does.

    Each of `days` and both its neighbours get a partition, every other day shares the default.
    """
    around = {day + timedelta(offset) for day in days for offset in (-1, 0, 1)}
    with engine.begin() as connection:
        columns = {column["name"] for column in sa.inspect(connection).get_columns(TABLE)}
        for statement in (*_partitioned_table(columns), *map(_day_partition, sorted(around))):
            connection.exec_driver_sql(statement)


def _partitioned_table(columns: set[str]) -> list[str]:
    indexes = [index for index in PARTITIONED_INDEXES if columns.issuperset(index)]
    return [
        f'ALTER TABLE {SPEND_LOGS} RENAME TO "whole"',
        f'CREATE TABLE {SPEND_LOGS} (LIKE "whole" INCLUDING DEFAULTS)'
        ' PARTITION BY RANGE ("startTime")',
        'DROP TABLE "whole"',
        f'ALTER TABLE {SPEND_LOGS} ADD PRIMARY KEY (request_id, "startTime")',
        *map(_index, indexes),
        f'CREATE TABLE "LiteLLM_SpendLogs_pdefault" PARTITION OF {SPEND_LOGS} DEFAULT',
    ]


def _index(columns: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{column}"' for column in columns)
    return f'CREATE INDEX "{TABLE}_{"_".join(columns)}_idx" ON {SPEND_LOGS} ({listed})'


def _day_partition(day: date) -> str:
    return (
        f'CREATE TABLE "LiteLLM_SpendLogs_p{day:%Y%m%d}" PARTITION OF {SPEND_LOGS}'
        f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(1)}')"
    )
