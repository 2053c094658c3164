"""The connections of a pool in the app's log: opened, closed, lost."""

from typing import Any

from sqlalchemy import Engine, event

from tracelib import events


def logged(engine: Engine, database: str) -> Engine:
    """The same pool, whose connections are logged under this name of the database."""

    def opened(*_: Any) -> None:
        events.log("debug", "connection_opened", database=database)

    def closed(*_: Any) -> None:
        events.log("debug", "connection_closed", database=database)

    def lost(_connection: Any, _record: Any, error: BaseException | None) -> None:
        kind = type(error).__name__ if error else None
        events.log("info", "connection_lost", database=database, fault=kind)

    event.listen(engine, "connect", opened)
    event.listen(engine, "close", closed)
    event.listen(engine, "invalidate", lost)
    return engine
