"""History, filled from the newest hour to the oldest."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from tracelib.replica import building, layout
from tracelib.replica.host import Host
from tracelib.replica.layout import Range
from tracelib.replica.manifest import Manifest, Span
from tracelib.replica.storage import Csv, Opened, Storage

# Hours that are filled at full speed: two statements at once, and the next while files are written.
FIRST_HOURS = 24
AT_ONCE = 2
SLOW_S, QUICK_S = 5.0, 2.5
LEAST_ROWS, MOST_ROWS = 5_000, 100_000
# A replica that was cut at its limit grows again once it is so much smaller than that.
ROOM = 0.7
MB = 1024**2


@dataclass(frozen=True)
class Copy:
    """Rows of chunks that follow each other, being copied since `began`."""

    chunks: Sequence[Range]
    began: float
    host: Host
    rows: "Future[list[Csv]]"


class Filling:
    """Fills the history of a replica, piece by piece."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._settings = storage, storage.settings
        self._plan: list[Range] = []
        self._most_rows = MOST_ROWS
        self._ahead: Copy | None = None
        self._pool = ThreadPoolExecutor(1, "replica-copy")

    def reset(self) -> None:
        """Forget what was planned, and what is being copied."""
        self._plan = []
        if self._ahead is not None:
            self._ahead.rows.add_done_callback(_discard)
            self._ahead = None

    def is_first(self, end: int | None, now: float) -> bool:
        """Are the hours before this one to be filled at full speed?"""
        return end is not None and end > layout.hour_at(now) - FIRST_HOURS

    def fill(self, host: Host, opened: Opened, now: float) -> bool:
        """Fill the newest hours that are not held yet; False if there are none.

        Raises a TraceError, an OSError or a duckdb.Error.
        """
        end = opened.manifest.complete_from
        if end is None or not self.has_room(opened):
            return False
        started = time.perf_counter()
        copy = self._taken(host, end, now)
        if copy is None:
            self._finish(opened)
            return True
        read = copy.rows.result()
        host.read_s = copy.host.read_s
        self._pace(copy)
        self._look_ahead(copy, now)
        span = building.of_rows(self._storage, read, copy.chunks, copy.began)
        opened.replace_spans([], [span], span.rows / (time.perf_counter() - started))
        return True

    def has_room(self, opened: Opened) -> bool:
        """May the replica grow? If it is too large, its oldest spans go."""
        if self._settings.disk_mb is None:
            opened.fill_disk(False)
            return True
        limit, size = self._settings.disk_mb * MB, opened.manifest.bytes
        if size <= limit * (ROOM if opened.manifest.is_disk_full else 1):
            opened.fill_disk(False)
            return True
        while opened.manifest.bytes > limit and len(opened.manifest.spans) > 1:
            opened.drop_oldest()
        opened.fill_disk(True)
        return False

    def _taken(self, host: Host, end: int, now: float) -> Copy | None:
        """The rows before this hour; None if there are none."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.chunks[0][1] == end:
            return ahead
        if ahead is not None:
            ahead.rows.add_done_callback(_discard)
        if not self._plan or self._plan[0][1] != end:
            self._plan = self._planned(host, end, self._at_once(end, now))
        return self._begun(host, now) if self._plan else None

    def _begun(self, host: Host, now: float) -> Copy:
        """Begin to copy the next chunks of the plan."""
        at_once = self._at_once(self._plan[0][1], now)
        chunks, self._plan = self._plan[:at_once], self._plan[at_once:]
        fresh = Host(host.source, host.folder, host.reads_bodies)
        return Copy(chunks, now, fresh, self._pool.submit(fresh.copy, chunks, at_once))

    def _at_once(self, end: int | None, now: float) -> int:
        return AT_ONCE if self.is_first(end, now) else 1

    def _look_ahead(self, copy: Copy, now: float) -> None:
        """Copy the next rows while these are written, if that is not to spare the database."""
        may = self._settings.duty >= 1 or self.is_first(copy.chunks[-1][0], now)
        if may and self._plan:
            self._ahead = self._begun(copy.host, now)

    def _planned(self, host: Host, end: int, at_once: int) -> list[Range]:
        """The parts of the last day before this hour that has rows; none if no row is before."""
        last = host.last_hour_before(end)
        if last is None:
            return []
        if last <= layout.FIRST_HOUR:
            return [(None, end)]
        start = layout.day_start(last)
        counted = host.counts((start, end))
        rows = {hour: one for hour, (one, _) in counted.items()}
        return [*layout.chunks(start, end, rows, self._most_rows // at_once)]

    def _pace(self, copy: Copy) -> None:
        """Choose how many rows a statement reads."""
        if copy.host.read_s > SLOW_S and self._most_rows > LEAST_ROWS:
            self._most_rows = max(self._most_rows // 2, LEAST_ROWS)
            self._plan = []
        elif copy.host.read_s < QUICK_S:
            self._most_rows = min(self._most_rows * 2, MOST_ROWS)

    def _finish(self, opened: Opened) -> None:
        """All history is held: nothing is before the first span."""
        first: Span = opened.manifest.spans[0]
        manifest: Manifest = opened.manifest
        parts = (replace(first, start=None), *manifest.spans[1:])
        opened.publish(replace(manifest, spans=parts, complete_from=None))


def _discard(copied: "Future[list[Csv]]") -> None:
    if copied.exception() is None:
        for one in copied.result():
            one.path.unlink(missing_ok=True)
