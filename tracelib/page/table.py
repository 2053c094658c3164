"""The one way to draw a table: what its cells say, how it sorts, and the file it downloads as.

Numbers stay numbers, so that a click on a heading sorts by value; how each is written is the
Styler's affair. Streamlit's own download is off (`client.disableDataExport`): it would write
other headings and let a spreadsheet run what a cell says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, Literal
from unicodedata import east_asian_width

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from tracelib import formatting
from tracelib.handover import Column, Kind, table_csv
from tracelib.page import exact_cost

NUMBER = "_index"
LETTER_PX, PADDING_PX = 6.2, 18
MOST_LETTERS = 48  # of a column that makes itself as wide as its texts
WRITTEN: Mapping[Kind, Callable[[Any], str]] = {
    Kind.COUNT: formatting.exact,
    Kind.MONEY: formatting.money,
    Kind.DURATION: formatting.duration,
    Kind.SHARE: formatting.share,
    Kind.RATE: formatting.rate,
}
Columns = Mapping[str, Column]
# From a cell's value, the colour behind it; None for none.
Tones = Mapping[str, Callable[[Any], str | None]]


@contextmanager
def card(
    title: str,
    rows: pd.DataFrame | None,
    columns: Columns,
    explained: str | None = None,
    name: str | None = None,
) -> Iterator[None]:
    """A box with a heading and, where there are rows, the button that downloads them as CSV.

    The file is called by the `name`, or by the title.
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
    """An icon that makes a CSV file of these rows when it is clicked."""
    st.download_button(
        "Download CSV",
        lambda: table_csv(rows, columns),
        file_name=f"{name.lower().replace(' ', '-')}-{datetime.now(UTC):%Y%m%d-%H%M}Z.csv",
        mime="text/csv",
        key=f"csv {name}",
        help="Download CSV",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )


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
) -> None:
    """Draw these columns of the rows, or those in `order`. With `on_open` a click calls it.

    The rows are numbered then: Streamlit's grid selects its first cell whenever it gets the
    focus, as after a click on a heading, and a cell of the index is no selection. They are also
    where there is a cost: the exact one is shown over its row.
    """
    # What is not shown is not sent either.
    shown = rows[list(columns)].set_axis(range(1, len(rows) + 1), axis="index")
    config = _configs(columns, shown, zone)
    cost = next((name for name, column in columns.items() if column.kind is Kind.MONEY), None)
    is_numbered = cost is not None or on_open is not None
    if is_numbered:
        config[NUMBER] = st.column_config.NumberColumn("#", width=36)
    opening: dict[str, Any] = {}
    if on_open is not None:
        opening = {"on_select": on_open, "selection_mode": selection_mode}
    with exact_cost.over(f"{key} with costs", rows[cost]) if cost is not None else nullcontext():
        st.dataframe(
            _styled(shown, columns, tones or {}),
            hide_index=not is_numbered,
            placeholder=formatting.UNKNOWN,
            height=height,
            column_order=order,
            column_config=config,
            key=key,
            **opening,
        )


def _configs(columns: Columns, rows: pd.DataFrame, zone: str) -> dict[str, Any]:
    """How is each column drawn? The last one takes the room that is left."""
    config = {name: _config(column, rows[name], zone) for name, column in columns.items()}
    for name in list(columns)[:-1]:
        if columns[name].kind is Kind.TEXT and columns[name].width is None:
            # Streamlit's grid measures a few rows and cuts off what is longer in others.
            config[name]["width"] = _widest(columns[name].heading, rows[name])
    return config


def _config(column: Column, values: "pd.Series[Any]", zone: str) -> Any:
    kinds = st.column_config
    said: dict[str, Any] = {"width": column.width, "help": column.explained}
    if column.kind is Kind.TEXT:
        return kinds.TextColumn(column.heading, alignment=column.alignment, **said)
    if column.kind is Kind.MOMENT:
        written = "D MMM HH:mm:ss"
        return kinds.DatetimeColumn(column.heading, timezone=zone, format=written, **said)
    if column.kind is Kind.BAR:
        highest = float(values.max()) if len(values) else 0.0
        # The figure stands beside it: a bar's own would have as many decimals in each row.
        return kinds.ProgressColumn(
            column.heading, format=" ", min_value=0.0, max_value=highest or 1.0, **said
        )
    return kinds.NumberColumn(column.heading, alignment=column.alignment, **said)


def _widest(heading: str, values: "pd.Series[Any]") -> int:
    """How wide is a column that cuts off none of these texts, of usual length? Pixels."""
    texts = [heading, *(one for one in values if isinstance(one, str))]
    letters = max(sum(1 + (east_asian_width(sign) in "WF") for sign in text) for text in texts)
    return round(PADDING_PX + LETTER_PX * min(letters, MOST_LETTERS))


def _styled(rows: pd.DataFrame, columns: Columns, tones: Tones) -> Styler:
    written: dict[Any, Any] = {
        name: column.written or WRITTEN[column.kind]
        for name, column in columns.items()
        if column.written or column.kind in WRITTEN
    }
    styled = rows.style.format(written, na_rep=formatting.UNKNOWN)
    for name, tone in tones.items():
        styled = styled.map(_behind, subset=[name], tone=tone)
    return styled


def _behind(value: Any, tone: Callable[[Any], str | None]) -> str:
    colour = tone(value)
    return f"background-color: {colour}" if colour else ""
