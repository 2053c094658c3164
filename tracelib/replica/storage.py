"""Where a replica is kept, as its writer sees it: a folder of files, or tables of a database."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from tracelib import errors, events
from tracelib.replica import layout
from tracelib.replica.layout import Range
from tracelib.replica.manifest import Hour, Manifest, Span
from tracelib.replica.settings import ReplicaSettings

# Of no hour is anything held.
NOTHING = layout.LAST_HOUR + 1
# Rows of `replicated.NAMES`.
NameRow = tuple[str | None, ...]


@dataclass(frozen=True)
class Csv:
    """Rows as PostgreSQL wrote them, and how many these are."""

    path: Path
    rows: int


@dataclass(frozen=True)
class Kept:
    """The rows of a span from one hour to before another, but those of some hours.

    None is without a bound.
    """

    span: Span
    start: int | None = None
    end: int | None = None
    without: Collection[int] = ()


@dataclass(frozen=True)
class Built:
    """What holds the rows of a span now, and what was read into it: rows and hashes by hour.

    `sums` are the tables of `sums.TABLES` that it has.
    """

    file: str
    rows: int
    bytes: int
    read: Mapping[int, tuple[int, int]]
    sums: tuple[str, ...] = ()


class Carried(NamedTuple):
    """The name of an ID in its newest row, and when that started."""

    dimension: str
    id: str
    name: str
    started: datetime


class Listed(NamedTuple):
    """The names that rows carry, by dimension and ID, and how many requests each model had."""

    names: Sequence[Carried]
    models: Mapping[str, int]


@dataclass
class Opened(ABC):
    """The manifest of a replica whose only writer this is; `broken` are files that are damaged."""

    manifest: Manifest
    broken: set[str] = field(default_factory=set)

    @abstractmethod
    def publish(self, manifest: Manifest) -> None:
        """Make this the manifest. Raises an OSError or a TraceError."""

    @abstractmethod
    def tidy(self, now: float) -> None:
        """Remove what no manifest has named for a while."""

    @abstractmethod
    def fail(self, sentence: str, error: Exception) -> None:
        """Say in the manifest what is wrong, if it can be written."""

    def replace_spans(
        self, old: Sequence[Span], new: Sequence[Span], rows_per_s: float | None = None
    ) -> None:
        """Publish these spans in place of others that follow each other; of none, at the start."""
        gone = {span.file for span in old}
        known = self.manifest.spans
        place = min((n for n, span in enumerate(known) if span.file in gone), default=0)
        kept = [span for span in known if span.file not in gone]
        parts = layout.without_empty([*kept[:place], *new, *kept[place:]])
        speed = self.manifest.rows_per_s if rows_per_s is None else rows_per_s
        start = parts[0].start
        self.publish(replace(self.manifest, spans=parts, complete_from=start, rows_per_s=speed))

    def drop_oldest(self) -> None:
        """Publish all spans but the oldest."""
        parts = self.manifest.spans[1:]
        self.publish(replace(self.manifest, spans=parts, complete_from=parts[0].start))

    def fill_disk(self, is_full: bool) -> None:
        """Publish whether the limit of the disk is reached."""
        if self.manifest.is_disk_full != is_full:
            self.publish(replace(self.manifest, is_disk_full=is_full))


class Storage(Protocol):
    """Keeps the rows and the manifest of a replica, for one writer at a time.

    All methods may raise a TraceError, an OSError or a duckdb.Error.
    """

    @property
    def settings(self) -> ReplicaSettings:
        """How much the replica may use, and where rows are on their way to it."""

    def win(self) -> bool:
        """Am I the only writer? Becomes it if there is none."""

    def resign(self) -> None:
        """Let another one be the writer."""

    def is_paused(self) -> bool:
        """Has an admin paused the writer?"""

    def open(self, identity: str) -> Opened:
        """The replica of the database with this identity, or a new one."""

    def tell(self, sentence: str, error: Exception) -> None:
        """Say what is wrong before anything could be opened, if that can be written."""

    def build(self, hours: Range, read: Sequence[Csv], kept: Sequence[Kept]) -> Built:
        """Hold exactly these rows in these hours, once the manifest is published."""

    def build_names(self, rows: Sequence[NameRow]) -> str:
        """Hold exactly these names, once a manifest with the result is published."""

    def listed(self, span: Span) -> Listed:
        """Which names and models do the rows of this span have?"""

    def counts(self, span: Span) -> Mapping[int, int]:
        """How many rows of each hour are really there?"""


def log_published(manifest: Manifest) -> None:
    """Log that this is the manifest now."""
    size = {"rows": manifest.rows, "bytes": manifest.bytes, "spans": len(manifest.spans)}
    events.log("debug", "replica_published", **size)


def newly_read(built: Built, span: Span, now: float) -> Span:
    """The span with what was built for it, whose other hours are as they were."""
    read = {hour: Hour(*one, now) for hour, one in built.read.items()}
    hours = dict(sorted({**span.hours, **read}.items()))
    rows = sum(one.rows for one in hours.values())
    if built.rows != rows:
        raise errors.ReplicaDamaged(f"{built.file} has {built.rows} rows.")
    made = replace(span, file=built.file, bytes=built.bytes, sums=built.sums)
    return replace(made, rows=rows, hours=hours)
