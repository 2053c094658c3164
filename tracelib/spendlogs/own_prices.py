"""The prices of an installation's own rows: LiteLLM logs its price list of the model with each."""

from typing import Any

from sqlalchemy import Select, Subquery, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.measures import alphabetical

MOST_PRICED = 200


def price_lists(requests: Subquery, newest: int) -> Select[Any]:
    """Which price list has each deployment, in the newest of these requests that has one?

    Rows of deployment, provider and prices, a JSON object, among the `newest` successes.
    """
    order = (requests.c.start_order.desc(), alphabetical(requests.c.request_id))
    read = (
        select(
            *(requests.c[one] for one in ("deployment", "provider", "start_order", "request_id")),
            requests.c.metadata,
        )
        .where(~requests.c.is_failure, ~requests.c.is_cache_hit, requests.c.spend_order > 0)
        .order_by(*order)
        .limit(newest)
        .subquery("read")
    )
    by = (read.c.deployment, read.c.provider)
    place = func.row_number().over(
        partition_by=by, order_by=(read.c.start_order.desc(), alphabetical(read.c.request_id))
    )
    ranked = select(*by, read.c.metadata, place.label("place")).subquery("ranked")
    found = decoded(ranked.c.metadata, "object")
    prices = _in(_in(found, "model_map_information"), "model_map_value")
    return (
        select(ranked.c.deployment, ranked.c.provider, cast(prices, JSONB).label("prices"))
        .where(ranked.c.place == 1, func.jsonb_typeof(prices) == "object")
        .order_by(alphabetical(ranked.c.deployment), alphabetical(ranked.c.provider))
        .limit(MOST_PRICED)
    )


def _in(document: Any, key: str) -> Any:
    return document.op("->", return_type=JSONB())(key)
