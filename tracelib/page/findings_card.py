"""Needs attention: the findings of now, below the cards of Home."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import formatting
from tracelib.findings import FALSE_ALARMS, RULE, Finding, Report
from tracelib.page.base import address
from tracelib.page.base.cards import card, show_error
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.querying.attention import ATTENTION, Outcome
from tracelib.querying.notices import NOTIFIER
from tracelib.querying.runner import STEP_S

# The card is as high while it is read, and however many findings there are: nothing below moves.
HEIGHT_PX = 430
COLUMN_PX = 420
# After this long the page no longer waits: the next refresh has the findings.
PATIENCE_S = 60.0
READING = "Reading what needs attention. The page need not wait for it."
NOTHING = "Nothing needs attention."
# What a link opens, by the page and the part of it.
NAMES = {
    ("Overview", ""): "Open the charts",
    ("Overview", "costs"): "Open the budgets",
    ("Overview", "savings"): "Open the savings",
    ("Models", ""): "Open the models",
    ("Status", ""): "Open the incidents",
    ("Status", "ledgers"): "Open the ledgers",
}
LONGEST, LONGEST_HEADLINE = 420, 200
ABOUT = (
    f"What is so now, whatever the time range; the filters apply. {RULE} {FALSE_ALARMS} A finding "
    "is gone when it is over."
)


def draw(view: View) -> Callable[[], None]:
    """Draw the card with the last findings; what is returned waits for those of now, and draws."""
    with card("Needs attention", ABOUT, key="needs-attention"):
        body = st.container(height=HEIGHT_PX, border=False)
        shown = body.empty()
        foot = st.empty()
    NOTIFIER.ensure_running(view.installed)
    report, future = ATTENTION.report(view.installed, view.filters, view.now)
    if report is not None:
        _show(view, shown, foot, report)
        return lambda: None
    shown.caption(READING)
    foot.caption("Not read yet.")
    return lambda: _await(view, shown, foot, future)


def _await(
    view: View, shown: DeltaGenerator, foot: DeltaGenerator, future: "Future[Outcome]"
) -> None:
    began = time.monotonic()
    while not future.done() and time.monotonic() - began < PATIENCE_S:
        wait([future], STEP_S)
        view.frame.show_waiting()
    if not future.done():
        return
    outcome = future.result()
    if outcome.report is not None:
        _show(view, shown, foot, outcome.report)
    elif outcome.error is not None:
        with shown.container():
            show_error(outcome.error)


def _show(view: View, shown: DeltaGenerator, foot: DeltaGenerator, report: Report) -> None:
    with shown.container():
        if not report.findings:
            st.markdown(f"**{NOTHING}**")
            st.caption(label(_tested(report), LONGEST))
        with st.grid(columns=2, min_column_width=COLUMN_PX):
            for one in report.findings:
                _finding(view, one)
        if report.ended:
            with st.expander(f"Over within the last 24 hours: {len(report.ended)}"):
                for one in report.ended:
                    _finding(view, one)
        for sentence in _missing(report):
            st.caption(label(sentence, LONGEST))
    at = formatting.age(report.now, view.now)
    foot.caption(
        label(f"{_tested(report) if report.findings else ''} As of {at}.".strip(), LONGEST)
    )


def _tested(report: Report) -> str:
    if not report.tested:
        return "Nothing could be tested."
    more = report.total - len(report.findings)
    others = f" {formatting.counted(more, 'smaller finding')} not shown." if more > 0 else ""
    return f"Tested: {', '.join(report.tested)}.{others}"


def _missing(report: Report) -> Iterable[str]:
    """Which sources failed, and what could not be tested."""
    for one in report.failed:
        yield f"{one.source.capitalize()} could not be read. {one.sentence}"
    yield from report.notes


def _finding(view: View, one: Finding) -> None:
    with st.container(gap="xxsmall"):
        money = "" if one.usd is None else f"{formatting.money(one.usd)} · "
        st.markdown(f"**{label(f'{money}{one.headline}', LONGEST_HEADLINE)}**")
        st.caption(label(f"{_when(one, view.filters.zone, view.now)} {one.cause}", LONGEST))
        st.caption(label(f"To do: {one.remedy}", LONGEST))
        if one.evidence is not None:
            page, part = one.evidence.page, dict(one.evidence.more).get(address.PART, "")
            zone = {"zone": [view.choice.zone]} if view.choice.zone else {}
            st.page_link(
                f"pages/{page}.py",
                label=NAMES.get((page, part), "Open the requests"),
                icon=":material/arrow_forward:",
                query_params={**zone, **one.evidence.query()},
            )


def _when(one: Finding, zone: str, now: datetime) -> str:
    """Since when, until when, and how many it hits."""
    hit = f", hits {formatting.counted(one.people, 'user')}" if one.people > 1 else ""
    if one.since is None:
        return f"Since unknown{hit}." if hit else ""
    until = f" until {_moment(one.until, zone, now)}" if one.until else ""
    start = "From" if one.until else "Since"
    return f"{start} {_moment(one.since, zone, now)}{until}{hit}."


def _moment(at: datetime, zone: str, now: datetime) -> str:
    local, today = (one.astimezone(ZoneInfo(zone)) for one in (at, now))
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}"
