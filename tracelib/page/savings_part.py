"""Savings: which money bought nothing, and what ends it?"""

from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting, savings
from tracelib.charts import savings as charts
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.keys import NAMES
from tracelib.page.base import address, table
from tracelib.page.base.captions import NOTHING_HERE, source_caption, stop_without_database
from tracelib.page.base.cards import CONFIG, card, show_empty_state
from tracelib.page.base.view import View
from tracelib.savings import Waste

ABOUT = (
    "Requests with a cost that bought nothing. Each is in the first class that fits and in no "
    "other, so the classes add up."
)
NOTHING_WASTED = "No request of this range fits a class of waste."
TABLE = {
    "title": Column("Class", "class", width=150),
    "usd": Column("Cost", "cost_usd", Kind.MONEY, width=84),
    "share": Column("Of all cost", "share_of_cost", Kind.SHARE, width=84),
    "requests": Column("Requests", "requests", Kind.COUNT, width=80),
    "remedy": Column("What to do", "what_to_do"),
}
IN_FILE = {name: Column(name, name) for name in ("name", "definition")}
EXAMPLES = {
    "title": Column("Class", "class", width=150),
    "usd": Column("Cost", "cost_usd", Kind.MONEY, width=84),
    "requests": Column("Requests", "requests", Kind.COUNT, width=80),
    "key_name": Column("Key", "key", width=150),
    "session_id": Column("Session", "session_id"),
}
EXAMPLES_TABLE = "sessions with waste"
ROW_PX = 64


def draw(view: View) -> None:
    """Draw what was wasted, by class, and where."""
    pending = view.query(savings.waste, view.filters)
    stop_without_database(pending.result)
    found = pending.result.value
    if found is None or not found.requests:
        show_empty_state(NOTHING_HERE)
        return
    st.text(_headline(found))
    _classes(found)
    _examples(view, found)
    source_caption(view, pending.result, requests=found.requests_read)


def _headline(found: Waste) -> str:
    """How much was wasted, on what most of all, and of how many requests that is known."""
    read = _read(found)
    if not found.classes:
        return f"{NOTHING_WASTED} {read}".strip()
    worst = max(found.classes, key=lambda one: one.cost_usd)
    share = formatting.share(found.share(found.wasted_usd))
    sentence = (
        f"{formatting.money(float(found.wasted_usd))} of {formatting.money(float(found.cost_usd))} "
        f"bought nothing, {share}. Most of it: {worst.declared.title.lower()}, "
        f"{formatting.money(float(worst.cost_usd))} in "
        f"{formatting.counted(worst.requests, 'request')}. {read}"
    )
    return sentence.strip()


def _read(found: Waste) -> str:
    if found.requests_read == found.requests:
        return ""
    read, every = formatting.exact(found.requests_read), formatting.exact(found.requests)
    return f"The newest {read} of {every} requests were read; with a replica all are."


def _classes(found: Waste) -> None:
    rows = pd.DataFrame(
        [
            {
                "name": one.name,
                "title": one.declared.title,
                "usd": float(one.cost_usd),
                "share": found.share(one.cost_usd),
                "requests": one.requests,
                "remedy": one.declared.remedy,
                "definition": one.declared.definition,
            }
            for one in found.classes
        ]
    )
    with table.card("Wasted money", rows, TABLE | IN_FILE, ABOUT, "wasted money"):
        if rows.empty:
            show_empty_state(NOTHING_WASTED)
        else:
            classes = (
                charts.Part(one.name, one.declared.title, float(one.cost_usd), one.requests)
                for one in found.classes
            )
            chart = charts.waste(list(classes))
            st.plotly_chart(chart, key="wasted money", config=CONFIG, alt="Wasted money")
            table.draw(rows, TABLE, "classes of waste", height="content", row_height=ROW_PX)
        with st.expander("What each class contains"):
            for one in savings.DECLARED.values():
                st.text(f"{one.title}: {one.definition}")


def _examples(view: View, found: Waste) -> None:
    """Draw the sessions with the most waste of each class; a click opens one."""
    rows = pd.DataFrame(_sessions(view, found))
    with card("Where it was wasted", "The sessions of each class with the highest waste."):
        if rows.empty:
            show_empty_state(NOTHING_WASTED)
            return
        key = table.element_key(EXAMPLES_TABLE)
        table.draw(
            rows,
            EXAMPLES,
            key,
            height="content",
            on_open=lambda: table.store_click(EXAMPLES_TABLE),
        )
        st.caption("Click a row to open the session.")
    table.remember_rows(EXAMPLES_TABLE, rows)
    if click := table.clicked():
        opened = address.of_session(click.session_id, click.api_key)
        parameters = address.parameters_of(view.choice, **opened)
        st.switch_page("pages/Sessions.py", query_params=parameters)


def _sessions(view: View, found: Waste) -> list[dict[str, Any]]:
    names = NAMES | view.facets.names("key")
    return [
        {
            "title": one.declared.title,
            "usd": float(each.cost_usd),
            "requests": each.requests,
            "key_name": names.get(each.api_key, formatting.shortened(each.api_key, 12)),
            "session_id": each.session_id,
            "api_key": each.api_key,
        }
        for one in found.classes
        for each in one.examples
    ]
