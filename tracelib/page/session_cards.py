"""The sessions of a list as cards, for a window that is too narrow for a table.

They are one element, drawn by a script of our own that treats all it is given as text. A
content security policy must allow it `script-src blob:`, the way in which Streamlit loads it.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.charts import palette
from tracelib.page import picking
from tracelib.page.view import View
from tracelib.signs import one_line

LONGEST = 80
# A user says more than a key, and a key more than an agent.
NAMES = ("user_name", "end_user", "key_name", "agent", "team_name")
OK, FAILED = palette.tint("#12B886", 0.14), palette.tint(palette.FAILURE, 0.2)
_component = st.components.v2.component(
    "session_cards",
    html="<ul></ul>\n",
    css=Path(__file__).with_name("session_cards.css").read_text("utf-8"),
    js=Path(__file__).with_name("session_cards.js").read_text("utf-8"),
)


def show_cards(view: View, rows: pd.DataFrame, key: str) -> None:
    """Draw a card for each session; a tap opens it, as a click in the table with this key."""
    name = f"{key} cards"
    highest = float(rows["cost_usd"].max()) or 1.0
    cards = [_card(view, row, highest) for row in rows.to_dict("records")]

    def open_tapped() -> None:
        if (position := st.session_state[name].get("opened")) is not None:
            picking.take_row(key, int(position))

    _component(key=name, data={"cards": cards}, on_opened_change=open_tapped)


def status(failures: float) -> str:
    """
    >>> status(0), status(2)
    ('OK', '2 failed')
    """
    return f"{formatting.exact(failures)} failed" if failures else "OK"


def tone(failures: float) -> str:
    """The colour behind a status."""
    return FAILED if failures else OK


def _card(view: View, row: dict[Any, Any], highest: float) -> dict[str, Any]:
    """Who, when, what, and how it went: only text, a share and a colour."""
    zone, requests = view.filters.zone, int(row["requests"])
    return {
        "who": next((_text(row[name]) for name in NAMES if _text(row[name])), "Unknown user"),
        "when": formatting.age(row["last_started_at"], view.now),
        "at": formatting.clock(row["last_started_at"], zone),
        "models": _text(row["models"]),
        "words": _text(row["words"]),
        "status": status(row["failures"]),
        "tone": tone(row["failures"]),
        "requests": formatting.counted(requests, "request"),
        "cost": formatting.money(float(row["cost_usd"])),
        "exactly": formatting.exact_money(float(row["cost_usd"])),
        "share": float(row["cost_usd"]) / highest,
    }


def _text(value: object) -> str:
    return formatting.shortened(one_line(value), LONGEST) if isinstance(value, str) else ""
