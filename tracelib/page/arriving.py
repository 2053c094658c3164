"""Where a reader arrives: at the top of a session, and back in the list where it was left.

The script is our own and fixed, and asks for nothing; see `following`.
"""

from pathlib import Path

import streamlit as st

from tracelib.page import address

_component = st.components.v2.component(
    "arriving",
    html="<span></span>",
    css=".st-key-arriving { position: absolute; width: 0 !important; overflow: hidden; }",
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def arrive() -> None:
    """Bring the reader to where reading begins, once for each session and page of the list."""
    _component(key="arriving", data={"shown": str(hash(address.opened()))})
