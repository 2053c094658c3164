"""Keys: which virtual keys need attention, why, and which requests show it?"""

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.key_review import FINDINGS, KeyReview, key_review, together
from tracelib.page.base import address, table
from tracelib.page.base.cards import card, show_empty_state, show_missing_result
from tracelib.page.base.view import View
from tracelib.ranges import Between
from tracelib.sessions import SessionSearch
from tracelib.window import LONGEST

MOST_SHOWN = 500
ALL = "All findings"
OPENED = "finding opened"
TABLE = "findings of keys"
CHOSEN, SEARCHED = "chosen finding", "searched key"
ABOUT = (
    "As of the end of the range. The log is read from 90 days before it; filters by model or "
    "provider do not apply."
)
NO_FINDINGS = "Nothing was found: every key has an owner, an expiry and a budget, and is used."
NO_KEYS = "There are no virtual keys in your scope and filters."
NO_MATCH = "No key with this finding has such a name, user or team."
KINDS = {
    "title": Column("Finding", "finding"),
    "keys": Column("Keys", "keys", Kind.COUNT, "small"),
    "meaning": Column("What it means", "meaning"),
    "remedy": Column("What to do", "what_to_do", width="large"),
}
COLUMNS = {
    "key_name": Column("Key", "key"),
    "title": Column("Finding", "finding"),
    "user_name": Column("User", "user"),
    "team_name": Column("Team", "team"),
    "since": Column("Since", "since_utc", Kind.MOMENT),
    "requests": Column("Requests", "requests", Kind.COUNT, "small"),
    "evidence": Column("Evidence", "evidence"),
}


def draw(view: View) -> None:
    """Draw the findings by kind, and the keys that have them."""
    result = view.query(key_review, view.filters).result
    if result.value is None:
        show_missing_result(result)
        return
    review = result.value
    st.text(_summary(review))
    _unknown(review)
    if not review.is_readable:
        return
    if review.rows.empty:
        show_empty_state(NO_FINDINGS if review.keys else NO_KEYS)
        return
    _kinds(review)
    _keys(view, review)


def _summary(review: KeyReview) -> str:
    if not review.is_readable:
        return "The keys of LiteLLM cannot be read here."
    of_keys = review.rows[~review.rows["finding"].isin(["unknown_keys", "master_key"])]
    found = of_keys["key"].nunique()
    sentence = f"{formatting.counted(review.keys, 'key')}, {formatting.exact(found)} with findings."
    if review.reviewed < review.keys:
        sentence += f" Only the first {formatting.exact(review.reviewed)} were reviewed."
    if review.log_from is not None:
        sentence += f" The log was read from {review.log_from:%-d %B %Y} on."
    return sentence


def _unknown(review: KeyReview) -> None:
    if review.unknown:
        with st.expander(f"{formatting.counted(len(review.unknown), 'fact')} unknown"):
            for sentence in review.unknown:
                st.text(sentence)


def _kinds(review: KeyReview) -> None:
    counts = [(name, kind, review.count_of(name)) for name, kind in FINDINGS.items()]
    rows = pd.DataFrame(
        [
            {"title": kind.title, "keys": count, "meaning": kind.meaning, "remedy": kind.remedy}
            for _, kind, count in counts
            if count
        ]
    )
    with table.card("Findings", rows, KINDS, ABOUT, "findings by kind"):
        # What they mean is too long for a table: it is below the choice of one, and in the file.
        shown = {name: column for name, column in KINDS.items() if name != "meaning"}
        table.draw(rows, shown, "findings by kind", height="content")


def _keys(view: View, review: KeyReview) -> None:
    with card("Keys", "Click a row with requests to open exactly those on Sessions."):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            rows = _chosen(review)
        _meaning()
        shown = rows.head(MOST_SHOWN).reset_index(drop=True)
        if shown.empty:
            show_empty_state(NO_MATCH)
            return
        if len(shown) < len(rows):
            counts = formatting.exact(len(shown)), formatting.exact(len(rows))
            st.caption(
                "The first {} of {}; search to narrow them, or download all.".format(*counts)
            )
        table.download("findings of keys", rows, COLUMNS)
        key = table.element_key(TABLE)
        table.draw(shown, COLUMNS, key, zone=view.filters.zone, on_open=lambda: _store(shown))
    if opened := table.taken(OPENED):
        st.switch_page("pages/Sessions.py", query_params=_requests_of(view, opened))


def _chosen(review: KeyReview) -> pd.DataFrame:
    """Draw the choice of a finding and of a name; returns the rows that match both."""
    present = [name for name in FINDINGS if review.count_of(name)]
    titles = {FINDINGS[name].title: name for name in present}
    if st.session_state.get(CHOSEN) not in titles:
        st.session_state[CHOSEN] = ALL  # no key has that finding any more
    chosen = st.selectbox("Finding", [ALL, *titles], key=CHOSEN)
    text = st.text_input("Key, user or team", key=SEARCHED, placeholder="Part of a name")
    rows = together(review.rows)
    if chosen in titles:
        rows = rows[rows["finding"] == titles[chosen]]
    if wanted := text.strip().lower():
        names = rows[["key_name", "user_name", "team_name"]].fillna("")
        matches = names.apply(lambda one: one.str.lower().str.contains(wanted, regex=False))
        rows = rows[matches.any(axis=1)]
    return rows.assign(title=rows["finding"].map({one: FINDINGS[one].title for one in FINDINGS}))


def _meaning() -> None:
    for kind in FINDINGS.values():
        if kind.title == st.session_state[CHOSEN]:
            st.caption(f"{kind.meaning} {kind.remedy}")


def _store(shown: pd.DataFrame) -> None:
    """Take over a clicked row that has requests; for the callback of the table."""
    position = table.clicked_position(TABLE)
    if position is None:
        return
    row = shown.iloc[position]
    if pd.notna(row["requests"]) and row["requests"] > 0:
        st.session_state[OPENED] = row.to_dict()


def _requests_of(view: View, row: dict[str, Any]) -> dict[str, Any]:
    """The parameters with which Sessions shows the requests that are the evidence of a row."""
    choice = replace(view.choice, model=(), provider=(), user=(), team=(), key=row["keys"])
    start, end = (row[name].to_pydatetime() for name in ("link_start", "link_end"))
    if start != view.filters.window.start:
        choice = choice.with_range(Between(max(start, end - LONGEST), end))
    tag, ip = ("" if pd.isna(row[name]) else row[name] for name in ("tag", "address"))
    search = SessionSearch(
        tag=tag,
        status="with failures" if row["failures_only"] else "any",
        metadata_key="requester_ip_address" if ip else "",
        metadata_value=ip,
    )
    return dict(address.parameters_of(choice, **search.to_query()))
