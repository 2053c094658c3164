"""Savings: which money bought nothing, and what ends it?"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import errors, formatting, savings
from tracelib.charts import savings as charts
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.keys import NAMES
from tracelib.page import savings_cards
from tracelib.page.base import address, table
from tracelib.page.base.captions import NOTHING_HERE, source_caption, stop_without_database
from tracelib.page.base.cards import (
    CONFIG,
    card,
    escaped_figure,
    show_empty_state,
    show_error,
    show_missing_result,
)
from tracelib.page.base.view import View
from tracelib.querying.store import Result
from tracelib.savings import Waste, WasteClass

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
TTLS = {60: "a minute", 600: "ten minutes", 3_600: "an hour", 86_400: "a day"}


def draw(view: View) -> None:
    """Draw what was wasted, by class, and where."""
    filters = view.filters
    columns = view.query(savings.waste, filters)
    bodies = view.query(savings.waste_of_bodies, filters)
    resent = view.query(savings.resent, filters)
    tools = view.query(savings.unused_tools, filters)
    listed = view.query(savings.tools_without_calls, filters)
    used = view.query(savings.uses, filters)
    own = view.query(savings.own_prices, filters)
    stop_without_database(columns.result)
    if columns.result.value is None or not columns.result.value.requests:
        show_empty_state(NOTHING_HERE)
        return
    found = savings.together(columns.result.value, bodies.result.value)
    st.text(_headline(found))
    _classes(found)
    _examples(view, found)
    try:
        book = savings.price_book(own.result.value or (), view.installed.settings.prices)
    except errors.TraceError as error:
        show_error(error)
        return
    basis = _basis(found)
    savings_cards.misses(resent.result.value or (), book, basis)
    with st.grid(columns=2, min_column_width=320, gap="small"):
        savings_cards.context(resent.result.value or (), book, basis)
        savings_cards.another_model(used.result.value or (), book)
    names = NAMES | view.facets.names("key")
    savings_cards.tools(tools.result.value or (), book, names, listed.result.value, basis)
    results = [one.result for one in (columns, bodies, resent, tools, used, own)]
    _first_failure(results)
    source_caption(view, *results, requests=found.requests_read)


def _first_failure(results: Sequence[Result[Any]]) -> None:
    """Show why one of these has no value."""
    failed = next((one for one in results if one.value is None), None)
    if failed is not None:
        show_missing_result(failed)


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


def _basis(found: Waste) -> str:
    """Of which requests is known what only bodies show?"""
    read, every = map(formatting.exact, (found.bodies_read, found.requests))
    if found.bodies_read == found.requests:
        return f"Of all {every} requests of the range."
    return (
        f"Known of {read} of {every} requests: those whose stored prompts were read, newest first."
    )


def _read(found: Waste) -> str:
    """Of how many requests it is known."""
    read, every, bodies = map(
        formatting.exact, (found.requests_read, found.requests, found.bodies_read)
    )
    of_bodies = f"Bodies of {bodies} of {every} requests could be compared."
    if found.requests_read == found.requests:
        return of_bodies
    return f"The newest {read} requests were read. {of_bodies}"


def _classes(found: Waste) -> None:
    ordered = _ordered(found)
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
            for one in ordered
        ]
    )
    with table.card("Wasted money", rows, TABLE | IN_FILE, ABOUT, "wasted money"):
        if rows.empty:
            show_empty_state(NOTHING_WASTED)
        else:
            classes = (
                charts.Part(one.name, one.declared.title, float(one.cost_usd), one.requests)
                for one in ordered
            )
            chart = charts.waste(list(classes))
            st.plotly_chart(chart, key="wasted money", config=CONFIG, alt="Wasted money")
            tones = {"title": {one.declared.title: charts.tone(one.name) for one in ordered}.get}
            table.draw(
                rows,
                TABLE,
                "classes of waste",
                height="content",
                row_height=ROW_PX,
                tones=tones,
            )
            if found.ttl_s is not None:
                st.caption(_ttl(found))
        with st.expander("What each class contains"):
            for one in savings.DECLARED.values():
                st.text(f"{one.title}: {one.definition}")


def _ordered(found: Waste) -> list[WasteClass]:
    """The classes with the highest cost first."""
    return sorted(found.classes, key=lambda one: -one.cost_usd)


def _ttl(found: Waste) -> str:
    most = max(usd for _, usd in found.cacheable_usd)
    by_ttl = ", ".join(
        f"{TTLS[ttl]} {formatting.money(float(usd))}" for ttl, usd in found.cacheable_usd
    )
    sentence = (
        f"To get 80 % of the {formatting.money(float(most))}, a cache must keep responses for "
        f"{TTLS[found.ttl_s or 0]}: {by_ttl}."
    )
    return escaped_figure(sentence)


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
        for one in _ordered(found)
        for each in one.examples
    ]
