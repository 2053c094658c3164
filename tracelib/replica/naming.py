"""The file of names: those of the tables of names, and those that rows carry."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tracelib.replica import spans
from tracelib.replica.host import Host, Name
from tracelib.replica.manifest import Span
from tracelib.replica.settings import ReplicaSettings
from tracelib.spendlogs.types import BETWEEN

NAMED_S = 300.0
# Rows of NAMES.
Row = tuple[str | None, ...]


class Naming:
    """Writes a file of names whenever they have changed."""

    def __init__(self, settings: ReplicaSettings) -> None:
        self._settings = settings
        self._due_at = 0.0
        self._known: list[Name] = []
        self._written: tuple[str, list[Row]] | None = None
        self._carried: dict[str, list[spans.Carried]] = {}

    def is_due(self, parts: Sequence[Span], now: float) -> bool:
        """Is it time to look for new names, or are there files whose rows may carry some?"""
        return now >= self._due_at or any(part.file not in self._carried for part in parts)

    def file(self, host: Host, parts: Sequence[Span], old: str | None, now: float) -> str:
        """The file with the names of now: the old one if they have not changed.

        Raises a TraceError, an OSError or a duckdb.Error.
        """
        if now >= self._due_at:
            self._known = [*host.names()]
            self._due_at = now + NAMED_S
        rows = all_names(self._known, self._carried_by(parts))
        if self._written is None or self._written != (old, rows):
            self._written = spans.build_names(self._settings, rows), rows
        return self._written[0]

    def _carried_by(self, parts: Sequence[Span]) -> list[spans.Carried]:
        """The names in the rows of all spans, of which only new files are read."""
        files = [part.file for part in parts]
        new = {
            one: spans.carried_names(self._settings, one)
            for one in files
            if one not in self._carried
        }
        self._carried = {one: [*self._carried.get(one, new.get(one, []))] for one in files}
        return [name for one in files for name in self._carried[one]]


def all_names(known: Iterable[Name], carried: Iterable[spans.Carried]) -> list[Row]:
    """The name of each ID: of the best table that has one, else of its newest row that has one.

    Rows of NAMES, by dimension and ID. Only the names of tables are searched.
    """
    names: dict[tuple[str, str], str] = {}
    for one in sorted(carried, key=lambda one: (one.started, one.name)):
        names[one.dimension, one.id] = one.name
    searched: dict[tuple[str, str], list[str]] = defaultdict(list)
    for found in sorted(known, key=lambda found: -found.place):
        key = found.dimension, found.id
        if found.name is not None:
            names[key] = found.name
        searched[key].append(found.searched)
    return [
        (*key, name, BETWEEN.join(searched[key]) or None) for key, name in sorted(names.items())
    ]
