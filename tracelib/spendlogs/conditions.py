"""Filters as conditions on LiteLLM's table, written once."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Subquery, bindparam, func, or_
from sqlalchemy.types import DateTime

from tracelib.filters import DIMENSIONS, NONE, Filters
from tracelib.spendlogs.shown import is_key_of
from tracelib.spendlogs.table import can_be_stored
from tracelib.window import TimeWindow


def in_window(logs: FromClause, window: TimeWindow) -> tuple[ColumnElement[bool], ...]:
    """Which rows start in the window? On the bare column, so that its index serves."""
    return (
        logs.c.startTime >= _stored_utc("window_start", window.start),
        logs.c.startTime < _stored_utc("window_end", window.end),
    )


def chosen_ids(
    clean: Mapping[str, ColumnElement[Any]], filters: Filters
) -> list[ColumnElement[bool]]:
    """Which rows pass each narrowed dimension? `NONE` chooses the rows without a value."""
    return [
        _is_key(clean["stored_key"], ids)
        if dimension == "key"
        else _is_one_of(clean[dimension], ids)
        for dimension, ids in filters.chosen().items()
    ]


def passes(requests: Subquery, filters: Filters) -> tuple[ColumnElement[bool], ...]:
    """Which rows that were found by an id do the filters choose, too?"""
    clean = {name: requests.c[name] for name in (*DIMENSIONS, "stored_key")}
    return (
        requests.c.started_at >= filters.window.start,
        requests.c.started_at < filters.window.end,
        *chosen_ids(clean, filters),
    )


def of_key(requests: Subquery, api_key: str) -> ColumnElement[bool]:
    """Which rows are of the key of this identity?"""
    return is_key_of(requests.c.stored_key, [api_key])


def _is_key(key: ColumnElement[str], ids: tuple[str, ...]) -> ColumnElement[bool]:
    return is_key_of(key, ["" if one == NONE else one for one in ids])


def _is_one_of(value: ColumnElement[Any], ids: tuple[str, ...]) -> ColumnElement[bool]:
    named = value.in_([one for one in ids if one != NONE and can_be_stored(one)])
    return or_(named, value.is_(None)) if NONE in ids else named


def _stored_utc(name: str, moment: object) -> ColumnElement[Any]:
    """The session's time zone must not shift what the column holds without a zone."""
    bound = bindparam(name, moment, DateTime(timezone=True), unique=True)
    return func.timezone("UTC", bound, type_=DateTime())
