"""What did our LLM traffic do, and what did it cost?"""

import streamlit as st

from tracelib import overview, page
from tracelib.charts import ranking
from tracelib.page import caching, over_time, tiles

with page.begin("Overview") as view:
    filters, earlier, axis = view.filters, view.filters.previous(), view.axis

    answers = view.ask(
        (overview.totals, filters),
        (overview.totals, earlier),
        (overview.sessions, filters),
        (overview.sessions, earlier),
        (overview.over_time, filters, view.bucket),
        (overview.cost_by_owner, filters),
        (overview.cost_by_tag, filters),
        (overview.cache_savings, filters),
        (overview.prompt_caching, filters),
        (overview.busy_hours, filters),
        (overview.log_start, filters),
    )
    totals, before, sessions, sessions_before, series, *others = answers
    owners, tags, saved, prompts, hours, log_start = others
    page.stop_without_requests(totals)

    without = tiles.why_no_change(earlier, log_start)
    tiles.traffic(totals, before, sessions, sessions_before, series, without)
    page.foot(view, totals, sessions, series)

    page.choose_bucket(view)
    over_time.charts(series, axis)

    with st.grid(columns=2, min_column_width=320, gap="small"):
        for dimension in ("user", "team", "key"):
            page.chart(
                f"Top {dimension}s by cost",
                owners,
                ranking.money_by_owner,
                dimension,
                view.facets.names(dimension),
                narrows=dimension,
            )
        page.chart(
            "Top tags by cost", tags, ranking.money_by_tag, caption=page.TAGS, empty=page.NO_TAGS
        )

    caching.cards(saved, prompts, series, axis)
    page.chart(
        "When people use it", hours, ranking.busy_hours, caption=f"Hours of {view.filters.zone}."
    )
