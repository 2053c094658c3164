"""What changed: a figure against the window before, and what drove the change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import changes, formatting
from tracelib.changes import DIMENSIONS, MEASURES, Comparison, Group, Measure, Mover, Split
from tracelib.choice import Choice
from tracelib.export import Column
from tracelib.filters import NONE
from tracelib.formatting import Kind
from tracelib.page.base import address, change_marks, table
from tracelib.page.base.captions import source_caption, stop_without_database
from tracelib.page.base.cards import (
    card,
    escaped_figure,
    show_empty_state,
    show_missing_result,
    tile,
)
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.querying.store import Result
from tracelib.ranges import Between
from tracelib.sessions import SessionSearch
from tracelib.window import TimeWindow

CHOSEN = "measure of the change"
OPENED = "mover opened"
SHORT_ID = 6
# More of these is plainly worse.
WORSE = frozenset({"response_ms_avg", "error_rate"})
ABOUT = (
    "The values whose change is largest. All rows together are the whole change, exactly. Click a "
    "row to open its requests on Sessions."
)
OF_AVERAGES = (
    "Mix is what a value’s share of the requests adds, rate what its own average adds. All rows "
    "together are the whole change."
)
HEADINGS = {
    "session": "Sessions, by key",
    **{one: f"{one.capitalize()}s" for one in DIMENSIONS if one != "session"},
}
# What each effect on cost is, in words.
EFFECTS = {
    "requests": "by the number of requests",
    "size": "by tokens per request",
    "price": "by dollars per token",
    "new_models": "by new models",
    "gone_models": "by models no longer used",
}
MARKERS = {
    "at": Column("When", "at_utc", Kind.MOMENT, width=130),
    "words": Column("What", "what"),
}
OF_MARKERS = (
    "First used: in no request of the time of equal length before, at least seven days. Prices are "
    "those of LiteLLM’s price list in the rows, read of some requests. Recorded changes are from "
    "LiteLLM’s audit log, its tables of models, keys and workers, where the role may read them."
)
NO_MARKERS = "No change is known in this time range, or its marks are switched off."
METHOD = (
    "Per model, cost is requests × tokens per request × dollars per token. Each effect is the "
    "average over all orders in which the three can change, so they add up exactly. Where a model "
    "has no tokens, price is dollars per request."
)


def draw(view: View) -> None:
    """Draw the choice of a figure, its change in a sentence, and what it consists of."""
    chosen = address.value_of(address.MEASURE, MEASURES)
    compared = view.query(changes.comparison, view.filters)
    sessions = view.query(changes.changed_sessions, view.filters, chosen)
    stop_without_database(compared.result)
    found, measure = compared.result.value, MEASURES[chosen]
    if found is None:
        return
    _tiles(found)
    _choose(chosen)
    splits = changes.splits(measure, found, sessions.result.value)
    sentence = changes.headline(measure, found, splits, view.filters.zone)
    if not found.is_covered or not (found.before.requests or found.now.requests):
        show_empty_state(sentence)
        _markers(view)
        return
    st.markdown(f"#### {label(sentence, 400)}")
    if chosen == "cost_usd":
        _cost_effects(found)
    _tables(view, measure, splits, sessions.result)
    source_caption(
        view,
        compared.result,
        sessions.result,
        requests=found.before.requests + found.now.requests,
    )
    _markers(view)


def _markers(view: View) -> None:
    """List what changed in the installation, with the switch of its marks in charts."""
    with card("Changes of the installation", OF_MARKERS):
        change_marks.switch(view)
        found = change_marks.markers(view)
        if not found:
            show_empty_state(NO_MARKERS)
            return
        rows = pd.DataFrame([{"at": one.at, "words": one.words} for one in found])
        shown = rows.iloc[::-1].reset_index(drop=True)
        table.draw(shown, MARKERS, "changes of the installation", zone=view.filters.zone)


def _tiles(found: Comparison) -> None:
    with st.container(key="tiles"), st.grid(columns=4, min_column_width=145, gap="small"):
        for name, measure in MEASURES.items():
            now = measure.value(found.now)
            before = measure.value(found.before) if found.is_covered else None
            compared = tuple(None if one is None else float(one) for one in (now, before))
            figure = measure.declared
            tile(
                figure.title,
                figure.kind.headline(compared[0]),
                (compared[0], compared[1]),
                figure.kind.exact,
                f"before {figure.kind.headline(compared[1])}",
                figure.definition,
                more_is_worse=name in WORSE,
            )


def _choose(chosen: str) -> None:
    st.session_state[CHOSEN] = chosen
    st.segmented_control(
        "What changed",
        list(MEASURES),
        format_func=lambda name: MEASURES[name].declared.title,
        key=CHOSEN,
        required=True,
        on_change=lambda: address.set_value(
            address.MEASURE, st.session_state[CHOSEN], next(iter(MEASURES))
        ),
        label_visibility="collapsed",
    )


def _cost_effects(found: Comparison) -> None:
    effects = changes.cost_effects((found.before, found.now), found.of("model"))
    parts = [
        f"{_signed(MEASURES['cost_usd'], amount)} {words}"
        for name, words in EFFECTS.items()
        if (amount := getattr(effects, name))
    ]
    if parts:
        st.markdown(escaped_figure(f"The same change by cause: {', '.join(parts)}."), help=METHOD)


def _signed(measure: Measure, change: Any) -> str:
    """A change with its sign: + or −."""
    written = measure.written_change(change)
    sign = "+" if change > 0 else "−" if change < 0 else ""
    # What is too small to be written has no sign either.
    return written if written.startswith("<") else f"{sign}{written}"


def _tables(
    view: View,
    measure: Measure,
    splits: Sequence[Split],
    sessions: Result[tuple[Group, ...]],
) -> None:
    if sessions.value is None:
        show_missing_result(sessions)
    with st.grid(columns=2, min_column_width=320, gap="small"):
        for one in splits:
            _table(view, measure, one)
    if opened := table.taken(OPENED):
        st.switch_page("pages/Sessions.py", query_params=opened)


def _table(view: View, measure: Measure, one: Split) -> None:
    rows = _rows(one)
    columns = _columns(measure, one.dimension)
    about = f"{ABOUT} {OF_AVERAGES}" if measure.of else ABOUT
    name = f"changes by {one.dimension}"
    with table.card(HEADINGS[one.dimension], rows, columns, about, name):
        if not one.movers:
            show_empty_state("Nothing changed.")
            return
        key = table.element_key(name)
        targets = [
            _target(view.choice, view.filters.window, measure, mover) for mover in one.movers
        ]
        # The table has little room; the file has every column.
        is_shown = rows["state"].any()
        shown = {name: each for name, each in columns.items() if name != "state" or is_shown}
        table.draw(rows, shown, key, height="content", on_open=lambda: _open(name, targets))


def _open(name: str, targets: Sequence[Mapping[str, Any]]) -> None:
    """Take over a clicked row; for the table's callback. All others lead nowhere."""
    position = table.clicked_position(name)
    if position is not None and position < len(targets):
        st.session_state[OPENED] = targets[position]


def _columns(measure: Measure, dimension: str) -> dict[str, Column]:
    kind, exported = measure.declared.kind, measure.declared.exported
    signed = partial(_signed, measure)

    def amount(heading: str, name: str, width: int) -> Column:
        return Column(heading, f"{name}_{exported}", kind, width=width, written=signed)

    effects = {"mix": amount("Mix", "mix", 82), "rate": amount("Rate", "rate", 82)}
    return {
        "name": Column(dimension.capitalize(), dimension, width=112),
        "state": Column("", "state", width=44),
        "change": amount("Change", "change", 82),
        "share": Column("Share", "share_percent", Kind.SHARE, width=54, written=_percent),
        "before": Column("Before", f"before_{exported}", kind, width=68),
        "now": Column("Now", f"now_{exported}", kind, width=68),
        **(effects if measure.of else {}),
    }


def _percent(share: float | None) -> str:
    """A share of the change, which can be negative or above 1."""
    if share is None:
        return formatting.UNKNOWN
    return "< 1 %" if 0 < abs(share) < 0.005 else f"{share * 100:.0f} %"


def _rows(one: Split) -> pd.DataFrame:
    movers = [*one.movers, *([one.others] if one.others else [])]
    found = [
        {
            "name": _others(one) if mover is one.others else _name(mover.group),
            "change": float(mover.change),
            "share": one.share(mover),
            "mix": None if mover.mix is None else float(mover.mix),
            "rate": None if mover.rate is None else float(mover.rate),
            "before": None if mover.before is None else float(mover.before),
            "now": None if mover.now is None else float(mover.now),
            "state": "" if mover is one.others else _state(mover),
        }
        for mover in movers
    ]
    columns = ["name", "change", "share", "mix", "rate", "before", "now", "state"]
    frame = pd.DataFrame(found, columns=columns)
    numbers = dict.fromkeys(columns[1:-1], "Float64")
    return frame.astype(numbers)


def _others(one: Split) -> str:
    if not one.others_count:
        return "All others"
    return "1 other" if one.others_count == 1 else f"{formatting.exact(one.others_count)} others"


def _name(group: Group) -> str:
    if group.dimension == "session":
        # Sessions of one program often begin alike.
        return f"{group.name or 'Without a key'}, …{(group.id or '')[-SHORT_ID:]}"
    return (group.name or "") if group.id is not None else f"Without a {group.dimension}"


def _state(mover: Mover) -> str:
    return "new" if mover.is_new else "gone" if mover.is_gone else ""


def _target(choice: Choice, window: TimeWindow, measure: Measure, mover: Mover) -> dict[str, Any]:
    """The parameters with which Sessions shows the requests of a mover.

    Those of the window; of a mover that is gone, those of the one before.
    """
    group = mover.group
    if mover.is_gone:
        before = window.previous()
        choice = choice.with_range(Between(before.start, before.end))
    if group.dimension == "session":
        opened = address.of_session(group.id or "", group.key or "")
        return dict(address.parameters_of(choice, **opened))
    chosen: dict[str, Any] = {group.dimension: (NONE if group.id is None else group.id,)}
    choice = replace(choice, **chosen)
    status = "with failures" if measure.figure == "error_rate" else "any"
    return dict(address.parameters_of(choice, **SessionSearch(status=status).to_query()))
