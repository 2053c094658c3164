"""Data quality: which requests have defects, and how far back does the log reach?"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting, quality, status
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.page.base import address, table
from tracelib.page.base.captions import NOTHING_HERE, source_caption
from tracelib.page.base.cards import card, show_empty_state, show_facts, show_missing_result
from tracelib.page.base.view import View
from tracelib.quality import Check, Findings
from tracelib.querying.store import Result
from tracelib.status import Retention


def _some(rows: int) -> str:
    return formatting.exact(rows) if rows else "none"


NONE_FOUND = "No check found anything in this time range."
ABOUT = (
    "Requests of this time range and these filters. Documents and IDs are read of the newest "
    "requests only; a row says how many were read."
)
TABLE = {
    "title": Column("Check", "check", width=132),
    "rows": Column("Requests", "requests", Kind.COUNT, width=76, written=_some),
    "share": Column("Share", "share_percent", Kind.SHARE, width=62),
    "of": Column("Of", "of", width=116, alignment="right"),
    "since": Column("First seen", "first_seen_utc", Kind.MOMENT, width=112),
    "effect": Column("What it does", "effect", width=226),
    "remedy": Column("What mends it", "remedy", width=272),
}
# In the file only.
IN_FILE = {name: Column(name, name) for name in ("name", "definition")}
# Of which a search finds the sessions.
SEARCHES = {
    "unpriced": ("Sessions without cost", {"max_cost": "0"}),
    "no_ids": ("Requests with the ID None", {"id": "None"}),
    "shared_sessions": ("Sessions with the ID None", {"id": "None"}),
}
EXAMPLES = {
    "started_at": Column("Started", "started_at_utc", Kind.MOMENT),
    "key_name": Column("Key", "key"),
    "model": Column("Model", "model"),
    "total_tokens": Column("Tokens", "total_tokens", Kind.COUNT),
    "cost_usd": Column("Cost", "cost_usd", Kind.MONEY),
    "request_id": Column("Request", "request_id"),
}
OF_A_CHECK = "requests of a check"
ROW_PX = 88
HORIZON = (
    "Growth is that of the last seven days. Bytes include indexes and out-of-line values. Whether "
    "rows are deleted is read from PostgreSQL’s statistics, and from LiteLLM’s totals by day."
)
DELETED = (
    "Rows are deleted: the log holds about the last {days}. A request of now disappears around "
    "{gone}. LiteLLM deletes by maximum_spend_logs_retention_period or maximum_spend_logs_size; "
    "export what must last longer, or keep it in the replica."
)
GROWS = (
    "No regular deletion is evident. At this growth the log has {soon} in 30 days, and {later} in "
    "90 days."
)
UNKNOWN = (
    "No regular deletion is evident, and there are too few requests to know how fast the log grows."
)


def draw(view: View) -> None:
    """Draw the checks of the range, and the horizon of the log."""
    filters = view.filters
    counts = view.query(quality.counts, filters)
    others = (view.query(quality.odd, filters, view.now), view.query(quality.sampled, filters))
    unreadable = view.query(quality.unreadable)
    sees_all = view.installed.access.scope.is_all
    retention = view.query(status.retention, view.now) if sees_all else None
    results = [counts.result, *(one.result for one in others)]
    _checks(view, results, unreadable.result)
    if retention is not None:
        _horizon(view, retention.result)
    if counts.result.value is not None:
        source_caption(view, *results, requests=quality.requests_in(counts.result.value))


def _checks(
    view: View,
    results: Sequence[Result[Findings]],
    unreadable: Result[tuple[tuple[str, str], ...]],
) -> None:
    counts, *others = results
    if counts.value is None:
        show_missing_result(counts)
        return
    if not quality.requests_in(counts.value):
        show_empty_state(NOTHING_HERE)
    known = [one.value for one in others if one.value is not None]
    found = quality.checks(counts.value, known, unreadable.value or ())
    st.text(_sentence(found))
    rows = _rows(sorted(found, key=lambda one: not one.rows))  # what was found comes first
    with table.card("Checks", rows, TABLE | IN_FILE, ABOUT, "data quality"):
        table.draw(
            rows, TABLE, "checks", zone=view.filters.zone, height="content", row_height=ROW_PX
        )
        _links(view, found)
        _examples(view, found)
        with st.expander("What each check finds"):
            for declared in quality.CHECKS.values():
                st.text(f"{declared.title}: {declared.definition}")
    for one in others:
        if one.value is None:
            show_missing_result(one)


def _sentence(found: Sequence[Check]) -> str:
    """What matters most, and how much else there is."""
    worst = quality.worst(found)
    if worst is None:
        return NONE_FOUND
    some = sum(bool(one.rows) for one in found)
    share = formatting.share(worst.share)
    of = formatting.counted(worst.rows or 0, "request")
    others = f" {some - 1} more of {len(found)} checks found something." if some > 1 else ""
    return f"{worst.declared.title}: {of}, {share}. {worst.declared.effect}{others}"


def _rows(found: Sequence[Check]) -> pd.DataFrame:
    rows = pd.DataFrame([_row(one) for one in found])
    times = pd.to_datetime(rows["since"], utc=True)
    return rows.astype({"rows": "Int64", "share": "Float64"}).assign(since=times)


def _row(one: Check) -> dict[str, Any]:
    declared = one.declared
    return {
        "name": one.name,
        "title": declared.title,
        "definition": declared.definition,
        "rows": one.rows,
        "share": one.share,
        "of": one.without or f"{formatting.exact(one.of)} {declared.of}",
        "since": one.since,
        "effect": declared.effect,
        "remedy": declared.remedy,
    }


def _links(view: View, found: Sequence[Check]) -> None:
    for one in found:
        if one.rows and one.name in SEARCHES:
            words, query = SEARCHES[one.name]
            st.page_link(
                "pages/Sessions.py",
                label=words,
                icon=":material/arrow_forward:",
                query_params=address.parameters_of(view.choice, **query),
            )


def _examples(view: View, found: Sequence[Check]) -> None:
    """Draw the newest requests of the check that is chosen; a click opens one in its session."""
    titles = {
        one.name: one.declared.title
        for one in found
        if one.rows and one.name in quality.WITH_EXAMPLES
    }
    chosen = st.selectbox(
        "Requests of a check",
        list(titles),
        index=None,
        format_func=lambda name: titles[name],
        placeholder="Choose a check to see its newest requests",
        key="check with requests",
    )
    if chosen is None:
        return
    result = view.query(quality.examples, view.filters, chosen, view.now).result
    if result.value is None:
        show_missing_result(result)
        return
    st.caption(f"The newest {len(result.value)}. Click a row to open it in its session.")
    key = table.element_key(OF_A_CHECK)
    zone = view.filters.zone
    table.draw(
        result.value, EXAMPLES, key, zone=zone, on_open=lambda: table.store_click(OF_A_CHECK)
    )
    table.remember_rows(OF_A_CHECK, result.value)
    if click := table.clicked():
        opened = address.of_session(click.session_id, click.api_key, click.row)
        parameters = address.parameters_of(view.choice, **opened)
        st.switch_page("pages/Sessions.py", query_params=parameters)


def _horizon(view: View, result: Result[Retention]) -> None:
    with card("Retention", HORIZON):
        if result.value is None:
            show_missing_result(result)
            return
        log, zone = result.value, view.filters.zone
        if log.oldest_at is None:
            show_empty_state("The log is empty.")
            return
        size, exact = formatting.size, formatting.exact
        age = formatting.age(log.oldest_at, log.at)
        show_facts(
            ("Oldest request", f"{formatting.clock(log.oldest_at, zone)}, {age}"),
            ("Size", f"{exact(log.rows)} requests, {size(log.bytes)}"),
            ("Growth a day", f"{exact(log.rows_a_day)} requests, {size(log.bytes_a_day)}"),
            ("Deleted", _deleted(log, zone)),
        )
        st.text(_outlook(log, zone))


def _deleted(log: Retention, zone: str) -> str:
    deleted = formatting.counted(log.deleted_rows, "request")
    if log.counted_since is None:
        return deleted
    return f"{deleted} since {formatting.clock(log.counted_since, zone)}"


def _outlook(log: Retention, zone: str) -> str:
    if log.kept_days is not None:
        days = formatting.counted(log.kept_days, "day")
        return DELETED.format(days=days, gone=formatting.clock(log.gone_at, zone))
    soon, later = log.bytes_in(30), log.bytes_in(90)
    if soon is None or later is None:
        return UNKNOWN
    return GROWS.format(soon=formatting.size(soon), later=formatting.size(later))
