"""Retries and fallbacks of a session: requested and serving model, reason, wasted time and cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.conversation.attempts import same_prompt_neighbours
from tracelib.conversation.operations import Operation, operations
from tracelib.export import Column, redacted
from tracelib.formatting import Kind
from tracelib.page.base import address, table
from tracelib.page.base.cards import escaped_figure
from tracelib.page.base.view import View
from tracelib.page.text.message import Look
from tracelib.querying.store import Result
from tracelib.redaction import NONE, Redaction
from tracelib.selection import RowId, Selection

EXPLAINED = (
    "Requests with more than one attempt, each as one operation. Inferred: LiteLLM does not record "
    "that they belong together; the same key sent the same prompt again within 10 s."
)
NOT_LOGGED = (
    "Each logged failure is a request. LiteLLM stores no row for most of its own retries: their "
    "reason, time and cost are unknown."
)
TABLE = "attempts"
ROWS_SHOWN = 8
COLUMNS = {
    "started_at": Column("Started", "started_at_utc", Kind.MOMENT, 120),
    "request": Column("Request", "request", Kind.COUNT, 66),
    "request_id": Column("Request ID", "request_id"),
    "requested": Column("Requested", "asked_model", width=130),
    "served": Column("Served by", "served_model", width=130),
    "deployment": Column("Deployment", "deployment", width=170),
    "attempts": Column("Attempts", "attempts", Kind.COUNT, 70),
    "because": Column("Reason", "because", width=180),
    "wasted_time": Column("Wasted time", "wasted_time", width=80, alignment="right"),
    "wasted_cost": Column("Wasted cost", "wasted_cost", width=85, alignment="right"),
    "how": Column("Source", "source"),
}
# In the file.
EXACT = {
    "wasted_time": Column("Wasted time", "wasted_time_ms", Kind.DURATION),
    "wasted_cost": Column("Wasted cost", "wasted_cost_usd", Kind.MONEY),
}
# The most important columns first.
SHOWN = (
    *("request", "requested", "served", "because", "wasted_time", "wasted_cost"),
    *("attempts", "deployment", "started_at", "how"),
)


def found_in(
    view: View, selection: Selection, requests: Result[pd.DataFrame]
) -> tuple[Operation, ...]:
    """Which requests of this session took several attempts?"""
    if requests.value is None or requests.value.empty:
        return ()
    same_prompt = None
    if requests.value["is_failure"].any():
        same_prompt = view.query(same_prompt_neighbours, selection).result
    return operations(requests.value, same_prompt.value if same_prompt else None)


def show(found: Sequence[Operation], order: pd.DataFrame, look: Look) -> None:
    """Draw the requests with several attempts. Nothing if there are none."""
    if found:
        _card(found, numbers_of(order), look)


def numbers_of(order: pd.DataFrame) -> dict[RowId, int]:
    """The turn number of each row of a conversation."""
    turns = enumerate(order["rows"], start=1)
    return {row: number for number, rows in turns for row in rows}


def _card(found: Sequence[Operation], numbers: Mapping[RowId, int], look: Look) -> None:
    rows = table_rows(found, numbers, look.redaction)
    exact = rows.assign(
        wasted_time=pd.Series([one.lost_ms for one in found], dtype="float64"),
        wasted_cost=pd.Series([one.lost_usd for one in found], dtype="float64"),
    )
    title = f"{formatting.counted(len(found), 'operation')} took more than one attempt"
    with table.card(title, exact, COLUMNS | EXACT, EXPLAINED, TABLE):
        st.caption(f"{_lost(found)} {NOT_LOGGED}")
        # Another session has its own table, in which no row is chosen yet.
        key = f"{TABLE} {next(iter(numbers), '')}"
        table.draw(
            rows,
            COLUMNS,
            key,
            zone=look.zone,
            order=SHOWN,
            height="content" if len(rows) <= ROWS_SHOWN else 36 * (ROWS_SHOWN + 1),
            on_open=lambda: _open(rows, key),
        )


def table_rows(
    found: Sequence[Operation], numbers: Mapping[RowId, int], redaction: Redaction = NONE
) -> pd.DataFrame:
    """These operations as rows of the table.

    A row per operation: started_at, request (its number, None if it has none), requested, served,
    deployment, attempts, because, wasted_time, wasted_cost, how; request_id and row, the first of
    its requests that has a number, by its ID and as in links.
    """
    return pd.DataFrame([_row(one, numbers, redaction) for one in found])


def _row(one: Operation, numbers: Mapping[RowId, int], redaction: Redaction) -> dict[str, Any]:
    numbered_row = next((known for known in one.rows if known in numbers), None)
    names = (one.asked_model, one.served_model, one.served_by, _because(one.reasons))
    (requested, served, deployment, because), _ = redacted(names, redaction)
    return {
        "started_at": one.started_at,
        "request": numbers[numbered_row] if numbered_row else None,
        "request_id": numbered_row.request_id if numbered_row else None,
        "row": numbered_row.written() if numbered_row else None,
        "requested": requested,
        "served": served or "nothing",
        "deployment": deployment,
        "attempts": one.attempts,
        "because": because,
        "wasted_time": formatting.duration(one.lost_ms),
        "wasted_cost": formatting.money(one.lost_usd),
        "how": "Inferred" if one.is_inferred else "Reported by LiteLLM",
    }


def _open(rows: pd.DataFrame, key: str) -> None:
    """Go to the request of the row that was clicked."""
    chosen = st.session_state[key]["selection"]
    positions = chosen["rows"] or [row for row, _ in chosen["cells"]]
    if positions and positions[0] < len(rows) and rows["row"].iloc[positions[0]]:
        address.open_request(rows["row"].iloc[positions[0]])


def _lost(found: Sequence[Operation]) -> str:
    """The known total, and for how many operations it is known."""
    times = [one.lost_ms for one in found if one.lost_ms is not None]
    costs = [one.lost_usd for one in found if one.lost_usd is not None]
    parts = []
    for name, values, written in (
        ("Wasted time", times, formatting.duration),
        ("Wasted cost", costs, formatting.money),
    ):
        of = f" (known for {len(values)} of {len(found)})" if 0 < len(values) < len(found) else ""
        parts.append(f"{name}: {escaped_figure(written(sum(values) if values else None))}{of}")
    return ". ".join(parts) + "."


def _because(reasons: Sequence[str | None]) -> str | None:
    counted = Counter(reason for reason in reasons if reason)
    parts = [name + (f" ×{times}" if times > 1 else "") for name, times in counted.items()]
    return ", ".join(parts) or None
