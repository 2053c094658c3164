"""Who answers a query: a question that takes a `Source` does not know who it is."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import pandas as pd
from sqlalchemy import ColumnElement, Row, Select, Subquery

from tracelib.filters import Filters
from tracelib.permissions.access import Scope
from tracelib.window import TimeWindow


class NotHeld(Exception):
    """A replica does not hold what this query reads, or cannot be read: PostgreSQL is asked."""


class Source(Protocol):
    """LiteLLM's PostgreSQL, or a replica of its log.

    A question with a `Source` is answered by either, with equal answers; one that reads bodies, or
    is about PostgreSQL itself, takes `Postgres`. A replica raises NotReplicated for what it does
    not hold.
    """

    @property
    def scope(self) -> Scope:
        """Whose requests does it show?"""

    def requests(self, filters: Filters) -> Subquery:
        """Which requests match the filters? The relation for all queries."""

    def sums_by_day(self, window: TimeWindow, columns: Sequence[str]) -> Subquery:
        """What do the requests of a window add up to, by UTC day and these of their columns?

        Those of `sums.by_day`, perhaps by more columns: sums of these are for the question. A
        replica may have them already, for whole days and some columns.
        """

    def by_id(self, column: str, ids: Sequence[str]) -> Subquery:
        """Which requests have one of these IDs: request_id, session_id or call_id?"""

    def of_sessions(self, keys: Sequence[tuple[str, str]]) -> Subquery | None:
        """Which requests have these sessions, pairs of session key and session ID, at any time?

        None if it would take a scan.
        """

    def finds_calls(self) -> bool:
        """Can requests be found by their call ID without a scan? There may be none to find."""

    def first_start(self, window: TimeWindow) -> Select[Any]:
        """When did the first request of this window start? One row: first, None if none did."""

    def name_of(
        self, dimension: str, identity: ColumnElement[str], sample: ColumnElement[str]
    ) -> ColumnElement[str]:
        """What is the name of this ID? `sample` is `measures.sample` of its requests."""

    def ids_called(self, dimension: str, text: str) -> list[Select[Any]]:
        """Which IDs of a dimension have this text in a name?"""

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """The rows of the result. Raises a TraceError."""

    def row(self, statement: Select[Any]) -> Row[Any]:
        """The only row of the result. Raises a TraceError."""

    def frame(self, statement: Select[Any]) -> pd.DataFrame:
        """The rows as a frame, whose columns keep their types without rows. Raises a TraceError."""


@runtime_checkable
class Numbered(Source, Protocol):
    """A source whose sessions have numbers: `session_group` is one."""

    def numbered(self, numbers: Sequence[int]) -> Subquery | None:
        """Which requests have the sessions with these numbers, at any time?

        None while not all of them are held.
        """
