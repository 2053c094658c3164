"""The cards of the Status page."""

import pandas as pd
import streamlit as st

from tracelib import formatting, status
from tracelib.asking.memory import Answer
from tracelib.page import address, picking
from tracelib.page.cards import card, nothing, unanswered
from tracelib.page.safe import label
from tracelib.page.view import View
from tracelib.status import Freshness, Losses, ServerFacts, Size

NO_FAILURES = "No failures in this time range."
GROUPS = (("class", "Class"), ("code", "Code"), ("provider", "Provider"), ("model", "Model"))


def database(view: View, answer: Answer[ServerFacts]) -> None:
    """Is the database there, and as whom are we in it?"""
    with card("Database"):
        if answer.value is None:
            unanswered(answer)
            return
        facts = answer.value
        reachable = "no" if answer.is_stale else "yes"
        _facts(
            ("Reachable", f"{reachable}, {view.installed.in_words()}"),
            ("Round trip", formatting.duration(facts.round_trip_ms)),
            ("Version", f"PostgreSQL {facts.version}"),
            ("Role", f"{facts.role}, {_may(facts)}"),
            ("Kind", _kind(facts)),
            ("Encrypted", {True: "yes", False: "no", None: formatting.UNKNOWN}[facts.encryption]),
        )


def freshness(view: View, answer: Answer[Freshness]) -> None:
    """How fresh is the log, and how far back does it reach?"""
    with card("Freshness"):
        if answer.value is None:
            unanswered(answer)
            return
        fresh = answer.value
        zone = view.filters.zone
        newest = fresh.newest_started_at
        said = f", {formatting.age(newest, view.now)}" if newest else ""
        lag = None if fresh.ingest_lag_s is None else fresh.ingest_lag_s * 1_000
        _facts(
            ("Newest request", f"{formatting.clock(newest, zone)}{said}"),
            ("Ingest lag", formatting.duration(lag)),
            ("Oldest request", formatting.clock(fresh.oldest_started_at, zone)),
            ("Last updated", formatting.clock(answer.asked_at, zone)),
        )
        if fresh.ahead_of_clock:
            st.warning("The newest request lies in the future: a clock is wrong, here or there.")
        _retention(view, fresh)


def _retention(view: View, fresh: Freshness) -> None:
    oldest = fresh.oldest_started_at
    if oldest and oldest > view.filters.window.start:
        st.info(
            "The log begins after the chosen time range does, so the range is only partly "
            "covered; LiteLLM may have pruned older rows."
        )


def size(answer: Answer[Size]) -> None:
    """How large is the log?"""
    with card("Size"):
        if answer.value is None:
            unanswered(answer)
            return
        facts = answer.value
        _facts(
            ("Rows, estimated", formatting.exact(facts.estimated_rows)),
            ("On disk, with indexes", formatting.size(facts.bytes)),
            ("Partitions", formatting.exact(facts.partitions) if facts.partitions else "none"),
        )


def proxy(view: View) -> None:
    """Is the LiteLLM proxy alive and ready?"""
    url = view.installed.settings.proxy_url
    with card("LiteLLM proxy"):
        if not url:
            nothing("Set LITELLM_PROXY_URL to see whether the proxy is alive and ready.")
            return
        health = _proxy_health(url, view.now)
        _facts(
            ("Alive", "yes" if health.alive else "no"),
            ("Ready", "yes" if health.ready else "no"),
            ("Its database", health.database or formatting.UNKNOWN),
            ("Version", health.version or formatting.UNKNOWN),
        )
        if health.sentence:
            st.text(health.sentence)


@st.cache_data(ttl="5m", max_entries=8, show_spinner=False)
def _proxy_health(url: str, now: object) -> status.ProxyHealth:  # noqa: ARG001 - asked once a tick
    return status.proxy_health(url)


def missing(answer: Answer[pd.DataFrame]) -> None:
    """What does this LiteLLM version lack, and what does that cost?"""
    with card("Columns and indexes", "Looked for in the database, whatever its migrations say."):
        if answer.value is None:
            unanswered(answer)
        elif answer.value.empty:
            st.text("Everything that today's LiteLLM has is there and may be read.")
        else:
            titles = {
                "kind": "Missing",
                "name": "Name",
                "since": "In LiteLLM since",
                "without_it": "What that costs",
            }
            st.dataframe(
                answer.value.rename(columns=titles),
                hide_index=True,
                placeholder=formatting.UNKNOWN,
                key="missing",
            )


def losses(answer: Answer[Losses]) -> None:
    """Show what was paid for and not answered in full; nothing where all was."""
    if answer.value is None:
        unanswered(answer)
        return
    lost = answer.value
    if not lost.paid_failures and not lost.hang_ups:
        return
    with card("Paid for, not answered in full", _about(lost)):
        _facts(
            ("Failed all the same", _counted(lost.paid_failures, lost.paid_failures_usd)),
            ("Client hung up", _counted(lost.hang_ups, lost.hang_ups_usd)),
        )


def _about(lost: Losses) -> str:
    of = (
        f" Looked for among the newest {formatting.exact(lost.requests_read)} of "
        f"{formatting.exact(lost.requests)} requests."
    )
    return (
        "A request whose client hung up counts as a success, as LiteLLM counts it."
        f"{of if lost.requests_read < lost.requests else ''}"
    )


def _counted(requests: int, usd: float) -> str:
    word = "request" if requests == 1 else "requests"
    return f"{formatting.exact(requests)} {word}, {formatting.money(usd)}"


def failure_groups(answer: Answer[pd.DataFrame]) -> None:
    """What fails most: by class, code, provider and model?"""
    if answer.value is None or answer.value.empty:
        if answer.value is None:
            unanswered(answer)
        return
    with st.grid(columns=2, min_column_width=330, gap="small"):
        for by, title in GROUPS:
            with card(f"By {title.lower()}"):
                _group(answer.value[answer.value["by"] == by], by, title)


def _group(rows: pd.DataFrame, by: str, title: str) -> None:
    shown = pd.DataFrame(
        {
            title: rows["value"].fillna("(none)"),
            "Failures": rows["failures"],
            "Share": rows["share"].astype("float64") * 100,
        }
    )
    columns = {
        "Failures": st.column_config.NumberColumn(format="localized", width="small"),
        "Share": st.column_config.NumberColumn(format="%.1f %%", width="small"),
    }
    st.dataframe(
        shown,
        hide_index=True,
        placeholder=formatting.UNKNOWN,
        column_config=columns,
        key=f"by {by}",
    )


def newest_failures(view: View, answer: Answer[pd.DataFrame]) -> None:
    """Which failures came last, what did they say, and in which session?"""
    with card("Newest failures", "Choose a row to open its session."):
        if answer.value is None:
            unanswered(answer)
        elif answer.value.empty:
            nothing(NO_FAILURES)
        else:
            _failures_table(view, answer.value)


def _failures_table(view: View, failures: pd.DataFrame) -> None:
    titles = {
        "started_at": "When",
        "error_class": "Class",
        "error_code": "Code",
        "error_message": "Message",
        "model": "Model",
        "provider": "Provider",
        "cost": "Cost",
        "key_name": "Key",
        "user_name": "User",
    }
    when = st.column_config.DatetimeColumn(
        "When", timezone=view.filters.zone, format="D MMM HH:mm:ss"
    )
    message = st.column_config.TextColumn("Message", width="large")
    cost = st.column_config.TextColumn("Cost", width="small", alignment="right")
    st.dataframe(
        failures.assign(cost=failures["cost_usd"].map(formatting.money)),
        hide_index=True,
        placeholder=formatting.UNKNOWN,
        column_order=list(titles),
        column_config=titles | {"started_at": when, "error_message": message, "cost": cost},
        on_select=lambda: picking.take("newest failures"),
        selection_mode=["single-row", "single-cell"],
        key=picking.element("newest failures"),
    )
    picking.show("newest failures", failures)
    if session := picking.taken():
        st.switch_page(
            "pages/Sessions.py", query_params={**address.query_of(view.choice), **session}
        )


def _may(facts: ServerFacts) -> str:
    return "read only" if facts.is_read_only_role else "may write (a read-only role is safer)"


def _kind(facts: ServerFacts) -> str:
    if not facts.is_replica:
        return "primary"
    lag = None if facts.replica_lag_s is None else facts.replica_lag_s * 1_000
    return f"replica, {formatting.duration(lag)} behind"


def _facts(*pairs: tuple[str, str]) -> None:
    """Names on the left, values on the right, one pair a line."""
    for name, value in pairs:
        with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
            st.caption(name, width="content")
            st.markdown(label(value, 120), width="content")
