"""What stands behind each public model name."""

from typing import Any

import pandas as pd
from sqlalchemy import Select, Subquery, func, select

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures


def deployments(source: Source, filters: Filters, limit: int = 500) -> pd.DataFrame:
    """Which deployments answer for each model, and how do they differ?

    A row a deployment of a model, by model, then most requests first, at most `limit`:

        model, deployment, provider, api_base    text; the last three None where unknown
        requests, failures                       int
        error_rate                               0 to 1
        cost_usd                                 US dollars
        response_ms_p50, response_ms_p95         over successes that were not cache hits

    No request gives the same columns without rows.
    """
    return source.frame(_deployments(source.requests(filters), limit))


def _deployments(requests: Subquery, limit: int) -> Select[Any]:
    ways = [requests.c[name] for name in ("model", "deployment", "provider", "api_base")]
    count = measures.requests_count()
    return (
        select(
            *ways,
            count.label("requests"),
            measures.failures(requests).label("failures"),
            measures.ratio(measures.failures(requests), count).label("error_rate"),
            measures.cost_usd(requests).label("cost_usd"),
            measures.percentile(requests.c.response_ms, 0.5).label("response_ms_p50"),
            measures.percentile(requests.c.response_ms, 0.95).label("response_ms_p95"),
        )
        .group_by(*ways)
        .order_by(requests.c.model, func.count().desc(), *ways[1:])
        .limit(limit)
    )
