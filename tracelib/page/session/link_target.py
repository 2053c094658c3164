"""Which session or request a link means, and where on the page the viewer starts."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from tracelib import errors, formatting, sessions
from tracelib.filters import NONE
from tracelib.page.base import address
from tracelib.page.base.cards import card, show_missing_result
from tracelib.page.base.frame import end_page
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.redaction import Redaction, masked
from tracelib.selection import LONGEST_ID, RowId, can_exist, read_row_id

LONGEST_SHOWN = 500
MOST_NAMESAKES = 6


def only_key(
    view: View, session_id: str, redaction: Redaction, on_choose: Callable[[str, str], None]
) -> str:
    """Which key has a session with this ID?

    If several have, the page stops and the viewer chooses: `on_choose` is called with the session
    ID and the key. If none has, it shows that and stops.
    """
    keys = view.query(sessions.keys_of, session_id).result
    if keys.value is not None and len(keys.value) == 1:
        return str(keys.value.iloc[0]["api_key"])
    if keys.value is None:
        show_missing_result(keys)
    elif keys.value.empty:
        show_not_found(session_id)
    else:
        _which_key(session_id, keys.value, redaction, on_choose)
    end_page()


def session_of_request(view: View) -> tuple[str, str] | None:
    """Which session has the request of a link without a session? Its ID and key.

    None if the link names no request. Of several requests with one ID the newest; if there is none,
    the page shows that and stops.
    """
    text = st.query_params.get(address.REQUEST)
    if not text:
        return None
    named = read_row_id(text)
    some_id = named.request_id if named else text
    refuse_impossible(some_id)
    found = view.query(sessions.requests_called, some_id).result
    if found.value is None:
        show_missing_result(found)
        st.stop()
    exact = [one for one in found.value if one.row == named]
    for one in exact or found.value:
        return one.session_id, one.api_key
    show_not_found(text)
    st.stop()


def show_namesakes(view: View, shown: RowId) -> None:
    """Offer the other requests with the ID of this one; nothing if there are none."""
    found = view.query(sessions.requests_called, shown.request_id).result
    called = [one for one in found.value or () if one.row.request_id == shown.request_id]
    others = [one for one in called if one.row != shown]
    if not others:
        return
    zone = view.filters.zone
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="namesakes"):
        st.caption(
            f":material/content_copy: {len(called):,} requests share the request ID in the link. "
            f"Shown: {formatting.clock(shown.started_at, zone)}; others:",
            width="content",
        )
        for one in others[:MOST_NAMESAKES]:
            st.button(
                formatting.clock(one.row.started_at, zone),
                key=f"namesake {one.row.written()}",
                type="tertiary",
                on_click=address.open_session,
                args=(one.session_id, one.api_key, one.row),
            )


def refuse_impossible(*ids: str | None) -> None:
    """Show that there is no such session, and stop, if one of these IDs is too long to be one."""
    for some_id in ids:
        if not can_exist(some_id):
            st.caption(
                f"{errors.NoSuchSession.sentence} An ID has at most {LONGEST_ID:,} characters."
            )
            end_page()


def show_not_found(session_id: str) -> None:
    """Show that there is no such session, and offer to search for the ID."""
    st.caption(f"{errors.NoSuchSession.sentence} {errors.NoSuchSession.remedy}")
    st.code(session_id[:LONGEST_SHOWN], language=None, wrap_lines=True)
    st.button("Search for this ID", on_click=address.search_id, args=(session_id,))


def _which_key(
    session_id: str,
    keys: pd.DataFrame,
    redaction: Redaction,
    on_choose: Callable[[str, str], None],
) -> None:
    with card("Several keys share this session ID; each has its own session"):
        for key in keys.fillna({"key_name": NONE}).to_dict("records"):
            name, _ = masked(key["key_name"], redaction)
            st.button(
                f"{label(name)}, {formatting.exact(key['requests'])} requests",
                key=f"session of {key['api_key']}",
                on_click=on_choose,
                args=(session_id, key["api_key"]),
            )


_component = st.components.v2.component(
    "start_position",
    html="<span></span>",
    css=".st-key-start-position { position: absolute; width: 0 !important; overflow: hidden; }",
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def scroll_to_start() -> None:
    """Scroll to the start position, once for each session and page of the list."""
    _component(key="start-position", data={"shown": str(hash(address.opened()))})
