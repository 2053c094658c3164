"""Whose session is it, where a link does not say? Several keys may share an id."""

import pandas as pd
import streamlit as st

from tracelib import errors, formatting, sessions
from tracelib.filters import NONE
from tracelib.page import address
from tracelib.page.cards import card, nothing, unanswered
from tracelib.page.safe import label
from tracelib.page.view import View


def only_key(view: View, session_id: str) -> str:
    """Which key has a session of this id? Where several have, the reader chooses, and the page
    stops there.
    """
    (keys,) = view.ask((sessions.keys_of, session_id))
    if keys.value is not None and len(keys.value) == 1:
        return str(keys.value.iloc[0]["api_key"])
    if keys.value is None:
        unanswered(keys)
    elif keys.value.empty:
        nothing(f"{errors.NoSuchSession.sentence} {errors.NoSuchSession.remedy}")
    else:
        _which_key(session_id, keys.value)
    st.stop()


def _which_key(session_id: str, keys: pd.DataFrame) -> None:
    with card("Several keys share this session id; each has a session of its own"):
        for key in keys.to_dict("records"):
            st.button(
                f"{label(key['key_name'] or NONE)}, {formatting.exact(key['requests'])} requests",
                key=f"session of {key['api_key']}",
                on_click=address.open_session,
                args=(session_id, key["api_key"]),
            )
