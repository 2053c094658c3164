"""The card of budgets: what is spent of each, and when it runs out."""

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.costs import Budgets
from tracelib.costs.kinds import KINDS
from tracelib.costs.words import STATES, note
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.page.base import table
from tracelib.page.base.cards import show_empty_state
from tracelib.page.base.view import View
from tracelib.page.cost_cards import RUNS_OUT

MOST_SHOWN = 200
ABOUT = f"{RUNS_OUT} What runs out first is on top."
NO_BUDGETS = "No budgets are set for what you may see, or none may be read."
COLUMNS = {
    "owner": Column("Budget of", "owner"),
    "state": Column("State", "state"),
    "runs_out_at": Column("Runs out", "runs_out_utc", Kind.MOMENT, width=122),
    "share": Column("Spent", "spent_percent", Kind.SHARE, width=66),
    "spent": Column("Amount", "spent_usd", Kind.MONEY, width=76),
    "limit": Column("Limit", "limit_usd", Kind.MONEY, width=76),
    "pace": Column("A day", "pace_usd_a_day", Kind.MONEY, width=82),
    "resets_at": Column("Resets", "resets_utc", Kind.MOMENT, width=122),
    "kind": Column("Kind", "kind"),
    "soft": Column("Soft limit", "soft_limit_usd", Kind.MONEY, width=76),
    "duration": Column("Each", "duration", width=50),
    "note": Column("More", "note", width=320),
}


def draw(view: View, known: Budgets) -> None:
    """Draw the budgets, those that run out first on top, and what is unknown of them."""
    rows = budget_rows(known, view.filters.zone)
    with table.card("Budgets", rows, COLUMNS, ABOUT):
        if rows.empty:
            show_empty_state(NO_BUDGETS)
        else:
            table.draw(rows, COLUMNS, "budgets", zone=view.filters.zone)
        if len(rows) < len(known.rows) + known.unread:
            count = formatting.exact(len(known.rows) + known.unread)
            st.caption(f"{len(rows)} of {count} budgets: the others are further from their limit.")
        if known.unknown:
            with st.expander(f"{formatting.counted(len(known.unknown), 'fact')} unknown"):
                for sentence in known.unknown:
                    st.text(sentence)


def budget_rows(known: Budgets, zone: str) -> pd.DataFrame:
    """A row for each of the first budgets."""
    rows = [
        {
            "owner": one.limit.name,
            "kind": KINDS[one.limit.kind].title,
            "state": STATES[one.state],
            "runs_out_at": one.runs_out_at,
            "resets_at": one.limit.resets_at,
            "limit": one.limit_usd,
            "spent": one.limit.spent_usd,
            "share": one.share,
            "pace": one.pace_usd,
            "soft": one.limit.soft_usd,
            "duration": one.limit.duration,
            "note": note(one, zone),
        }
        for one in known.rows[:MOST_SHOWN]
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    moments = {name: pd.to_datetime(frame[name], utc=True) for name in ("runs_out_at", "resets_at")}
    numbers = ("limit", "spent", "share", "pace", "soft")
    doubles = {
        name: pd.Series(
            [None if one is None else float(one) for one in frame[name]], dtype="Float64"
        )
        for name in numbers
    }
    return frame.assign(**moments, **doubles)
