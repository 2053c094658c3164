"""A database of many requests: the sample traffic several times over, within seven days."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from tracelib import demo

ROWS = 100_000
DAYS = 7
TABLE = "LiteLLM_SpendLogs"
RENAMED = ("request_id", "session_id", "litellm_call_id")
TIMES = ("startTime", "endTime", "completionStartTime")


def filled(folder: Path, rows: int = ROWS) -> str:
    """Where is a database with so many requests in the last seven days? Its SQLAlchemy URL."""
    sample = demo.start(folder)
    engine = sa.create_engine(sample.url)
    with engine.begin() as connection:
        logs = sa.Table(TABLE, sa.MetaData(), autoload_with=connection)
        had = connection.execute(sa.select(sa.func.count()).select_from(logs)).scalar_one()
        connection.execute(_moved(logs))
        for copy in range(1, -(-rows // had)):
            connection.execute(_copied(logs, copy))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text('VACUUM ANALYZE "LiteLLM_SpendLogs"'))
    engine.dispose()
    return sample.url


def _moved(logs: sa.Table) -> sa.Update:
    """Thirty days pressed into seven, ending now; every request keeps its length."""
    age = sa.func.timezone("UTC", sa.func.now()) - logs.c.startTime
    shift = age - age * sa.literal(DAYS / 30.5, sa.Double())
    return logs.update().values({name: logs.c[name] + shift for name in TIMES})


def _copied(logs: sa.Table, copy: int) -> sa.Insert:
    """The first rows once more, as other requests of other sessions, a little earlier."""
    columns = {column.name: column for column in logs.c}
    renamed = {name: columns[name].concat(f"-copy{copy}") for name in RENAMED}
    earlier = sa.literal(timedelta(seconds=copy), sa.Interval())
    moved = {name: columns[name] - earlier for name in TIMES}
    chosen = columns | renamed | moved
    originals = logs.c.request_id.not_like("%-copy%")
    return logs.insert().from_select(list(chosen), sa.select(*chosen.values()).where(originals))
