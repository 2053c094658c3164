"""Home: the database, its freshness, and four live cards that lead to the pages.

Start it with `streamlit run Home.py`.
"""

import streamlit as st

from tracelib import models, overview, page, status
from tracelib.page import home

with page.begin("Home") as view:
    filters = view.filters

    totals = view.ask(overview.totals, filters)
    sessions = view.ask(overview.sessions, filters)
    series = view.ask(overview.over_time, filters, view.bucket)
    usage = view.ask(models.usage_by_model, filters)
    server = view.ask(status.server)
    fresh = view.ask(status.freshness, view.now)
    home.database(view, server.answer, fresh.answer)
    page.stop_without_database(totals.answer)
    freshness = fresh.answer.value
    if freshness is not None and freshness.newest_started_at is None:
        home.first_steps(view)
        page.end_page()
    with st.grid(columns=4, min_column_width=220):
        home.overview_card(view, totals.answer, series.answer)
        home.models_card(view, usage.answer)
        home.sessions_card(view, sessions.answer, series.answer)
        home.status_card(view, totals.answer, series.answer, fresh.answer)
    page.foot(view, totals.answer, sessions.answer, series.answer, usage.answer)
