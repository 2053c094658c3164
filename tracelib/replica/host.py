"""What the writer reads of LiteLLM's database, in statements that stay within the time limit."""

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from tracelib import errors
from tracelib.replica.layout import EPOCH, FIRST_HOUR, HOUR, LAST_HOUR, Counts, Range, times
from tracelib.replica.storage import Csv
from tracelib.source import Postgres
from tracelib.source.driver_errors import explained
from tracelib.spendlogs import copying, extent, names

SHORTEST = timedelta(minutes=1)
Times = tuple[datetime | None, datetime | None]


@dataclass(frozen=True)
class Name:
    """The name of an ID in a table of names; `searched` are all of its names there."""

    dimension: str
    place: int
    id: str
    name: str | None
    searched: str


@dataclass
class Host:
    """LiteLLM's database; `read_s` is how long it was read by this object.

    If it `reads_bodies`, their facts are copied, too. All methods raise a TraceError.
    """

    source: Postgres
    folder: Path
    reads_bodies: bool = False
    read_s: float = 0.0

    def identity(self) -> str:
        """Which database and table is it? The same again for a standby or another address."""
        try:
            system = self.source.row(extent.system_identifier()).system
        except (errors.PermissionMissing, errors.QuestionRefused):
            system = self._address()
        found = self.source.row(extent.table_identity(self.source.schema))
        return f"{system}/{found.database}/{found.table}"

    def _address(self) -> str:
        """Where is the server, as this installation names it?"""
        try:
            connection = self.source.engine.raw_connection()
        except SQLAlchemyError as error:
            raise explained(error) from error
        try:
            driver: Any = connection.driver_connection
            return f"{driver.info.host}:{driver.info.port}"
        finally:
            connection.close()

    def rows_estimate(self) -> int | None:
        """How many rows has the log, by the planner's estimate? None if it was never analysed."""
        parts = self.source.rows(extent.storage(self.source.schema))
        known = [round(one.known_rows) for one in parts if one.relkind == extent.PLAIN]
        return sum(known) if known and min(known) >= 0 else None

    def names(self) -> list[Name]:
        """Which names do the tables of names have?"""
        statements = names.all_names(self.source.schema)
        return [Name(**row._mapping) for one in statements for row in self.source.rows(one)]

    def first_hour(self) -> int | None:
        """In which hour does the first row start? None in an empty log."""
        found: int | None = self.source.row(extent.first_hour(self.source.schema)).hour
        return found

    def last_hour_before(self, end: int | None) -> int | None:
        """In which hour does the last row before this hour start? None without one."""
        _, bound = times((None, end))
        found: int | None = self.source.row(extent.last_hour(self.source.schema, bound)).hour
        return found

    def counts(self, hours: Range, hashed: bool = False) -> Counts:
        """How many rows has each of these hours, and what is the sum of their hashes?"""
        started = time.perf_counter()
        schema = self.source.schema
        try:
            found = self.source.rows(copying.counts_by_hour(schema, *times(hours), hashed))
        except errors.QuestionTooSlow:
            first, last = self._halves(hours)
            return {**self.counts(first, hashed), **self.counts(last, hashed)}
        finally:
            self.read_s += time.perf_counter() - started
        return {
            one.hour: (one.rows, None if one.hashes is None else int(one.hashes)) for one in found
        }

    def _halves(self, hours: Range) -> tuple[Range, Range]:
        """Two ranges in place of this one, by its bounds or those of the log."""
        start, end = hours
        last = end if end is not None else (self.last_hour_before(None) or LAST_HOUR) + 1
        first = start if start is not None else self.first_hour() or FIRST_HOUR
        middle = (first + min(last, LAST_HOUR + 1)) // 2
        if not first < middle:
            raise errors.QuestionTooSlow(f"Counting the rows of hour {first}.")
        return (start, middle), (middle, end)

    def copy(self, hours: Sequence[Range], at_once: int = 1) -> list[Csv]:
        """Copy the rows of these hours to files, in their order; some statements at once."""
        started = time.perf_counter()
        try:
            with ThreadPoolExecutor(at_once) as pool:
                copied = list(pool.map(self._copied, map(times, hours)))
        finally:
            self.read_s += time.perf_counter() - started
        return [one for files in copied for one in files]

    def _copied(self, bounds: Times) -> list[Csv]:
        path = self.folder / f"rows-{uuid.uuid4().hex[:12]}.tmp"
        try:
            with path.open("wb") as file:
                statement = copying.to_copy(self.source.schema, *bounds, self.reads_bodies)
                return [Csv(path, self.source.copy(statement, file))]
        except errors.QuestionTooSlow:
            path.unlink(missing_ok=True)
            return [one for half in _time_halves(bounds) for one in self._copied(half)]
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _time_halves(bounds: Times) -> tuple[Times, Times]:
    """Two times in place of this one, which is no longer than hours; at least minutes."""
    start, end = bounds
    first = EPOCH + FIRST_HOUR * HOUR if start is None else start
    last = EPOCH + (LAST_HOUR + 1) * HOUR if end is None else end
    if last - first <= SHORTEST:
        raise errors.QuestionTooSlow(f"Copying the rows of the minute {first}.")
    middle = first + (last - first) / 2
    return (start, middle), (middle, end)
