"""A table as a CSV file: a unit in each heading, exact values, and no formula in any cell."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

import pandas as pd

BYTE_ORDER_MARK = "\ufeff".encode()  # without it Excel takes UTF-8 for something else
# A spreadsheet takes what begins like this for a formula; some skip the space before it.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
SPLITTING = ("\t", "\r", "\n")


class Kind(Enum):
    """What the values of a column are: how they are written on a page and in a file."""

    TEXT = "text"
    COUNT = "whole numbers"
    MONEY = "US dollars"
    BAR = "US dollars, drawn as a bar"
    DURATION = "milliseconds"
    SHARE = "0 to 1"
    RATE = "a second"
    MOMENT = "aware times"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading on a page, and its name in a file with the unit in it.

    `written` says how a page writes its values, where not as all of its kind.
    """

    heading: str
    exported: str
    kind: Kind = Kind.TEXT
    width: Any = None
    explained: str | None = None
    alignment: Literal["left", "right"] | None = None
    written: Callable[[Any], str] | None = None


def table_csv(frame: pd.DataFrame, columns: Mapping[str, Column]) -> bytes:
    """The rows of a frame as a CSV file with these of its columns.

    A line of names, a line a row, UTF-8 with a byte order mark. Shares are in per cent, times
    ISO 8601 in UTC; unknown is empty. Without rows there is the line of names.
    """
    known = frame[list(columns)].astype(object)
    known = known.where(known.notna(), None)
    kinds = [column.kind for column in columns.values()]
    rows = (
        [_in_unit(value, kind) for value, kind in zip(row, kinds, strict=True)]
        for row in known.itertuples(index=False)
    )
    names = [column.exported for column in columns.values()]
    return BYTE_ORDER_MARK + csv_lines([names]) + csv_lines(rows)


def csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """These rows as lines of CSV; a cell that a spreadsheet would run is defused."""
    written = io.StringIO()
    csv.writer(written).writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue().encode()


def iso_utc(moment: datetime) -> str:
    """
    >>> iso_utc(datetime(2026, 11, 23, 12, 0, 1, 500, tzinfo=UTC))
    '2026-11-23T12:00:01.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_unit(value: Any, kind: Kind) -> Any:
    """
    >>> _in_unit(0.07, Kind.SHARE), _in_unit(3.0, Kind.COUNT), _in_unit(None, Kind.SHARE)
    (7.0, 3, None)
    """
    if value is None:
        return None
    if kind is Kind.SHARE:
        # Times 100, 0.07 is 7.000000000000001.
        return float(f"{value * 100:.15g}")
    if kind is Kind.COUNT:
        return int(value)
    return iso_utc(value) if kind is Kind.MOMENT else value


def _cell(value: Any) -> Any:
    """
    >>> [_cell(value) for value in ("=1+1", " =1", "gpt-4o", -1.5, True, None)]
    ["'=1+1", "' =1", 'gpt-4o', -1.5, 'yes', None]
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(SPLITTING) or value.lstrip().startswith(FORMULA)
    return f"'{value}" if is_formula else value
