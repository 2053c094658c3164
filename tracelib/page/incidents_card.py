"""The card of incidents on Status, and their line on Home."""

from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import formatting, incidents
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.incidents import Compared, Example, Incident, Incidents, words
from tracelib.page.base import address, table
from tracelib.page.base.cards import card, show_facts, show_missing_result
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.querying.store import Result
from tracelib.ranges import Between

LONGEST_SENTENCE = 400
ABOUT = (
    "When the share of requests that failed, or needed retries or fallbacks, was well above what "
    "it was before: of all traffic, of a provider or of a deployment. The client’s own failures, "
    "cache hits and health checks are not meant."
)
ERRORS = {
    "error_class": Column("Class", "error_class"),
    "error_code": Column("Code", "error_code", width=70),
    "failures": Column("Failures", "failures", Kind.COUNT, width=84),
    "is_new": Column("New", "is_new", width=60),
    "first_at": Column("First", "first_at_utc", Kind.MOMENT),
    "last_at": Column("Last", "last_at_utc", Kind.MOMENT),
    "text": Column("Message, without numbers and IDs", "signature", width="large"),
}
BURN = (
    "The share of failures divided by the budget, for the end of the range: at 1 the budget of 30 "
    "days lasts 30 days. Fast is 14.4 over an hour, or 6 over six hours."
)
AROUND = timedelta(minutes=10)
ABOUT_HEALTH = (
    "LiteLLM’s stored health checks: of each model the last, and those in which it was unhealthy. "
    "Next to it the requests of the model in that time, at most its last six hours."
)
HEALTH = {
    "model": Column("Model", "model"),
    "status": Column("Check", "status", width=90),
    "start": Column("From", "from_utc", Kind.MOMENT),
    "end": Column("Until", "until_utc", Kind.MOMENT),
    "requests": Column("Requests", "requests", Kind.COUNT, width=84),
    "share": Column("Faults", "faults_percent", Kind.SHARE, width=76),
    "contradiction": Column("Traffic disagrees", "contradiction", width="large"),
}
ICONS = {True: ":red[:material/error:]", False: ":green[:material/check_circle:]"}


def draw(view: View, result: Result[Incidents], position: DeltaGenerator) -> None:
    """Draw the incidents of the range: the finding first, then each with who, what and where."""
    with position, card("Incidents", ABOUT):
        if result.value is None:
            show_missing_result(result)
            return
        found = result.value
        st.markdown(_finding(found, view.filters.zone))
        for number, one in enumerate(found.incidents):
            _incident(view, one, number)
        _burn(view, found)
        st.caption(_counted(found))


def line(view: View, result: Result[Incidents], position: DeltaGenerator) -> None:
    """Draw in one line whether there is an incident, with the way to Status."""
    if result.value is None:
        return
    with position, st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(_finding(result.value, view.filters.zone), width="content")
        if result.value.incidents:
            st.page_link(
                "pages/Status.py",
                label="Open Status",
                icon=":material/arrow_forward:",
                query_params=address.parameters_of(view.choice),
            )


def _finding(found: Incidents, zone: str) -> str:
    is_ongoing = any(one.is_ongoing for one in found.incidents)
    icon = ICONS[is_ongoing] if found.requests else ""
    return f"{icon} {label(words.headline(found, zone), LONGEST_SENTENCE)}".strip()


def _incident(view: View, one: Incident, number: int) -> None:
    zone = view.filters.zone
    title = f"{words.name_of(one.entity)}, {words.when(one, zone)}"
    # Only what is ongoing is open at once, so that the rest of the page stays near.
    with st.expander(label(title, 160), expanded=one.is_ongoing and number == 0):
        left, right = st.columns(2)
        with left:
            _figures(one, zone)
        with right:
            _owners(one)
        _errors(view, one, number)
        _examples(view, one)
        st.caption("To copy into a channel:")
        st.code(words.summary(one, zone, _link(view, one)), language=None, wrap_lines=True)


def _figures(one: Incident, zone: str) -> None:
    until = "ongoing" if one.is_ongoing else formatting.clock(one.last_at, zone)
    usual = formatting.share(one.usual)
    of = "" if one.usual_of == one.entity else f", as {words.name_of(one.usual_of)}"
    show_facts(
        ("Since", formatting.clock(one.since, zone)),
        ("Until", until, False if one.is_ongoing else None),
        ("Requests", formatting.exact(one.requests)),
        ("Failed", formatting.exact(one.failures)),
        ("Served after retries or fallbacks", formatting.exact(one.hidden)),
        ("Share, usually", f"{formatting.share(one.rate)}, {usual}{of}"),
    )


def _owners(one: Incident) -> None:
    within = ", ".join(map(words.name_of, one.parts))
    show_facts(
        *((("Within", within),) if within else ()),
        ("Teams", words.names(one.teams, one.team_count)),
        ("Users", words.names(one.users, one.user_count)),
        ("Keys", words.names(one.keys, one.key_count)),
        ("Sessions", formatting.exact(one.session_count)),
    )


def _errors(view: View, one: Incident, number: int) -> None:
    if not one.signatures:
        return
    rows = pd.DataFrame(
        {
            "error_class": [error.error_class for error in one.signatures],
            "error_code": [error.error_code for error in one.signatures],
            "failures": [error.failures for error in one.signatures],
            "is_new": ["new" if error.is_new else "" for error in one.signatures],
            "first_at": [error.first_at for error in one.signatures],
            "last_at": [error.last_at for error in one.signatures],
            "text": [error.text for error in one.signatures],
        }
    )
    table.draw(rows, ERRORS, f"errors of incident {number}", zone=view.filters.zone)


def _examples(view: View, one: Incident) -> None:
    with st.container(horizontal=True, gap="small"):
        for example in one.examples:
            st.page_link(
                "pages/Sessions.py",
                label=label(_example_label(example), 80),
                icon=":material/arrow_forward:",
                query_params=address.parameters_of(
                    view.choice,
                    **address.of_session(example.session_id, example.api_key, example.row),
                ),
            )


def _example_label(example: Example) -> str:
    faults = formatting.counted(example.faults, "fault")
    return f"Session of {example.key_name or 'no key'}, {example.model}, {faults}"


def _link(view: View, one: Incident) -> str:
    """This page with the time of the incident, in this zone."""
    zone = view.filters.zone
    end = view.now if one.is_ongoing else one.last_at
    between = Between(_local_minute(one.since - AROUND, zone), _local_minute(end + AROUND, zone))
    choice = replace(view.choice.with_range(between), zone=zone)
    page = (st.context.url or "").split("?")[0]
    return f"{page}?{urlencode(choice.to_query(), doseq=True)}"


def _local_minute(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0, tzinfo=None)


def _burn(view: View, found: Incidents) -> None:
    budget = view.installed.settings.error_budget
    burns = incidents.burns(found.recent, budget)
    if budget is None or not burns or not found.requests:
        return
    is_fast = any(one.is_fast for one in burns)
    icon = f"{ICONS[True]} " if is_fast else ""
    st.markdown(f"{icon}{label(words.burning(burns, budget), LONGEST_SENTENCE)}", help=BURN)


def _counted(found: Incidents) -> str:
    hidden = "" if found.counts_hidden else ", without hidden faults: too many requests to read"
    return (
        f"{formatting.exact(found.requests)} requests with the time before, {found.tested} series "
        f"(all, providers, deployments) tested{hidden}"
    )


def health(view: View, result: Result[tuple[Compared, ...]]) -> None:
    """Draw LiteLLM's own health checks next to what traffic says; those that disagree first."""
    if result.value is None:
        show_missing_result(result)
        return
    found = sorted(result.value, key=lambda one: not one.contradiction)
    rows = pd.DataFrame(
        {
            "model": [one.interval.model for one in found],
            "status": [one.interval.status for one in found],
            "start": [one.interval.start for one in found],
            "end": [one.interval.end for one in found],
            "requests": [one.requests for one in found],
            "share": [one.faults / one.requests if one.requests else None for one in found],
            "contradiction": [one.contradiction for one in found],
        }
    ).astype({"share": "Float64"})
    with table.card("Health checks", rows, HEALTH, ABOUT_HEALTH):
        table.draw(rows, HEALTH, "health checks", zone=view.filters.zone)
