"""The form that says which sessions are sought. The URL holds what it says, and nothing else does.

Every field takes over what it shows as soon as it is left or Enter is pressed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib.access import Access
from tracelib.choice import LONGEST_VALUE
from tracelib.page import address
from tracelib.page.safe import label
from tracelib.sessions import SessionSearch, read_search
from tracelib.sessions.search import LONGEST_ID, PARAMETERS, RANGES, STATUSES

METADATA = ("metadata_key", "metadata_value")
SORTS = {
    "recent": "Most recent",
    "cost": "Dearest",
    "length": "Most requests",
    "errors": "Most failures",
    "duration": "Longest",
    "tokens": "Most tokens",
}
# What is one condition: fields that are set and removed together. The first are always shown.
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
    ("many_requests_only",),
    *(one.fields for one in RANGES),
)
CONDITIONS = (*FIRST, *MORE)
# Found by reading prompts and answers.
OF_WHAT_WAS_SAID = ("said", "tool", "has_tool_calls")
WITHHELD = "The link’s search in what was said is for auditors and admins and was left out."


def form(access: Access) -> SessionSearch:
    """What is searched for? Draws the fields; the URL holds what they say."""
    asked, complaints = read_search(_query(PARAMETERS))
    search = asked if access.reads_messages else without(asked, OF_WHAT_WAS_SAID)
    for complaint in (*complaints, *([WITHHELD] if search != asked else [])):
        st.warning(label(complaint, 200))
    with _fields():
        if access.reads_messages:
            _text(search, "Text in prompts and answers", "said", "Such as refund")
        _text(search, "Name", "text", "Part of a user, team, key, model")
        _text(search, "Session, request or call id", "id", "Whole; found whenever it was")
        _choice(search, "Failures", "status", STATUSES, str.capitalize)
        _choice(search, "Order", "sort", tuple(SORTS), SORTS.__getitem__)
    return search


def more(search: SessionSearch, access: Access) -> None:
    """Which rarer conditions are there? Draws them in groups, and says how many are set."""
    count = sum(is_set(search, fields) for fields in MORE)
    with st.expander(f"More conditions ({count})" if count else "More conditions", key="more"):
        st.caption("What was done, and what went wrong")
        with _fields():
            if access.reads_messages:
                _text(search, "Tool called", "tool", "Its whole name")
            _text(search, "Error class", "error_class", "Such as RateLimitError")
            _metadata(search)
            _toggles(search, access)
        st.caption("Who")
        with _fields():
            _text(search, "End user", "end_user", "Whole")
            _text(search, "Tag", "tag", "Whole")
            _text(search, "Agent", "agent", "Whole")
        st.caption("How much, over the whole session")
        with st.grid(columns=6, min_column_width=140, gap="small"):
            _from_to(search, "Cost, $", "cost_usd", 0.01)
            _from_to(search, "Requests", "requests", 1)
            _from_to(search, "Failures, % of requests", "error_share", 1.0, 100)
            _from_to(search, "Duration, s", "duration_s", 1.0)
            _from_to(search, "Tokens", "tokens", 1)
            _from_to(search, "Models", "models", 1)


def is_set(search: SessionSearch, fields: tuple[str, ...]) -> bool:
    """Does the search say something of these fields?"""
    plain = SessionSearch()
    return any(getattr(search, field) != getattr(plain, field) for field in fields)


def only(search: SessionSearch, fields: tuple[str, ...]) -> SessionSearch:
    """What would be searched for with nothing but these fields?"""
    return SessionSearch(**{field: getattr(search, field) for field in fields})


def without(search: SessionSearch, fields: tuple[str, ...]) -> SessionSearch:
    """What would be searched for without these fields?"""
    plain = SessionSearch()
    return replace(search, **{field: getattr(plain, field) for field in fields})


def say(search: SessionSearch) -> None:
    """Let the URL say this search; for callbacks."""
    say_instead(PARAMETERS, search.to_query())


def say_instead(names: Iterable[str], query: Mapping[str, list[str]]) -> None:
    """Let the URL say this instead of these, in one step, from the first page on."""
    dropped = {*names, address.PLACE}
    kept = [name for name in st.query_params if name not in dropped]
    st.query_params.from_dict({**_query(kept), **query})


def _query(names: Iterable[str]) -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in names if name in st.query_params}


def _take(key: str, field: str, read_value: Callable[[Any], Any]) -> None:
    """Take over what a field shows."""
    _change(**{field: read_value(st.session_state[key])})


def _change(**changes: Any) -> None:
    """Two fields may be left in one run of the page, so each adds to what the URL says by then."""
    search, _ = read_search(_query(PARAMETERS))
    say(replace(search, **changes))


def _begin(field: str, shown: Any) -> str:
    """The key of a field's widget, which shows what the URL says."""
    key = f"search {field}"
    st.session_state[key] = shown
    return key


def _fields() -> DeltaGenerator:
    return st.grid(columns=5, min_column_width=150, gap="small")


def _text(search: SessionSearch, title: str, field: str, placeholder: str) -> None:
    key = _begin(field, getattr(search, field))
    st.text_input(
        title,
        key=key,
        placeholder=placeholder,
        max_chars=LONGEST_ID,
        on_change=_take,
        args=(key, field, str.strip),
    )


def _choice(
    search: SessionSearch,
    title: str,
    field: str,
    options: tuple[str, ...],
    written: Callable[[str], str],
) -> None:
    key = _begin(field, getattr(search, field))
    st.selectbox(
        title, options, format_func=written, key=key, on_change=_take, args=(key, field, str)
    )


def _metadata(search: SessionSearch) -> None:
    """One field for key and value: the one without the other would be forgotten."""
    said = f"{search.metadata_key}={search.metadata_value}" if search.metadata_key else ""
    key = _begin("metadata", said.removesuffix("="))
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
    _change(metadata_key=name, metadata_value=value)


def _toggles(search: SessionSearch, access: Access) -> None:
    with st.container(gap="xxsmall"):
        if access.reads_messages:
            _toggle(search, "Called a tool", "has_tool_calls")
        _toggle(search, "Used a fallback", "used_fallback")
        _toggle(search, "More than one request", "many_requests_only")


def _toggle(search: SessionSearch, title: str, field: str) -> None:
    key = _begin(field, getattr(search, field))
    st.toggle(title, key=key, on_change=_take, args=(key, field, bool))


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
    key = _begin(field, None if value is None else type(step)(value * times))
    st.number_input(
        title if placeholder == "From" else f"{title}, up to",
        min_value=type(step)(0),
        value=None,
        step=step,
        format="%d" if isinstance(step, int) else "%.10g",
        key=key,
        placeholder=placeholder,
        label_visibility="visible" if placeholder == "From" else "collapsed",
        on_change=_take,
        args=(key, field, lambda typed: typed if typed is None or times == 1 else typed / times),
    )
