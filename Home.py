"""The front door: which database, how fresh, and four live cards that lead to the pages.

Start it with `streamlit run Home.py`.
"""

import streamlit as st

from tracelib import models, overview, page, status
from tracelib.page import home

with page.begin("Home") as view:
    filters = view.filters

    totals, sessions, series, usage, server, fresh = view.ask(
        (overview.totals, filters),
        (overview.sessions, filters),
        (overview.over_time, filters, view.bucket),
        (models.usage_by_model, filters),
        (status.server,),
        (status.freshness, view.now),
    )
    home.database(view, server, fresh)
    page.stop_without_database(totals)
    if fresh.value is not None and fresh.value.newest_started_at is None:
        home.first_steps(view)
        page.end_page()
    with st.grid(columns=4, min_column_width=220):
        home.overview_card(view, totals, series)
        home.models_card(view, usage)
        home.sessions_card(view, sessions, series)
        home.status_card(view, totals, series, fresh)
    page.foot(view, totals, sessions, series, usage)
