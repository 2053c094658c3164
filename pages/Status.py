"""Is the database healthy, how fresh is it, and what fails?"""

import streamlit as st

from tracelib import page, status
from tracelib.charts import by_model
from tracelib.page import health

with page.begin("Status") as view:
    filters = view.filters

    server = view.ask(status.server)
    fresh = view.ask(status.freshness, view.now)
    size = view.ask(status.size)
    gaps = view.ask(status.missing)
    if view.installed.access.sees_installation:
        left, right = st.columns(2)
        with left:
            health.database(view, server.answer)
            health.proxy(view)
            health.who_may_look(view)
        with right:
            health.freshness(view, fresh.answer)
            health.size(size.answer)
    else:
        health.freshness(view, fresh.answer)
    health.missing(gaps.answer)

    st.subheader("Failures", anchor=False)
    groups = view.ask(status.failure_groups, filters)
    series = view.ask(status.failures_over_time, filters, view.bucket)
    newest = view.ask(status.newest_failures, filters)
    lost = view.ask(status.losses, filters)
    page.chart(
        "Failures over time",
        series.answer,
        by_model.failures,
        view.axis,
        empty=health.NO_FAILURES,
    )
    health.losses(lost.answer)
    health.failure_groups(groups.answer)
    health.newest_failures(view, newest.answer)
