"""Home: the database, its freshness, four live cards that lead to the pages, and findings.

Start it with `streamlit run Home.py`.
"""

import streamlit as st

from tracelib import incidents, models, overview, page, status
from tracelib.page import findings_card, home, incidents_card, replica_card

with page.begin("Home") as view:
    filters = view.filters

    totals = view.query(overview.totals, filters)
    series = view.query(overview.over_time, filters, view.bucket)
    begun = view.query(overview.new_sessions, filters, view.bucket)
    usage = view.query(models.usage_by_model, filters)
    server = view.query(status.server)
    fresh = view.query(status.freshness, view.now)
    home.database(view, server.result, fresh.result)
    of_incidents = st.container()
    replica_card.progress_line(view)
    page.stop_without_database(totals.result)
    freshness = fresh.result.value
    if freshness is not None and freshness.newest_started_at is None:
        home.first_steps(view)
        page.end_page()
    with st.grid(columns=4, min_column_width=220):
        home.overview_card(view, totals.result, series.result)
        home.models_card(view, usage.result)
        home.sessions_card(view, begun.result)
        home.status_card(view, totals.result, series.result, fresh.result)
    # After the cards, which need not wait for it.
    found = view.query(incidents.incidents, filters, view.now)
    incidents_card.line(view, found.result, of_incidents)
    await_findings = findings_card.draw(view)
    page.source_caption(view, totals.result, series.result, begun.result, usage.result)
    await_findings()
