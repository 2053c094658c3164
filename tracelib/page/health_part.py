"""Health: is the database healthy, how fresh is it, and what fails?"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib import incidents, status
from tracelib.charts import by_model
from tracelib.incidents import Incidents
from tracelib.page import app_card, health, incidents_card, replica_card
from tracelib.page.base.cards import chart
from tracelib.page.base.change_marks import marked_axis
from tracelib.page.base.frame import Pending
from tracelib.page.base.view import View


def draw(view: View) -> None:
    """Draw the incidents, the state of the installation, and the failures of the range."""
    top = st.container()
    found = view.query(incidents.incidents, view.filters, view.now)
    _installation(view, found, top)
    _failures(view)
    _checks(view)


def _installation(view: View, found: Pending[Incidents], top: DeltaGenerator) -> None:
    server = view.query(status.server)
    fresh = view.query(status.freshness, view.now)
    size = view.query(status.size)
    gaps = view.query(status.missing)
    if view.installed.access.sees_installation:
        left, right = st.columns(2)
        own = st.empty()
        app_card.draw(view, own)  # before any result: it needs no database
        incidents_card.draw(view, found.result, top)
        with left:
            health.database(view, server.result)
            health.proxy(view)
            health.access(view)
        with right:
            health.freshness(view, fresh.result)
            health.size(size.result)
            replica_card.status_card(view)
        app_card.draw(view, own)
    else:
        incidents_card.draw(view, found.result, top)
        health.freshness(view, fresh.result)
    health.missing(gaps.result)


def _failures(view: View) -> None:
    filters = view.filters
    st.subheader("Failures", anchor=False)
    groups = view.query(status.failure_groups, filters)
    series = view.query(status.failures_over_time, filters, view.bucket)
    newest = view.query(status.newest_failures, filters)
    lost = view.query(status.losses, filters)
    chart(
        "Failures over time",
        series.result,
        by_model.failures,
        marked_axis(view),
        empty=health.NO_FAILURES,
    )
    health.losses(lost.result)
    health.failure_groups(groups.result)
    health.newest_failures(view, newest.result)


def _checks(view: View) -> None:
    """The proxy's own health checks; nothing if there are none, or only a part may be seen."""
    checks = view.query(incidents.health_checks, view.filters.window).result
    if not checks.value:
        return
    chosen = incidents.worth_comparing(checks.value)
    incidents_card.health(view, view.query(incidents.compared_health, view.filters, chosen).result)
