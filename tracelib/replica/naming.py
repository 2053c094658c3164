"""The names of IDs, of the tables of names and of rows, and the order of the models."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tracelib.replica.host import Host, Name
from tracelib.replica.manifest import MOST_KNOWN, Span
from tracelib.replica.storage import Carried, Listed, NameRow, Storage
from tracelib.spendlogs.types import BETWEEN

NAMED_S = 300.0


class Naming:
    """Knows which names and models the rows have, and writes names whenever they have changed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._due_at = 0.0
        self._known: list[Name] = []
        self._written: tuple[str, list[NameRow]] | None = None
        self._listed: dict[str, Listed] = {}

    def is_due(self, parts: Sequence[Span], now: float) -> bool:
        """Is it time to look for new names, or are there files whose rows may carry some?"""
        return now >= self._due_at or any(part.file not in self._listed for part in parts)

    def file(self, host: Host, parts: Sequence[Span], old: str | None, now: float) -> str:
        """The file with the names of now: the old one if they have not changed.

        Raises a TraceError, an OSError or a duckdb.Error.
        """
        if now >= self._due_at:
            self._known = [*host.names()]
            self._due_at = now + NAMED_S
        rows = all_names(self._known, self._carried_by(parts))
        if self._written is None or self._written != (old, rows):
            self._written = self._storage.build_names(rows), rows
        return self._written[0]

    def _carried_by(self, parts: Sequence[Span]) -> list[Carried]:
        """The names in the rows of all spans, of which only new files are read."""
        known = self._listed
        self._listed = {
            part.file: known[part.file] if part.file in known else self._storage.listed(part)
            for part in parts
        }
        return [name for one in self._listed.values() for name in one.names]

    def models(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """These models in their order, then the others, the most used first, ties by name.

        A model keeps its place, and so its colour, once it has one. Of the spans last named.
        """
        requests = Counter[str]()
        for one in self._listed.values():
            requests.update(one.models)
        new = requests.keys() - known
        ranked = sorted(new, key=lambda name: (-requests[name], name))
        return (*known, *ranked)[:MOST_KNOWN]


def all_names(known: Iterable[Name], carried: Iterable[Carried]) -> list[NameRow]:
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
