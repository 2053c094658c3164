"""Rows as a frame whose dtypes come from the statement, so that they do not depend on the rows."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Row, Select
from sqlalchemy.types import Boolean, DateTime, Float, Integer, Numeric, Text, TypeEngine

DTYPES: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (Boolean, "boolean"),
    (Integer, "Int64"),
    # Money leaves PostgreSQL as an exact sum; it is rounded to a double once, here.
    (Numeric, "float64"),
    (Float, "float64"),
    (DateTime, "datetime64[us, UTC]"),
    (Text, "str"),
)


def frame_of(statement: Select[Any], rows: Sequence[Row[Any]]) -> pd.DataFrame:
    """These rows as a frame, with the columns of the statement in its order."""
    columns = {
        column.name: _series([row[position] for row in rows], column.type)
        for position, column in enumerate(statement.selected_columns)
    }
    return pd.DataFrame(columns)


def _series(values: list[Any], kind: TypeEngine[Any]) -> "pd.Series[Any]":
    for known, dtype in DTYPES:
        if isinstance(kind, known):
            return _typed(values, dtype)
    return pd.Series(values, dtype="object")


def _typed(values: list[Any], dtype: str) -> "pd.Series[Any]":
    if dtype == "float64":
        return pd.Series([None if v is None else float(v) for v in values], dtype=dtype)
    if dtype.startswith("datetime64"):
        return pd.Series(pd.to_datetime(values, utc=True), dtype=dtype)
    return pd.Series(values, dtype=dtype)
