"""Is the database healthy, how fresh is it, and what fails?"""

import streamlit as st

from tracelib import page, status
from tracelib.charts import by_model
from tracelib.page import health, replica_card

with page.begin("Status") as view:
    filters = view.filters

    server = view.query(status.server)
    fresh = view.query(status.freshness, view.now)
    size = view.query(status.size)
    gaps = view.query(status.missing)
    if view.installed.access.sees_installation:
        left, right = st.columns(2)
        with left:
            health.database(view, server.result)
            health.proxy(view)
            health.access(view)
        with right:
            health.freshness(view, fresh.result)
            health.size(size.result)
            replica_card.status_card(view)
    else:
        health.freshness(view, fresh.result)
    health.missing(gaps.result)

    st.subheader("Failures", anchor=False)
    groups = view.query(status.failure_groups, filters)
    series = view.query(status.failures_over_time, filters, view.bucket)
    newest = view.query(status.newest_failures, filters)
    lost = view.query(status.losses, filters)
    page.chart(
        "Failures over time",
        series.result,
        by_model.failures,
        view.axis,
        empty=health.NO_FAILURES,
    )
    health.losses(lost.result)
    health.failure_groups(groups.result)
    health.newest_failures(view, newest.result)
