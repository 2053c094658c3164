"""The sidebar of every page: the menu, the filters, the refresh."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from tracelib import window as windows
from tracelib.choice import Choice
from tracelib.facets import Facets
from tracelib.filters import DIMENSIONS
from tracelib.page import address, range_picker
from tracelib.signs import one_line

PAGES = (
    ("Home.py", "Home", ":material/home:"),
    ("pages/Overview.py", "Overview", ":material/monitoring:"),
    ("pages/Models.py", "Models", ":material/deployed_code:"),
    ("pages/Sessions.py", "Sessions", ":material/forum:"),
    ("pages/Status.py", "Status", ":material/vital_signs:"),
)
REFRESH = {"off": "Off", "10s": "10 s", "30s": "30 s", "1m": "1 min", "5m": "5 min"}
BROWSER = "browser"


def menu(choice: Choice) -> None:
    """Name of the product and the five pages; each link carries the choice along."""
    st.markdown("**LLM traceability**")
    for path, title, icon in PAGES:
        if title == "Sessions" and address.SESSION in st.query_params:
            st.button(
                title,
                icon=icon,
                type="tertiary",
                key="menu-sessions",
                width="stretch",
                on_click=address.close_session,
            )
        else:
            st.page_link(path, label=title, icon=icon, query_params=address.query_of(choice))


def time_range(choice: Choice, now: datetime, viewer_zone: str) -> None:
    """Which time, on whose clock?"""
    range_picker.show(choice, now, choice.zone or viewer_zone)
    zones = [BROWSER, *windows.zones()]
    _select(
        "Time zone",
        "zone",
        zones,
        choice.zone or BROWSER,
        lambda zone: f"Browser ({viewer_zone})" if zone == BROWSER else zone,
        lambda zone: None if zone == BROWSER else zone,
    )


def dimensions(choice: Choice, facets: Facets) -> None:
    """Which models, providers, users, teams and keys? By name, as they really occur."""
    for dimension in DIMENSIONS:
        names = facets.names(dimension)
        chosen = list(getattr(choice, dimension))
        key = f"filter {dimension}"
        st.session_state[key] = chosen
        st.multiselect(
            dimension.capitalize(),
            [*names, *(one for one in chosen if one not in names)],
            format_func=_named_by(names),
            key=key,
            placeholder="All",
            on_change=address.from_widget,
            args=(key, dimension, lambda ids: tuple(sorted(ids))),
        )


def _named_by(names: Mapping[str, str]) -> Callable[[str], str]:
    return lambda one: one_line(names.get(one, one))


def refresh(choice: Choice, default: str) -> None:
    """Choose how often the page is refreshed."""
    current = choice.refresh or default
    _select(
        "Auto-refresh",
        "refresh",
        list(REFRESH),
        current,
        REFRESH.__getitem__,
        lambda every: None if every == default else every,
    )


def _select(
    title: str,
    field: str,
    options: list[str],
    current: str,
    written: Any,
    read_value: Any = lambda value: value,
) -> None:
    key = f"filter {field}"
    st.session_state[key] = current
    st.selectbox(
        title,
        options,
        format_func=written,
        key=key,
        on_change=address.from_widget,
        args=(key, field, read_value),
    )
