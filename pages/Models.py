"""Which models are used, what do they cost, and how fast do they respond?"""

import streamlit as st

from tracelib import formatting, models, page
from tracelib.charts import by_model, ranking
from tracelib.page import model_table

with page.begin("Models") as view:
    filters = view.filters
    usage_query = view.query(models.usage_by_model, filters)
    deployments_query = view.query(models.deployments, filters)
    usage, deployments = usage_query.result, deployments_query.result
    rows = page.rows_or_stop(usage)
    busiest = tuple(rows.nlargest(5, "requests")["model"])
    series = view.query(models.over_time_by_model, filters, view.bucket, busiest).result
    colours = view.colours

    model_table.headline(rows)
    page.let_first_screen_draw()

    with st.grid(columns=2, min_column_width=320, gap="small"):
        page.chart("Share of requests", usage, ranking.shares, "requests", colours)
        page.chart(
            "Cost by model",
            usage,
            ranking.by_model,
            "cost_usd",
            formatting.money,
            colours,
            narrows="model",
        )
    page.source_caption(
        view,
        usage,
        deployments,
        series,
        requests=round(rows["requests"].iloc[0] / rows["share"].iloc[0]),
        newest=rows["last_seen"].max(),
    )

    page.chart("Response time by model", usage, by_model.response_times, caption=page.RESPONSE_TIME)
    page.choose_bucket(view)
    axis = page.marked_axis(view)
    with st.grid(columns=2, min_column_width=320, gap="small"):
        for title, figure in (
            ("Average response time over time, busiest models", "response_ms_avg"),
            ("p95 response time over time, busiest models", "response_ms_p95"),
        ):
            page.chart(title, series, by_model.over_time, axis, figure, colours)
        page.chart("Tokens by model", usage, by_model.tokens, caption=page.TOKENS)
        page.chart(
            "Time to first token, p50",
            usage,
            ranking.by_model,
            "ttft_ms_p50",
            formatting.duration,
            colours,
            caption=page.FIRST_TOKEN,
        )
    with st.grid(columns=3, min_column_width=320, gap="small"):
        for name, written in (
            ("tokens_per_second", formatting.rate),
            ("error_rate", formatting.share),
            ("cache_hit_rate", formatting.share),
        ):
            page.figure_chart(name, usage, ranking.by_model, name, written, colours)

    model_table.all_figures(rows)
    model_table.deployments(deployments)
