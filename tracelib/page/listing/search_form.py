"""The search form. The URL holds its values, and nothing else does.

Every field takes over its value as soon as it is left or Enter is pressed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import sessions
from tracelib.choice import LONGEST_VALUE
from tracelib.page.base import address
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.permissions.access import Access
from tracelib.querying import permissions
from tracelib.selection import LONGEST_ID
from tracelib.sessions import SessionSearch, read_search
from tracelib.sessions.search import BOUNDS, IN_MESSAGES, PARAMETERS, STATUSES
from tracelib.sessions.search_fields import Suggestions

METADATA = ("metadata_key", "metadata_value")
SORTS = {
    "recent": "Most recent",
    "cost": "Highest cost",
    "length": "Most requests",
    "errors": "Most failures",
    "duration": "Longest",
    "tokens": "Most tokens",
}
# One condition each: fields that are set and removed together. The first are always shown.
FIRST = (("said",), ("text",), ("id",), ("status",))
MORE = (
    ("tool",),
    ("has_tool_calls",),
    ("used_fallback",),
    ("error_class",),
    METADATA,
    ("end_user",),
    ("tag",),
    ("agent",),
    ("call_type",),
    ("many_requests_only",),
    *(one.fields for one in BOUNDS),
)
CONDITIONS = (*FIRST, *MORE)
WITHHELD = "Message search needs the auditor role and was removed from this link."


def form(access: Access) -> SessionSearch:
    """Draw the fields and return the search; the URL holds it."""
    requested, complaints = read_search(_query(PARAMETERS))
    is_refused = permissions.refusal(sessions.scan, (requested,), access)
    search = without(requested, IN_MESSAGES) if is_refused else requested
    for complaint in (*complaints, *([WITHHELD] if search != requested else [])):
        st.warning(label(complaint, 200))
    with field_row():
        if access.reads_messages:
            text(search, "Text in prompts and responses", "said", "e.g. refund")
        text(search, "Name", "text", "User, team, key, model")
        text(search, "Session, request or call ID", "id", "Exact ID, any time")
        choice(search, "Failures", "status", STATUSES, str.capitalize)
        choice(search, "Order", "sort", tuple(SORTS), SORTS.__getitem__)
    return search


def is_set(search: SessionSearch, fields: tuple[str, ...]) -> bool:
    """Does the search have a value in these fields?"""
    plain = SessionSearch()
    return any(getattr(search, field) != getattr(plain, field) for field in fields)


def only(search: SessionSearch, fields: tuple[str, ...]) -> SessionSearch:
    """The search with only these fields."""
    return SessionSearch(**{field: getattr(search, field) for field in fields})


def without(search: SessionSearch, fields: tuple[str, ...]) -> SessionSearch:
    """The search without these fields."""
    plain = SessionSearch()
    return replace(search, **{field: getattr(plain, field) for field in fields})


def write(search: SessionSearch) -> None:
    """Write this search to the URL; for callbacks."""
    replace_parameters(PARAMETERS, search.to_query())


def replace_parameters(names: Iterable[str], query: Mapping[str, list[str]]) -> None:
    """Replace these parameters of the URL in one step, and go to the first page."""
    dropped = {*names, address.AFTER}
    others = [name for name in st.query_params if name not in dropped]
    st.query_params.from_dict({**_query(others), **query})


def _query(names: Iterable[str]) -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in names if name in st.query_params}


def read_widget(key: str, field: str, read_value: Callable[[Any], Any]) -> None:
    """Take over the value of a field; for callbacks."""
    change(**{field: read_value(st.session_state[key])})


def change(**changes: Any) -> None:
    """Change these fields of the search; for callbacks.

    Two fields may be left in one run of the page, so each changes the current URL.
    """
    search, _ = read_search(_query(PARAMETERS))
    write(replace(search, **changes))


def begin(field: str, shown: Any) -> str:
    """The key of the field's widget, which shows the value in the URL."""
    key = f"search {field}"
    st.session_state[key] = shown
    return key


def field_row() -> DeltaGenerator:
    """A row of fields, as many as fit."""
    return st.grid(columns=5, min_column_width=150, gap="small", vertical_alignment="bottom")


def text(search: SessionSearch, title: str, field: str, placeholder: str) -> None:
    """A field for any text."""
    key = begin(field, getattr(search, field))
    st.text_input(
        title,
        key=key,
        placeholder=placeholder,
        max_chars=LONGEST_ID,
        on_change=read_widget,
        args=(key, field, str.strip),
    )


def choice(
    search: SessionSearch,
    title: str,
    field: str,
    options: tuple[str, ...],
    written: Callable[[str], str],
) -> None:
    """A field for one of these."""
    key = begin(field, getattr(search, field))
    st.selectbox(
        title, options, format_func=written, key=key, on_change=read_widget, args=(key, field, str)
    )


# Suggestions need not follow every tick.
SUGGESTED_EVERY_S = 300
# The page does not wait longer for suggestions.
PATIENCE_S = 1.0
KEY = "more"


def show(view: View, search: SessionSearch) -> None:
    """Draw the advanced search, and how many of its conditions are set.

    Draws them once it is opened.
    """
    count = sum(is_set(search, one) for one in MORE)
    title = f"More conditions ({count})" if count else "More conditions"
    # Under another title Streamlit would take it for another element, closed again.
    st.session_state[KEY] = st.session_state.get(KEY, False)
    with st.expander(title, key=KEY, on_change="rerun") as folded:
        if folded.open:
            _conditions(view, search)


def _conditions(view: View, search: SessionSearch) -> None:
    suggestions = _suggestions(view)
    reads_messages = view.installed.access.reads_messages
    st.caption("Activity and errors")
    with field_row():
        if reads_messages:
            _suggested(search, suggestions, "Tool called", "tool")
        _suggested(search, suggestions, "Call type", "call_type")
        _suggested(search, suggestions, "Error class", "error_class")
        _metadata(search)
        _toggles(search, reads_messages)
    st.caption("Who")
    with field_row():
        _suggested(search, suggestions, "End user", "end_user")
        _suggested(search, suggestions, "Tag", "tag")
        _suggested(search, suggestions, "Agent", "agent")
    st.caption("Totals of the whole session")
    with st.grid(columns=6, min_column_width=140, gap="small"):
        _from_to(search, "Cost, $", "cost_usd", 0.01)
        _from_to(search, "Requests", "requests", 1)
        _from_to(search, "Failures, % of requests", "error_share", 1.0, 100)
        _from_to(search, "Duration, s", "duration_s", 1.0)
        _from_to(search, "Tokens", "tokens", 1)
        _from_to(search, "Models", "models", 1)


def _suggestions(view: View) -> Suggestions:
    """Suggestions for the fields, in the range and with the filters of some minutes ago.

    Empty if they cannot be queried; any text can be typed.
    """
    return view.query_optional(sessions.suggestions, SUGGESTED_EVERY_S, PATIENCE_S) or {}


def _suggested(search: SessionSearch, suggestions: Suggestions, title: str, field: str) -> None:
    """A field for a whole name: one of the suggestions, or any other."""
    current = getattr(search, field) or None
    options = suggestions.get(field, ())
    key = begin(field, current)
    st.selectbox(
        title,
        options if current is None or current in options else (current, *options),
        index=None,
        key=key,
        placeholder="Choose or type",
        accept_new_options=True,
        on_change=read_widget,
        args=(key, field, lambda name: (name or "").strip()),
    )


def _metadata(search: SessionSearch) -> None:
    """One field for key and value: neither is useful without the other."""
    current = f"{search.metadata_key}={search.metadata_value}" if search.metadata_key else ""
    key = begin("metadata", current.removesuffix("="))
    st.text_input(
        "Metadata, key = value",
        key=key,
        placeholder="environment = production",
        max_chars=LONGEST_VALUE,
        on_change=_read_metadata,
        args=(key,),
    )


def _read_metadata(key: str) -> None:
    name, _, value = st.session_state[key].partition("=")
    change(metadata_key=name, metadata_value=value)


def _toggles(search: SessionSearch, reads_messages: bool) -> None:
    with st.container(gap="xxsmall"):
        if reads_messages:
            _toggle(search, "Called a tool", "has_tool_calls")
        _toggle(search, "Used a fallback", "used_fallback")
        _toggle(search, "More than one request", "many_requests_only")


def _toggle(search: SessionSearch, title: str, field: str) -> None:
    key = begin(field, getattr(search, field))
    st.toggle(title, key=key, on_change=read_widget, args=(key, field, bool))


def _from_to(
    search: SessionSearch, title: str, quantity: str, step: float, times: float = 1
) -> None:
    """Two fields, from and to, in a unit that is `times` the search's own."""
    with st.container(gap="xxsmall"):
        for end, placeholder in (("min", "From"), ("max", "Up to")):
            _amount(search, title, f"{end}_{quantity}", placeholder, step, times)


def _amount(
    search: SessionSearch, title: str, field: str, placeholder: str, step: float, times: float
) -> None:
    value = getattr(search, field)
    key = begin(field, None if value is None else type(step)(value * times))
    st.number_input(
        title if placeholder == "From" else f"{title}, up to",
        min_value=type(step)(0),
        value=None,
        step=step,
        format="%d" if isinstance(step, int) else "%.10g",
        key=key,
        placeholder=placeholder,
        label_visibility="visible" if placeholder == "From" else "collapsed",
        on_change=read_widget,
        args=(key, field, lambda typed: typed if typed is None or times == 1 else typed / times),
    )
