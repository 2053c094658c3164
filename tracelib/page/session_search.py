"""The form that says which sessions are sought. The URL holds what it says, and nothing else does.

Every field takes over what it shows as soon as it is left or Enter is pressed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib.access import Access
from tracelib.page import address
from tracelib.page.safe import label
from tracelib.sessions import SessionSearch, read_search
from tracelib.sessions.search import LONGEST_ID, PARAMETERS, RANGES, STATUSES

METADATA = ("metadata_key", "metadata_value")
SORTS = {
    "recent": "Most recent",
    "cost": "Highest cost",
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
    ("call_type",),
    ("many_requests_only",),
    *(one.fields for one in RANGES),
)
CONDITIONS = (*FIRST, *MORE)
# Found by reading prompts and answers.
OF_WHAT_WAS_SAID = ("said", "tool", "has_tool_calls")
WITHHELD = "Message search needs the auditor role and was removed from this link."


def form(access: Access) -> SessionSearch:
    """What is searched for? Draws the fields; the URL holds what they say."""
    asked, complaints = read_search(_query(PARAMETERS))
    search = asked if access.reads_messages else without(asked, OF_WHAT_WAS_SAID)
    for complaint in (*complaints, *([WITHHELD] if search != asked else [])):
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


def take(key: str, field: str, read_value: Callable[[Any], Any]) -> None:
    """Take over what a field shows; for callbacks."""
    change(**{field: read_value(st.session_state[key])})


def change(**changes: Any) -> None:
    """Search for something else in these fields; for callbacks.

    Two fields may be left in one run of the page, so each adds to what the URL says by then.
    """
    search, _ = read_search(_query(PARAMETERS))
    say(replace(search, **changes))


def begin(field: str, shown: Any) -> str:
    """Which key has the field's widget? It shows what the URL says."""
    key = f"search {field}"
    st.session_state[key] = shown
    return key


def field_row() -> DeltaGenerator:
    """Some fields beside one another, as many as fit."""
    return st.grid(columns=5, min_column_width=150, gap="small", vertical_alignment="bottom")


def text(search: SessionSearch, title: str, field: str, placeholder: str) -> None:
    """A field for any text."""
    key = begin(field, getattr(search, field))
    st.text_input(
        title,
        key=key,
        placeholder=placeholder,
        max_chars=LONGEST_ID,
        on_change=take,
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
        title, options, format_func=written, key=key, on_change=take, args=(key, field, str)
    )
