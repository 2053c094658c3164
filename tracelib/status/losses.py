"""What was paid for and not answered in full: broken streams, and clients that hung up."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Subquery, func, select, true

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.facts import with_hang_ups


@dataclass(frozen=True, slots=True)
class Losses:
    """Requests that cost money without a whole answer, and what they cost, in US dollars.

    `paid_failures` are the failures of the window with a cost: mostly streams that broke off.
    `hang_ups` are requests whose client was gone before the answer was complete. LiteLLM counts
    them as successes, and so do all other figures; they were looked for among the
    `requests_read` newest of `requests`.
    """

    paid_failures: int
    paid_failures_usd: float
    hang_ups: int
    hang_ups_usd: float
    requests_read: int
    requests: int


def losses(source: Source, filters: Filters, newest: int = 20_000) -> Losses:
    """What was paid for and not answered in full?

    Over all failures of the window, and of its successes over at most the `newest`, because
    whether a client hung up is in a JSON document of each row; exact where `requests_read`
    equals `requests`. No such request gives zeros.
    """
    requests = source.requests(filters)
    failed, gone = _paid_failures(requests), _hang_ups(requests, newest)
    found = dict(source.row(select(*failed.c, *gone.c).join_from(failed, gone, true()))._mapping)
    costs = {name: float(found[name]) for name in ("paid_failures_usd", "hang_ups_usd")}
    return Losses(**found | costs)


def _paid_failures(requests: Subquery) -> Subquery:
    paid = (requests.c.is_failure, requests.c.spend_order > 0)
    figures = measures.named(
        requests=measures.requests_count(),
        paid_failures=func.count().filter(*paid),
        paid_failures_usd=func.coalesce(func.sum(requests.c.spend_usd).filter(*paid), 0),
    )
    return select(*figures).subquery("failed")


def _hang_ups(requests: Subquery, newest: int) -> Subquery:
    read = _newest(requests, newest).subquery("read")
    known = with_hang_ups(read, "spend_usd").subquery("known")
    figures = measures.named(
        requests_read=measures.requests_count(),
        hang_ups=func.count().filter(known.c.is_hang_up),
        hang_ups_usd=func.coalesce(func.sum(known.c.spend_usd).filter(known.c.is_hang_up), 0),
    )
    return select(*figures).subquery("gone")


def _newest(requests: Subquery, newest: int) -> Select[Any]:
    return (
        select(*(requests.c[name] for name in ("is_failure", "spend_usd", "metadata")))
        .order_by(requests.c.start_order.desc(), requests.c.request_id)
        .limit(newest)
    )
