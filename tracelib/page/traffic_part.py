"""Traffic: what did our LLM traffic do, and what did it cost?"""

import streamlit as st

from tracelib import overview
from tracelib.charts import ranking
from tracelib.page import overview_cards
from tracelib.page.base.captions import (
    NO_TAGS,
    TAGS,
    choose_bucket,
    source_caption,
    stop_without_requests,
)
from tracelib.page.base.cards import chart
from tracelib.page.base.change_marks import marked_axis
from tracelib.page.base.frame import let_first_screen_draw
from tracelib.page.base.view import View


def draw(view: View) -> None:
    """Draw the headline, the charts over time, who spends, the caches and the busy hours."""
    filters, earlier = view.filters, view.filters.previous()

    totals = view.query(overview.totals, filters)
    totals_before = view.query(overview.totals, earlier)
    sessions_before = view.query(overview.sessions, earlier)
    series = view.query(overview.over_time, filters, view.bucket)
    begun = view.query(overview.new_sessions, filters, view.bucket)
    owners = view.query(overview.cost_by_owner, filters)
    tags = view.query(overview.cost_by_tag, filters)
    saved = view.query(overview.cache_savings, filters)
    prompts = view.query(overview.prompt_caching, filters)
    hours = view.query(overview.busy_hours, filters)
    log_start = view.query(overview.log_start, filters)
    stop_without_requests(totals.result)

    overview_cards.headline(
        totals.result,
        totals_before.result,
        sessions_before.result,
        series.result,
        begun.result,
        overview_cards.why_no_change(earlier, log_start.result),
    )
    source_caption(view, totals.result, series.result, begun.result)

    let_first_screen_draw()
    choose_bucket(view)
    axis = marked_axis(view)
    overview_cards.over_time_charts(series.result, axis)

    with st.grid(columns=2, min_column_width=320, gap="small"):
        for dimension in ("user", "team", "key"):
            chart(
                f"Top {dimension}s by cost",
                owners.result,
                ranking.money_by_owner,
                dimension,
                view.facets.names(dimension),
                narrows=dimension,
            )
        chart("Top tags by cost", tags.result, ranking.money_by_tag, caption=TAGS, empty=NO_TAGS)

    overview_cards.cache_cards(saved.result, prompts.result, series.result, axis)
    chart(
        "When people use it",
        hours.result,
        ranking.busy_hours,
        caption=f"Hours of {view.filters.zone}.",
    )
