"""The cards of the Status page."""

import pandas as pd
import streamlit as st

from tracelib import formatting, status
from tracelib.charts.palette import class_mark, tint
from tracelib.export import Column
from tracelib.filters import NONE
from tracelib.formatting import Kind
from tracelib.page.base import address, table
from tracelib.page.base.cards import card, show_empty_state, show_facts, show_missing_result
from tracelib.page.base.persons import WayIn, way_in
from tracelib.page.base.view import View
from tracelib.querying.store import Result
from tracelib.status import Freshness, Losses, ServerFacts, Size

NO_FAILURES = "No failures in this time range."
GROUPS = (("class", "Class"), ("code", "Code"), ("provider", "Provider"), ("model", "Model"))
GAPS = {
    "kind": Column("Missing", "missing"),
    "name": Column("Name", "name"),
    "since": Column("In LiteLLM since", "in_litellm_since"),
    "without_it": Column("Consequence", "consequence"),
}
NEWEST = {
    "started_at": Column("When", "started_at_utc", Kind.MOMENT),
    "error_class": Column("Class", "error_class"),
    "error_code": Column("Code", "error_code"),
    "error_message": Column("Message", "error_message", width="large"),
    "model": Column("Model", "model"),
    "provider": Column("Provider", "provider"),
    "cost_usd": Column("Cost", "cost_usd", Kind.MONEY),
    "key_name": Column("Key", "key_name"),
    "user_name": Column("User", "user_name"),
}
# In the file only.
IDS = {name: Column(name, name) for name in ("request_id", "session_id")}


def database(view: View, result: Result[ServerFacts]) -> None:
    """Draw the server, its connection and the role of the app."""
    with card("Database"):
        if result.value is None:
            show_missing_result(result)
            return
        facts = result.value
        reachable = "no" if result.is_outdated else "yes"
        show_facts(
            ("Reachable", f"{reachable}, {view.installed.in_words()}", not result.is_outdated),
            ("Round trip", formatting.duration(facts.round_trip_ms)),
            ("Version", f"PostgreSQL {facts.version}"),
            ("Role", f"{facts.role}, {_may(facts)}"),
            ("Kind", _kind(facts)),
            ("Encrypted", {True: "yes", False: "no", None: formatting.UNKNOWN}[facts.encryption]),
        )


INGEST_LAG = (
    "Ingest lag: from the end of a request to its row in the log, median of the newest 100 rows."
)


def freshness(view: View, result: Result[Freshness]) -> None:
    """Draw how fresh the log is, and how far back it reaches."""
    with card("Freshness", INGEST_LAG):
        if result.value is None:
            show_missing_result(result)
            return
        fresh = result.value
        zone = view.filters.zone
        newest = fresh.newest_started_at
        ago = f", {formatting.age(newest, view.now)}" if newest else ""
        lag = None if fresh.ingest_lag_s is None else fresh.ingest_lag_s * 1_000
        show_facts(
            ("Newest request", f"{formatting.clock(newest, zone)}{ago}"),
            ("Ingest lag", formatting.duration(lag)),
            ("Oldest request", formatting.clock(fresh.oldest_started_at, zone)),
            ("Last updated", formatting.clock(result.computed_at, zone)),
        )
        if fresh.ahead_of_clock:
            st.warning(
                "The newest request is in the future: the proxy’s or this machine’s clock is wrong."
            )
        _retention(view, fresh)


def _retention(view: View, fresh: Freshness) -> None:
    oldest = fresh.oldest_started_at
    if oldest and oldest > view.filters.window.start:
        st.info(
            "The log begins after the chosen time range does, so the range is only partly "
            "covered; LiteLLM may have pruned older rows."
        )


def size(result: Result[Size]) -> None:
    """Draw the size of the log."""
    with card("Size"):
        if result.value is None:
            show_missing_result(result)
            return
        facts = result.value
        show_facts(
            ("Rows, estimated", formatting.exact(facts.estimated_rows)),
            ("On disk, with indexes", formatting.size(facts.bytes)),
            ("Partitions", formatting.exact(facts.partitions) if facts.partitions else "none"),
        )


def proxy(view: View) -> None:
    """Draw whether the LiteLLM proxy is alive and ready."""
    url = view.installed.settings.proxy_url
    with card("LiteLLM proxy"):
        if not url:
            show_empty_state("Set LITELLM_PROXY_URL to see whether the proxy is alive and ready.")
            return
        health = _proxy_health(url, view.now)
        show_facts(
            ("Alive", "yes" if health.alive else "no", health.alive),
            ("Ready", "yes" if health.ready else "no", health.ready),
            ("Its database", health.database or formatting.UNKNOWN, health.database_is_connected),
            ("Version", health.version or formatting.UNKNOWN),
        )
        if health.sentence:
            st.text(health.sentence)


@st.cache_data(ttl="5m", max_entries=8, show_spinner=False)
def _proxy_health(url: str, now: object) -> status.ProxyHealth:  # noqa: ARG001 - queried once a tick
    return status.proxy_health(url)


def missing(result: Result[pd.DataFrame]) -> None:
    """Draw what this LiteLLM version lacks, and the consequences."""
    explained = "Read from the database catalog."
    with table.card("Columns and indexes", result.value, GAPS, explained):
        if result.value is None:
            show_missing_result(result)
        elif result.value.empty:
            st.text("All columns and indexes of current LiteLLM are present and readable.")
        else:
            table.draw(result.value, GAPS, "missing")


def losses(result: Result[Losses]) -> None:
    """Draw what was billed without a complete response; nothing if there is none."""
    if result.value is None:
        show_missing_result(result)
        return
    lost = result.value
    if not lost.paid_failures and not lost.hang_ups:
        return
    with card("Billed, but incomplete", _about(lost)):
        show_facts(
            ("Failed, but billed", _counted(lost.paid_failures, lost.paid_failures_usd)),
            ("Client disconnected", _counted(lost.hang_ups, lost.hang_ups_usd)),
        )


def _about(lost: Losses) -> str:
    of = (
        f" Among the newest {formatting.exact(lost.requests_read)} of "
        f"{formatting.exact(lost.requests)} requests."
    )
    return (
        "A request whose client disconnected counts as a success, as LiteLLM counts it."
        f"{of if lost.requests_read < lost.requests else ''}"
    )


def _counted(requests: int, usd: float) -> str:
    return f"{formatting.counted(requests, 'request')}, {formatting.money(usd)}"


def failure_groups(result: Result[pd.DataFrame]) -> None:
    """Draw what fails most: by class, code, provider and model."""
    if result.value is None or result.value.empty:
        if result.value is None:
            show_missing_result(result)
        return
    with st.grid(columns=2, min_column_width=320, gap="small"):
        for by, title in GROUPS:
            _group(result.value[result.value["by"] == by], by, title)


def _group(rows: pd.DataFrame, by: str, title: str) -> None:
    columns = {
        "value": Column(title, f"error_{by}" if by in ("class", "code") else by),
        "failures": Column("Failures", "failures", Kind.COUNT, "small"),
        "share": Column("Share", "share_of_failures_percent", Kind.SHARE, "small"),
    }
    shown = rows.assign(value=rows["value"].fillna(NONE))
    with table.card(f"By {title.lower()}", shown, columns):
        tones = {"value": _class_tone} if by == "class" else None
        table.draw(shown, columns, f"by {by}", tones=tones)


def newest_failures(view: View, result: Result[pd.DataFrame]) -> None:
    """Draw the newest failures; a click on one opens its session at that failure."""
    explained = "Click a row to open its session at this failure."
    with table.card("Newest failures", result.value, NEWEST | IDS, explained):
        if result.value is None:
            show_missing_result(result)
        elif result.value.empty:
            show_empty_state(NO_FAILURES)
        else:
            _failures_table(view, result.value)


def _failures_table(view: View, failures: pd.DataFrame) -> None:
    table.draw(
        failures,
        NEWEST,
        table.element_key("newest failures"),
        zone=view.filters.zone,
        tones={"error_class": _class_tone},
        on_open=lambda: table.store_click("newest failures"),
    )
    table.remember_rows("newest failures", failures)
    if click := table.clicked():
        opened = address.of_session(click.session_id, click.api_key, click.row)
        st.switch_page(
            "pages/Sessions.py", query_params=address.parameters_of(view.choice, **opened)
        )


def _class_tone(name: object) -> str | None:
    """The colour of this class of failure in the chart, light enough behind text."""
    return tint(class_mark(name).colour, 0.22) if isinstance(name, str) else None


def _may(facts: ServerFacts) -> str:
    return "read only" if facts.is_read_only_role else "may write (a read-only role is safer)"


def _kind(facts: ServerFacts) -> str:
    if not facts.is_replica:
        return "primary"
    lag = None if facts.replica_lag_s is None else facts.replica_lag_s * 1_000
    return f"replica, {formatting.duration(lag)} behind"


WAYS: dict[WayIn, str] = {
    "open": "Everyone who can open this address sees everything; there is no sign-in.",
    "sign-in": "People sign in, and see what TRACELIB_PEOPLE grants them.",
    "proxy": "A proxy identifies people, and they see what TRACELIB_PEOPLE grants them.",
}
AUDITED = "Access to messages is audited."
NOT_AUDITED = "No audit log is configured (TRACELIB_AUDIT_LOG)."


def access(view: View) -> None:
    """Draw who has access, and whether reading is audited."""
    settings = view.installed.settings
    way = way_in(settings)
    with card("Access"):
        if way == "open":
            st.warning(WAYS[way], icon=":material/lock_open:")
        else:
            st.text(WAYS[way])
        st.text(AUDITED if settings.audit_log else NOT_AUDITED)
