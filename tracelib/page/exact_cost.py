"""The exact cost of a row of a table, where the pointer is on it: its cell has two digits.

Streamlit's grid shows nothing of its own over a cell. The script is our own and fixed, and asks
for nothing; see `following`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.page import following

_component = st.components.v2.component(
    "exact_cost",
    html="<span></span>",
    # Streamlit takes a single line with a star for the path of files.
    css='[class*="st-key-exact-cost-"] {\n  position: absolute; width: 0 !important;\n}\n',
    js=Path(__file__).with_name("exact_cost.js").read_text("utf-8"),
    isolate_styles=False,
)


@contextmanager
def over(key: str, costs_usd: Iterable[float | None]) -> Iterator[None]:
    """A container, with this key, of a table whose rows are numbered: each shows its cost."""
    costs = [formatting.exact_money(None if pd.isna(one) else one) for one in costs_usd]
    with st.container(key=key):
        yield
        data = {"table": following.css_class(key), "costs": costs}
        _component(key=f"exact cost {key}", data=data)
