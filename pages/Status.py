"""Is the database well, how fresh is it, and what fails?"""

import streamlit as st

from tracelib import page, status
from tracelib.charts import by_model
from tracelib.page import health, sharing

with page.begin("Status") as view:
    filters = view.filters

    server, fresh, size, gaps = view.ask(
        (status.server,), (status.freshness, view.now), (status.size,), (status.missing,)
    )
    if view.installed.access.sees_installation:
        left, right = st.columns(2)
        with left:
            health.database(view, server)
            health.proxy(view)
            sharing.show(view)
        with right:
            health.freshness(view, fresh)
            health.size(size)
    else:
        health.freshness(view, fresh)
    health.missing(gaps)

    st.subheader("Failures", anchor=False)
    groups, series, newest, lost = view.ask(
        (status.failure_groups, filters),
        (status.failures_over_time, filters, view.bucket),
        (status.newest_failures, filters),
        (status.losses, filters),
    )
    page.chart("Failures over time", series, by_model.failures, view.axis, empty=health.NO_FAILURES)
    health.losses(lost)
    health.failure_groups(groups)
    health.newest_failures(view, newest)
