"""What a query finds of a check."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, func
from sqlalchemy.types import DateTime

from tracelib.spendlogs.types import utc


@dataclass(frozen=True, slots=True)
class Finding:
    """How many `rows` of the `of` requests that were read have a defect.

    `since` is the start of the first of them, aware UTC; None if there is none.
    """

    name: str
    rows: int
    of: int
    since: datetime | None


Findings = tuple[Finding, ...]


def counted(requests: FromClause, *names: str) -> list[ColumnElement[Any]]:
    """The rows of each of these defects, which are columns of requests, and the first of them."""
    columns: list[ColumnElement[Any]] = []
    for name in names:
        columns += [
            func.count().filter(requests.c[name]).label(f"{name}_rows"),
            first_start(requests).filter(requests.c[name]).label(f"{name}_first"),
        ]
    return columns


def first_start(requests: FromClause) -> Any:
    """The first of the stored starts."""
    return func.min(requests.c.start_order, type_=DateTime())


def shown(found: FromClause, *names: str) -> list[ColumnElement[Any]]:
    """The columns of `counted`, of a statement that has them, with aware times."""
    columns: list[ColumnElement[Any]] = []
    for name in names:
        since = utc(found.c[f"{name}_first"])
        columns += [found.c[f"{name}_rows"], since.label(f"{name}_since")]
    return columns


def findings(row: Row[Any], names: Iterable[str], of: str = "requests") -> Findings:
    """The findings in a row with the columns of `shown`, of the number of requests in `of`."""
    values = row._mapping
    return tuple(
        Finding(name, values[f"{name}_rows"] or 0, values[of] or 0, values[f"{name}_since"])
        for name in names
    )
