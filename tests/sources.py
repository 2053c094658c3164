"""A database of a test as the app sees it, and the window that most tests look through."""

from datetime import timedelta

from tests import rows
from tests.database import Database
from tracelib.database_url import read_address
from tracelib.filters import Filters
from tracelib.settings import Settings
from tracelib.source import Postgres, connect
from tracelib.window import TimeWindow

HOUR = timedelta(hours=1)
WINDOW = TimeWindow(rows.NOON, rows.NOON + HOUR)
"""The hour that begins with the made up rows."""

FILTERS = Filters(WINDOW)


def source_of(database: Database, url: str | None = None, **settings: object) -> Postgres:
    """The database as the app asks it; with `url` as whoever that signs in as."""
    return connect(Settings(**settings), read_address(url or database.url))


def records(frame) -> list[dict]:
    """The rows of a frame as plain values: None where nothing is known."""
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.to_dict("records")
