"""Whose session is it, where a link does not say? Several keys may share an id."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from tracelib import errors, formatting, sessions
from tracelib.filters import NONE
from tracelib.page import address
from tracelib.page.cards import card, unanswered
from tracelib.page.frame import end_page
from tracelib.page.safe import label
from tracelib.page.view import View
from tracelib.redaction import Redaction, masked

LONGEST_SHOWN = 500


def only_key(
    view: View, session_id: str, redaction: Redaction, on_choose: Callable[[str, str], None]
) -> str:
    """Which key has a session of this id?

    Where several have, the page stops and the reader chooses: `on_choose` is told the session
    id and the key. Where none has, it says so and stops.
    """
    (keys,) = view.ask((sessions.keys_of, session_id))
    if keys.value is not None and len(keys.value) == 1:
        return str(keys.value.iloc[0]["api_key"])
    if keys.value is None:
        unanswered(keys)
    elif keys.value.empty:
        not_there(session_id)
    else:
        _which_key(session_id, keys.value, redaction, on_choose)
    end_page()


def not_there(session_id: str) -> None:
    """Say that there is no such session, and offer to look for the id among all others."""
    st.caption(f"{errors.NoSuchSession.sentence} {errors.NoSuchSession.remedy}")
    st.code(session_id[:LONGEST_SHOWN], language=None, wrap_lines=True)
    st.button("Search for this id", on_click=address.search_id, args=(session_id,))


def _which_key(
    session_id: str,
    keys: pd.DataFrame,
    redaction: Redaction,
    on_choose: Callable[[str, str], None],
) -> None:
    with card("Several keys share this session id; each has a session of its own"):
        for key in keys.to_dict("records"):
            name, _ = masked(key["key_name"] or NONE, redaction)
            st.button(
                f"{label(name)}, {formatting.exact(key['requests'])} requests",
                key=f"session of {key['api_key']}",
                on_click=on_choose,
                args=(session_id, key["api_key"]),
            )
