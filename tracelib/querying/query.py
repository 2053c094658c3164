"""A query with its arguments, and the key under which its result is stored."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from tracelib.filters import Filters
from tracelib.querying.installation import Installation


@dataclass(frozen=True, slots=True)
class Query:
    """A query with its arguments, so that a page can submit several at once.

    `tick` is given if it differs from that of the queries with it.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    tick: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def description(self) -> str:
        """What it queries, in a few words.

        >>> Query(len, ()).description
        'len'
        """
        return self.function.__name__.replace("_", " ").strip()


def result_key(query: Query, now: datetime, installed: Installation) -> str:
    """The key of this query on this database with this access.

    It stays the same at the next tick, when only the clock has moved on, and in the next process.
    As short as a name: arguments may be long.
    """
    relative = [_relative(argument, query.tick or now) for argument in query.arguments]
    database = (installed.address.without_password(), installed.settings.table)
    description = f"{query.name} {relative} {database} {installed.access!r}"
    return blake2b(description.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest()


def _relative(argument: object, now: datetime) -> str:
    """A moment as its distance from now; filters without the clock."""
    if isinstance(argument, datetime):
        return repr(now - argument)
    if isinstance(argument, Filters):
        return repr(argument.without_clock())
    return repr(argument)
