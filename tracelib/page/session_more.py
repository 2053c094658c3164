"""The rarer conditions of a search, folded away until they are wanted."""

import streamlit as st

from tracelib import sessions
from tracelib.asking.answers import Question, answers
from tracelib.choice import LONGEST_VALUE
from tracelib.page.session_search import MORE, begin, change, field_row, is_set, take
from tracelib.page.view import View
from tracelib.sessions import SessionSearch
from tracelib.sessions.suggested import Suggestions
from tracelib.window import ticked

# What is suggested need not follow every tick.
SUGGESTED_EVERY_S = 300
# The page does not wait for suggestions longer than that.
PATIENCE_S = 1.0
KEY = "more"


def show(view: View, search: SessionSearch) -> None:
    """Which rarer conditions are there, and how many are set? Draws them once it is opened."""
    count = sum(is_set(search, one) for one in MORE)
    title = f"More conditions ({count})" if count else "More conditions"
    # Under another title it would be another one for Streamlit, folded again.
    st.session_state[KEY] = st.session_state.get(KEY, False)
    with st.expander(title, key=KEY, on_change="rerun") as folded:
        if folded.open:
            _conditions(view, search)


def _conditions(view: View, search: SessionSearch) -> None:
    known = _suggestions(view)
    reads_messages = view.installed.access.reads_messages
    st.caption("Activity and errors")
    with field_row():
        if reads_messages:
            _suggested(search, known, "Tool called", "tool")
        _suggested(search, known, "Call type", "call_type")
        _suggested(search, known, "Error class", "error_class")
        _metadata(search)
        _toggles(search, reads_messages)
    st.caption("Who")
    with field_row():
        _suggested(search, known, "End user", "end_user")
        _suggested(search, known, "Tag", "tag")
        _suggested(search, known, "Agent", "agent")
    st.caption("Totals of the whole session")
    with st.grid(columns=6, min_column_width=140, gap="small"):
        _from_to(search, "Cost, $", "cost_usd", 0.01)
        _from_to(search, "Requests", "requests", 1)
        _from_to(search, "Failures, % of requests", "error_share", 1.0, 100)
        _from_to(search, "Duration, s", "duration_s", 1.0)
        _from_to(search, "Tokens", "tokens", 1)
        _from_to(search, "Models", "models", 1)


def _suggestions(view: View) -> Suggestions:
    """What is there to search for, in the range and with the filters of some minutes ago?

    Where that cannot be told nothing is suggested, and all can be typed.
    """
    tick = ticked(view.now, SUGGESTED_EVERY_S)
    filters = view.choice.filters(tick, view.filters.zone)
    questions = [Question(sessions.suggestions, (filters,))]
    (known,) = answers(view.installed, tick, questions, PATIENCE_S)
    return known.value or {}


def _suggested(search: SessionSearch, known: Suggestions, title: str, field: str) -> None:
    """A field for a whole name: one of those that are there, or any other."""
    said = getattr(search, field) or None
    options = known.get(field, ())
    key = begin(field, said)
    st.selectbox(
        title,
        options if said is None or said in options else (said, *options),
        index=None,
        key=key,
        placeholder="Choose or type",
        accept_new_options=True,
        on_change=take,
        args=(key, field, lambda name: (name or "").strip()),
    )


def _metadata(search: SessionSearch) -> None:
    """One field for key and value: the one without the other would be forgotten."""
    said = f"{search.metadata_key}={search.metadata_value}" if search.metadata_key else ""
    key = begin("metadata", said.removesuffix("="))
    st.text_input(
        "Metadata, key = value",
        key=key,
        placeholder="environment = production",
        max_chars=LONGEST_VALUE,
        on_change=_take_metadata,
        args=(key,),
    )


def _take_metadata(key: str) -> None:
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
    st.toggle(title, key=key, on_change=take, args=(key, field, bool))


def _from_to(
    search: SessionSearch, title: str, quantity: str, step: float, times: float = 1
) -> None:
    """Two fields, from and to, in a unit of which the search's own holds so many `times`."""
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
        on_change=take,
        args=(key, field, lambda typed: typed if typed is None or times == 1 else typed / times),
    )
