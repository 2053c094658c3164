"""What did our LLM traffic do, and what did it cost?"""

import streamlit as st

from tracelib import overview, page
from tracelib.charts import ranking
from tracelib.page import overview_cards

with page.begin("Overview") as view:
    filters, earlier, axis = view.filters, view.filters.previous(), view.axis

    totals = view.ask(overview.totals, filters)
    totals_before = view.ask(overview.totals, earlier)
    sessions = view.ask(overview.sessions, filters)
    sessions_before = view.ask(overview.sessions, earlier)
    series = view.ask(overview.over_time, filters, view.bucket)
    owners = view.ask(overview.cost_by_owner, filters)
    tags = view.ask(overview.cost_by_tag, filters)
    saved = view.ask(overview.cache_savings, filters)
    prompts = view.ask(overview.prompt_caching, filters)
    hours = view.ask(overview.busy_hours, filters)
    log_start = view.ask(overview.log_start, filters)
    page.stop_without_requests(totals.answer)

    overview_cards.headline(
        totals.answer,
        totals_before.answer,
        sessions.answer,
        sessions_before.answer,
        series.answer,
        overview_cards.why_no_change(earlier, log_start.answer),
    )
    page.foot(view, totals.answer, sessions.answer, series.answer)

    page.let_first_screen_draw()
    page.choose_bucket(view)
    overview_cards.over_time_charts(series.answer, axis)

    with st.grid(columns=2, min_column_width=320, gap="small"):
        for dimension in ("user", "team", "key"):
            page.chart(
                f"Top {dimension}s by cost",
                owners.answer,
                ranking.money_by_owner,
                dimension,
                view.facets.names(dimension),
                narrows=dimension,
            )
        page.chart(
            "Top tags by cost",
            tags.answer,
            ranking.money_by_tag,
            caption=page.TAGS,
            empty=page.NO_TAGS,
        )

    overview_cards.cache_cards(saved.answer, prompts.answer, series.answer, axis)
    page.chart(
        "When people use it",
        hours.answer,
        ranking.busy_hours,
        caption=f"Hours of {view.filters.zone}.",
    )
