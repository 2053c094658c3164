"""The only way to draw a table: its cells, its sort order, and its download.

Numbers stay numbers, so that a click on a heading sorts by value.
Streamlit's own download is off (`client.disableDataExport`): it would write other headings and let
a spreadsheet run formulas in cells.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unicodedata import east_asian_width

import pandas as pd
import streamlit as st

from tracelib import errors, formatting
from tracelib.export import Column, table_csv
from tracelib.files import File
from tracelib.formatting import Kind
from tracelib.page.base import file_button, identity, navigation
from tracelib.page.base.written_table import Texts, Tones, written
from tracelib.permissions.people import Person
from tracelib.querying.installation import Installation
from tracelib.selection import RowId

_component = st.components.v2.component(
    "exact_cost",
    html="<span></span>",
    # Streamlit takes a single line with a star for the path of files.
    css='[class*="st-key-exact-cost-"] {\n  position: absolute; width: 0 !important;\n}\n',
    js=Path(__file__).with_name("exact_cost.js").read_text("utf-8"),
    isolate_styles=False,
)


@contextmanager
def with_exact_costs(key: str, costs_usd: Iterable[float | None]) -> Iterator[None]:
    """A container, with this key, of a table with numbered rows: each shows its exact cost."""
    costs = [formatting.exact_money(None if pd.isna(one) else one) for one in costs_usd]
    with st.container(key=key):
        yield
        data = {"table": navigation.css_class(key), "costs": costs}
        _component(key=f"exact cost {key}", data=data)


NUMBER = "_index"
LETTER_PX, PADDING_PX = 6.2, 18
MOST_LETTERS = 48  # of a column that makes itself as wide as its texts
Columns = Mapping[str, Column]


@contextmanager
def card(
    title: str,
    rows: pd.DataFrame | None,
    columns: Columns,
    explained: str | None = None,
    name: str | None = None,
) -> Iterator[None]:
    """A box with a heading and, if there are rows, the button that downloads them as CSV.

    The file has the `name`, or the title.
    """
    with st.container(border=True, height="stretch"):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"**{title}**", help=explained, width="content")
            if rows is not None and not rows.empty:
                download(name or title, rows, columns)
        yield


def download(name: str, rows: pd.DataFrame, columns: Columns) -> None:
    """A button that makes a CSV file of these rows when it is clicked."""
    access = identity.identified()[1].access

    def make(_person: Person, installed: Installation) -> Iterable[bytes]:
        # The rows are those of the access that the page was drawn for.
        if installed.access != access:
            raise errors.NotForThisRole()
        return [table_csv(rows, columns)]

    at = f"{datetime.now(UTC):%Y%m%d-%H%M}Z"
    file = File(f"{name.lower().replace(' ', '-')}-{at}.csv", "text/csv", make)
    file_button.draw("Download CSV", f"csv {name}", file, is_quiet=True)


def draw(
    rows: pd.DataFrame,
    columns: Columns,
    key: str,
    *,
    zone: str = "UTC",
    tones: Tones | None = None,
    height: int | Literal["auto", "content"] = "auto",
    order: Sequence[str] | None = None,
    on_open: Callable[[], None] | None = None,
    selection_mode: Any = ("single-row", "single-cell"),
    row_height: int | None = None,
) -> None:
    """Draw these columns of the rows, or those in `order`. With `on_open` a click calls it.

    Texts are in one line, or in as many as the `row_height`, in pixels, has room for.

    The rows are numbered then: Streamlit's grid selects its first cell whenever it gets the focus,
    for example after a click on a heading, and a cell of the index is not a selection. They are
    also numbered if there is a cost: the exact one is shown over its row.
    """
    # Columns that are not shown are not sent either.
    shown = rows[list(columns)].set_axis(range(1, len(rows) + 1), axis="index")
    config = _configs(columns, shown, zone)
    cost = next((name for name, column in columns.items() if column.kind is Kind.MONEY), None)
    is_numbered = cost is not None or on_open is not None
    if is_numbered:
        config[NUMBER] = st.column_config.NumberColumn("#", width=36)
    opening: dict[str, Any] = {}
    if on_open is not None:
        opening = {"on_select": on_open, "selection_mode": selection_mode}
    with with_exact_costs(f"{key} with costs", rows[cost]) if cost is not None else nullcontext():
        st.dataframe(
            written(shown, _texts(columns), tones or {}),
            hide_index=not is_numbered,
            placeholder=formatting.UNKNOWN,
            height=height,
            row_height=row_height,
            column_order=order,
            column_config=config,
            key=key,
            **opening,
        )


def _configs(columns: Columns, rows: pd.DataFrame, zone: str) -> dict[str, Any]:
    """How is each column drawn? The last one takes the remaining width."""
    config = {name: _config(column, rows[name], zone) for name, column in columns.items()}
    for name in list(columns)[:-1]:
        if columns[name].kind is Kind.TEXT and columns[name].width is None:
            # Streamlit's grid measures a few rows and cuts off longer texts in others.
            config[name]["width"] = _widest(columns[name].heading, rows[name])
    return config


def _config(column: Column, values: "pd.Series[Any]", zone: str) -> Any:
    kinds = st.column_config
    options: dict[str, Any] = {"width": column.width, "help": column.explained}
    if column.kind is Kind.TEXT:
        return kinds.TextColumn(column.heading, alignment=column.alignment, **options)
    if column.kind is Kind.MOMENT:
        written = "D MMM HH:mm:ss"
        return kinds.DatetimeColumn(column.heading, timezone=zone, format=written, **options)
    if column.is_bar:
        highest = float(values.max()) if len(values) else 0.0
        # The figure is next to the bar: a bar's own would have as many decimals in each row.
        return kinds.ProgressColumn(
            column.heading, format=" ", min_value=0.0, max_value=highest or 1.0, **options
        )
    return kinds.NumberColumn(column.heading, alignment=column.alignment, **options)


def _widest(heading: str, values: "pd.Series[Any]") -> int:
    """The width, in pixels, of a column that cuts off none of these texts, of usual length."""
    texts = [heading, *(one for one in values if isinstance(one, str))]
    letters = max(sum(1 + (east_asian_width(sign) in "WF") for sign in text) for text in texts)
    return round(PADDING_PX + LETTER_PX * min(letters, MOST_LETTERS))


def _texts(columns: Columns) -> Texts:
    """How is each value written? Streamlit itself writes texts, times and bars."""
    return {
        name: column.written or column.kind.written
        for name, column in columns.items()
        if column.written or (column.kind.is_number and not column.is_bar)
    }


CLICKED = "row clicked"
CLICKS = "number of clicks"


class Click(NamedTuple):
    """A click: a session, the request of the row if it has one, and the column."""

    session_id: str
    api_key: str
    row: RowId | None
    column: str | None


def element_key(key: str) -> str:
    """The key of the table in the browser. A new one after each row that was taken.

    A browser keeps the selection of a table, and a click on the selected row is not reported.
    """
    return f"{key} {st.session_state.get(CLICKS, 0)}"


def remember_rows(key: str, rows: pd.DataFrame) -> None:
    """Remember which session each row of the table with this key has.

    Rows of requests, with `request_id` and `started_at`, lead to the request in it.
    """
    requests: Iterable[RowId | None] = [None] * len(rows)
    if "request_id" in rows:
        requests = map(RowId, rows["request_id"], rows["started_at"])
    st.session_state[f"{key} as drawn"] = list(
        zip(rows["session_id"], rows["api_key"], requests, strict=True)
    )


def store_click(key: str) -> None:
    """Take over a clicked row; for the table's callback, which runs before the page does."""
    selection = _selection(key)
    cells = selection["cells"] or [(row, None) for row in selection["rows"]]
    for row, column in cells[:1]:
        store_row_click(key, row, column)


def store_row_click(key: str, position: int, column: str | None = None) -> None:
    """Take over the row at this position of the table with this key; for callbacks."""
    drawn_rows = st.session_state.get(f"{key} as drawn", [])
    if position < len(drawn_rows):
        session_id, api_key, row = drawn_rows[position]
        st.session_state[CLICKED] = Click(session_id, api_key, row, column)


def store_click_or_ticks(key: str) -> None:
    """Take over a clicked cell or ticked rows; for the callback of a table that has both."""
    if element_key(key) not in st.session_state:
        return
    selection = _selection(key)
    if selection["cells"]:
        store_click(key)
    drawn_rows = st.session_state.get(f"{key} as drawn", [])
    st.session_state[f"{key} ticked"] = [
        drawn_rows[position][:2] for position in selection["rows"] if position < len(drawn_rows)
    ]


def ticked(key: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Which of these sessions are ticked, at whatever position they were ticked?"""
    sessions = st.session_state.get(f"{key} ticked", [])
    shown = zip(rows["session_id"], rows["api_key"], strict=True)
    return rows[[one in sessions for one in shown]]


def keep_ticks(key: str, rows: pd.DataFrame) -> None:
    """Keep each tick with its session when rows have moved; before the table."""
    positions = rows.index.get_indexer(ticked(key, rows).index).tolist()
    if sorted(_selection(key)["rows"]) != positions:
        st.session_state[element_key(key)] = {
            "selection": {"rows": positions, "columns": [], "cells": []}
        }


def clicked() -> Click | None:
    """Which row was clicked? Each click is returned once."""
    click: Click | None = taken(CLICKED)
    return click


def taken(name: str) -> Any:
    """What the callback of a table stored under this name, once; None if there is nothing."""
    value = st.session_state.pop(name, None)
    if value is not None:
        st.session_state[CLICKS] = st.session_state.get(CLICKS, 0) + 1
    return value


def clicked_position(key: str) -> int | None:
    """The position of the row that was clicked in the table with this key; for its callback."""
    selection = _selection(key)
    positions = [row for row, _ in selection["cells"]] or selection["rows"]
    return next(iter(positions), None)


def _selection(key: str) -> dict[str, list[Any]]:
    """The cells and rows selected in the table with this key; empty if it is not drawn.

    A browser reports a click again if the run that took it over was interrupted, for example by
    the next click. The table has another key then.
    """
    nothing: dict[str, dict[str, list[Any]]] = {"selection": {"rows": [], "cells": []}}
    selection: dict[str, list[Any]] = st.session_state.get(element_key(key), nothing)["selection"]
    return selection
