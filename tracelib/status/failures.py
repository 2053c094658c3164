"""Which requests failed, when and why, and what did the billed ones cost?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.types import Text

from tracelib.filters import NONE, Filters
from tracelib.source import Source
from tracelib.spendlogs import facts, measures
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.measures import alphabetical
from tracelib.window import Bucket, bucket_starts

# A grouping of failures, and its column.
GROUPED_BY = {
    "class": "error_class",
    "code": "error_code",
    "provider": "provider",
    "model": "model",
}
MOST_VALUES = 50
CLASSES_SHOWN = 7
OTHERS = "others"


def failure_groups(source: Source, filters: Filters) -> pd.DataFrame:
    """Which error classes, codes, providers and models have the most failures?

    A row per value of each grouping, in the order class, code, provider, model, most failures
    first, ties by value, at most 50 of each:

        by          text         class, code, provider or model
        value       text         "(none)" if the failure does not have one
        failures    int
        share       0 to 1       of all failures
        newest_at   aware UTC    start of the newest

    No failure gives the same columns without rows.
    """
    failures = _failures(source.requests(filters), "started_at")
    groups = union_all(*(_group(failures, by) for by in GROUPED_BY)).subquery("groups")
    return source.frame(
        select(groups.c.by, groups.c.value, groups.c.failures, groups.c.share, groups.c.newest_at)
        .order_by(groups.c.place, groups.c.failures.desc(), alphabetical(groups.c.value))
        .limit(MOST_VALUES * len(GROUPED_BY))
    )


def failures_over_time(source: Source, filters: Filters, bucket: Bucket) -> pd.DataFrame:
    """Which classes of failure came when?

    A row per bucket and class, in order of time, the most frequent class first; every bucket of the
    window is there for every class:

        bucket        aware UTC    its beginning
        error_class   text         the seven most frequent, then "others"
        failures      int          0 for none

    No failure gives the same columns without rows.
    """
    counted = source.frame(_counted(source, filters, bucket))
    starts = pd.DatetimeIndex(bucket_starts(filters.window, bucket, filters.zone)).as_unit("us")
    counted["bucket"] = starts.take(counted["bucket_number"].tolist())
    classes = pd.Index(_most_frequent(counted), dtype="str")
    every = pd.MultiIndex.from_product([starts, classes], names=["bucket", "error_class"])
    complete = counted.set_index(["bucket", "error_class"])["failures"].reindex(every, fill_value=0)
    return complete.reset_index()


def _most_frequent(counted: pd.DataFrame) -> list[str]:
    """The classes, most failures first; "others" comes last."""
    sums = counted.groupby("error_class")["failures"].sum()
    totals = {str(name): int(total) for name, total in sums.items()}
    return sorted(totals, key=lambda name: (name == OTHERS, -totals[name], name))


def _failures(requests: Subquery, *columns: str) -> CTE:
    """Failures with the facts from their metadata; that of other requests is not read."""
    known = (
        facts.with_facts(requests, "provider", "model", *columns)
        .where(requests.c.is_failure)
        .subquery("told")
    )
    names = [
        func.coalesce(known.c[name], NONE, type_=Text()).label(name) for name in GROUPED_BY.values()
    ]
    return select(*(known.c[name] for name in columns), *names).cte("failures")


def _group(failures: CTE, by: str) -> Select[Any]:
    value = failures.c[GROUPED_BY[by]]
    count = func.count()
    whole = select(func.count()).select_from(failures).scalar_subquery()
    group = (
        select(
            literal(list(GROUPED_BY).index(by)).label("place"),
            literal(by, Text()).label("by"),
            value.label("value"),
            count.label("failures"),
            measures.ratio(count, whole).label("share"),
            func.max(failures.c.started_at).label("newest_at"),
        )
        .group_by(value)
        .order_by(count.desc(), alphabetical(value))
        .limit(MOST_VALUES)
        .subquery()
    )
    return select(group)


def _counted(source: Source, filters: Filters, bucket: Bucket) -> Select[Any]:
    """Grouped in two steps, so that a flood of odd class names stays in the database."""
    requests = in_buckets(source.requests(filters), filters, bucket)
    failures = _failures(requests, "bucket_number")
    grouping = (failures.c.bucket_number, failures.c.error_class)
    by_class = select(*grouping, func.count().label("failures")).group_by(*grouping).cte("by_class")
    top = (
        select(by_class.c.error_class)
        .group_by(by_class.c.error_class)
        .order_by(func.sum(by_class.c.failures).desc(), alphabetical(by_class.c.error_class))
        .limit(CLASSES_SHOWN)
    )
    name = case((by_class.c.error_class.in_(top), by_class.c.error_class), else_=OTHERS)
    # Named before they are grouped: Citus groups by no expression with a subquery.
    shown = select(by_class.c.bucket_number, name.label("error_class"), by_class.c.failures)
    shown_as = shown.subquery("shown")
    keys = (shown_as.c.bucket_number, shown_as.c.error_class)
    return (
        select(*keys, measures.added_up(shown_as.c.failures).label("failures"))
        .group_by(*keys)
        .order_by(shown_as.c.bucket_number, alphabetical(shown_as.c.error_class))
    )


def newest_failures(
    source: Source,
    filters: Filters,
    limit: int = 100,
    after: tuple[datetime, str] | None = None,
) -> pd.DataFrame:
    """Which requests failed last, whose were they, and with which errors?

    A row per failure, the newest first, ties by request_id, at most `limit`; `after` is the start
    and ID of the last one of the page before:

        request_id, session_id, api_key, key_name, user_name, team_name    text
        started_at                          aware UTC
        model, deployment, provider         text
        error_class, error_code, error_message    text, None if unknown
        latency_ms                          double
        cost_usd                            US dollars: an interrupted stream may have a cost

    No failure gives the same columns without rows.
    """
    requests = source.requests(filters)
    newest = (
        select(*requests.c)
        .where(requests.c.is_failure, *_before(requests, after))
        # By the stored start: it has an index, so the window is not sorted.
        .order_by(requests.c.start_order.desc(), alphabetical(requests.c.request_id).desc())
        .limit(limit)
        .subquery("newest")
    )
    names = [
        source.name_of(one, newest.c[one], newest.c.request_id).label(f"{one}_name")
        for one in ("key", "user", "team")
    ]
    known = facts.with_facts(
        newest,
        *("request_id", "session_id", "api_key", "started_at"),
        *("model", "deployment", "provider", "latency_ms", "spend_usd"),
    ).add_columns(*names)
    return source.frame(_in_reading_order(known.subquery("known")))


def _in_reading_order(known: Subquery) -> Select[Any]:
    columns = (
        *("request_id", "session_id", "api_key", "key_name", "user_name", "team_name"),
        *("started_at", "model", "deployment", "provider"),
        *("error_class", "error_code", "error_message", "latency_ms"),
    )
    cost = known.c.spend_usd.label("cost_usd")
    return select(*(known.c[name] for name in columns), cost).order_by(
        known.c.started_at.desc(), alphabetical(known.c.request_id).desc()
    )


def _before(requests: Subquery, after: tuple[datetime, str] | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    moment, request_id = after
    same = and_(requests.c.started_at == moment, alphabetical(requests.c.request_id) < request_id)
    return [or_(requests.c.started_at < moment, same)]


@dataclass(frozen=True, slots=True)
class Losses:
    """Requests that cost money without a complete response, and their cost, in US dollars.

    `paid_failures` are the failures of the window with a cost: mostly interrupted streams.
    `hang_ups` are requests whose client disconnected before the response was complete. LiteLLM
    counts them as successes, and so do all other figures; they were searched for among the
    `requests_read` newest of `requests`.
    """

    paid_failures: int
    paid_failures_usd: float
    hang_ups: int
    hang_ups_usd: float
    requests_read: int
    requests: int


def losses(source: Source, filters: Filters, newest: int = 20_000) -> Losses:
    """What was billed without a complete response?

    Over all failures of the window, and of its successes over at most the `newest` where the fact
    that a client disconnected is in a JSON document of each row, over all in a replica; exact if
    `requests_read` equals `requests`. No such request gives zeros.
    """
    requests = source.requests(filters)
    failed, gone = _paid_failures(requests), _hang_ups(requests, newest)
    found = dict(source.row(select(*failed.c, *gone.c).join_from(failed, gone, true()))._mapping)
    costs = {name: float(found[name]) for name in ("paid_failures_usd", "hang_ups_usd")}
    return Losses(**found | costs)


def _paid_failures(requests: Subquery) -> Subquery:
    paid = (requests.c.is_failure, requests.c.spend_order > 0)
    figures = measures.named(
        requests=func.count(),
        paid_failures=func.count().filter(*paid),
        paid_failures_usd=func.coalesce(func.sum(requests.c.spend_usd).filter(*paid), 0),
    )
    return select(*figures).subquery("failed")


def _hang_ups(requests: Subquery, newest: int) -> Subquery:
    read = facts.newest(requests, newest, "spend_usd")
    known = facts.with_hang_ups(read, "spend_usd").subquery("known")
    figures = measures.named(
        requests_read=func.count(),
        hang_ups=func.count().filter(known.c.is_hang_up),
        hang_ups_usd=func.coalesce(func.sum(known.c.spend_usd).filter(known.c.is_hang_up), 0),
    )
    return select(*figures).subquery("gone")
