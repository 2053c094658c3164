"""*As table*: the values of a chart as a table that a screen reader reads.

It is made when it is opened, from the figure that is drawn, by a fragment: the page does not run
again. Streamlit's own tables are a canvas, or read their cells as Markdown.
"""

from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from tracelib import formatting
from tracelib.charts.values import values
from tracelib.page.base.derived import FinishedFigure

HTML = """\
<div class="chart-table" role="region" tabindex="0"><table></table></div>
<p class="chart-table-note"></p>
"""
_component = st.components.v2.component(
    "chart_table",
    html=HTML,
    css=Path(__file__).with_suffix(".css").read_text("utf-8"),
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
)


def offer(title: str, figure: go.Figure, zone: str | None = None) -> None:
    """Draw what opens the table of this chart, below it. Its times are those of the zone."""
    st.fragment(_offer)(title, figure, zone)


def _offer(title: str, figure: go.Figure, zone: str | None) -> None:
    folded = st.expander("As table", key=f"table of {title}", type="compact", on_change="rerun")
    if not folded.open:
        return
    finished = figure if isinstance(figure, FinishedFigure) else FinishedFigure(figure)
    found = values(finished.to_dict(), zone)
    note = (
        f"{formatting.counted(found.left_out, 'more row')} in the chart." if found.left_out else ""
    )
    with folded:
        _component(
            key=f"rows of {title}",
            data={"title": title, "headings": found.headings, "rows": found.rows, "note": note},
        )
