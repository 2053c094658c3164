"""What fails most, and when?"""

from typing import Any

import pandas as pd
from sqlalchemy import (
    CTE,
    Select,
    Subquery,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.types import BigInteger, Double, Text

from tracelib.filters import NONE, Filters
from tracelib.source import Source
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.facts import with_facts
from tracelib.window import Bucket, bucket_starts

# What a failure is grouped by, and the column that says it.
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
    """What fails most: which class of error, which code, which provider, which model?

    A row a value of each grouping, in the order class, code, provider, model, most failures
    first, ties by value, at most 50 of each:

        by          text         class, code, provider or model
        value       text         "(none)" where the failure does not say
        failures    int
        share       0 to 1       of all failures
        newest_at   aware UTC    start of the newest

    No failure gives the same columns without rows.
    """
    failures = _failures(source.requests(filters), "started_at")
    groups = union_all(*(_group(failures, by) for by in GROUPED_BY)).subquery("groups")
    return source.frame(
        select(groups.c.by, groups.c.value, groups.c.failures, groups.c.share, groups.c.newest_at)
        .order_by(groups.c.place, groups.c.failures.desc(), groups.c.value)
        .limit(MOST_VALUES * len(GROUPED_BY))
    )


def failures_over_time(source: Source, filters: Filters, bucket: Bucket) -> pd.DataFrame:
    """Which classes of failure came when?

    A row a bucket and class, in order of time, the most frequent class first; every bucket
    of the window is there for every class:

        bucket        aware UTC    its beginning
        error_class   text         the seven most frequent, then "others"
        failures      int          0 where none

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
    """The classes, most failures first; what is left over comes last."""
    sums = counted.groupby("error_class")["failures"].sum()
    totals = {str(name): int(total) for name, total in sums.items()}
    return sorted(totals, key=lambda name: (name == OTHERS, -totals[name], name))


def _failures(requests: Subquery, *columns: str) -> CTE:
    """Failures with what their metadata says; only they have it read, not every request."""
    told = (
        with_facts(requests, "provider", "model", *columns)
        .where(requests.c.is_failure)
        .subquery("told")
    )
    said = [
        func.coalesce(told.c[name], NONE, type_=Text()).label(name) for name in GROUPED_BY.values()
    ]
    return select(*(told.c[name] for name in columns), *said).cte("failures")


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
            (cast(count, Double) / whole).label("share"),
            func.max(failures.c.started_at).label("newest_at"),
        )
        .group_by(value)
        .order_by(count.desc(), value)
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
        .order_by(func.sum(by_class.c.failures).desc(), by_class.c.error_class)
        .limit(CLASSES_SHOWN)
    )
    name = case((by_class.c.error_class.in_(top), by_class.c.error_class), else_=OTHERS)
    return (
        select(
            by_class.c.bucket_number,
            name.label("error_class"),
            func.sum(by_class.c.failures).cast(BigInteger()).label("failures"),
        )
        .group_by(by_class.c.bucket_number, name)
        .order_by(by_class.c.bucket_number, name)
    )
