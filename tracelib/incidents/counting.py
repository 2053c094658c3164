"""The statements that count requests and faults in buckets, for what is tested."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.types import Text

from tracelib.filters import Filters
from tracelib.incidents.counts import Counts, Pair, Routes, counts_of, routes_of
from tracelib.incidents.detecting import LEAST_FAULTS
from tracelib.incidents.values import Entity
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.buckets import in_buckets
from tracelib.spendlogs.faults import can_read_hidden, counting, with_faults
from tracelib.spendlogs.measures import alphabetical
from tracelib.window import Bucket, TimeWindow

# Deployments that are tested: those with the most faults.
MOST_DEPLOYMENTS = 200
# Model groups from which requests fell back.
MOST_GROUPS = 200
# So many rows are read from their documents in half a second.
MOST_DOCUMENTS = 50_000
WAY = ("provider", "deployment")
OF_A_ROUTE = ("model", *WAY)
OF_FAULTS = (*WAY, "fell_back_from")
KINDS = ("failures", "hidden")


@dataclass(frozen=True, slots=True)
class Tested:
    """What is counted apart, and of which requests retries and fallbacks are read."""

    deployments: tuple[Pair, ...]
    routes: Routes
    reads_hidden: bool


def reads_hidden(source: Source, filters: Filters) -> bool:
    """Can retries and fallbacks of all these requests be read in reasonable time?"""
    requests = source.requests(filters)
    if can_read_hidden(requests):
        return True
    some = select(requests.c.start_order).limit(MOST_DOCUMENTS + 1).subquery("some")
    count = source.row(select(func.count().label("requests")).select_from(some))[0]
    return bool(count <= MOST_DOCUMENTS)


def first_counts(source: Source, filters: Filters, bucket: Bucket) -> tuple[Counts, Tested]:
    """The counts of this window, and what was found to be worth counting apart.

    Of each provider, and of the at most 200 deployments with the most faults, at least ten.
    """
    is_read = reads_hidden(source, filters)
    faults = source.rows(_most_faulty(_faults(source, filters, bucket, is_read)))
    found = {(row.provider, row.deployment) for row in faults if row.deployment is not None}
    routes = _routes(source, filters, [row.fell_back_from for row in faults])
    served = {
        (one.provider, one.deployment)
        for entities in routes.of.values()
        for one in entities
        if one.level == "deployment"
    }
    deployments = tuple(sorted(found | served, key=lambda pair: (pair[0] or "", pair[1] or "")))
    tested = Tested(deployments, routes, is_read)
    requests = source.rows(_requests(source, filters, bucket, deployments))
    return counts_of(filters.window, bucket, requests, faults, routes), tested


def counts_within(
    source: Source, filters: Filters, windows: Sequence[TimeWindow], bucket: Bucket, tested: Tested
) -> list[Counts]:
    """The counts of each of these windows, in one statement for requests and one for faults."""
    if not windows:
        return []
    parts = [filters.within(window) for window in windows]
    requests = source.rows(
        _together([_requests(source, one, bucket, tested.deployments) for one in parts])
    )
    faults = source.rows(
        _together(
            [
                _of_tested(_faults(source, one, bucket, tested.reads_hidden), tested.deployments)
                for one in parts
            ]
        )
    )
    return [
        counts_of(
            window,
            bucket,
            [row for row in requests if row.part == number],
            [row for row in faults if row.part == number],
            tested.routes,
        )
        for number, window in enumerate(windows)
    ]


def _together(statements: Sequence[Select[Any]]) -> Select[Any]:
    found = [one.subquery() for one in statements]
    arms = [select(literal(number).label("part"), *one.c) for number, one in enumerate(found)]
    every = union_all(*arms).subquery("every")
    return select(*every.c)


def _requests(
    source: Source, filters: Filters, bucket: Bucket, deployments: Sequence[Pair]
) -> Select[Any]:
    """Rows of provider, deployment and counts, a text of each bucket's number and requests.

    Grouped by all deployments first: to look each up among those tested takes ten times as long.
    """
    requests = in_buckets(source.requests(filters), replace(filters, zone="UTC"), bucket)
    by = [requests.c[name] for name in ("bucket_number", *WAY)]
    each = (
        select(*by, func.count().label("requests"))
        .where(counting(requests))
        .group_by(*by)
        .subquery("each")
    )
    named = select(
        each.c.provider, _tested(each, deployments), each.c.bucket_number, each.c.requests
    )
    return _packed(named, WAY, "requests")


def _packed(named: Select[Any], by: Sequence[str], *amounts: str) -> Select[Any]:
    """The rows of each group as one text: thousands of rows take longer to read than to count."""
    rows = named.subquery()
    group = [rows.c[name] for name in by]
    one = func.concat_ws(" ", rows.c.bucket_number, *(rows.c[name] for name in amounts))
    return select(*group, func.string_agg(one, " ", type_=Text()).label("counts")).group_by(*group)


def _tested(counted: FromClause, deployments: Sequence[Pair]) -> ColumnElement[str]:
    """The deployment, None for one that is not tested."""
    names = sorted({deployment for _, deployment in deployments if deployment is not None})
    if not names:
        return null().cast(Text()).label("deployment")
    deployment = counted.c.deployment
    return case((deployment.in_(names), deployment)).label("deployment")


def _faults(source: Source, filters: Filters, bucket: Bucket, is_read: bool) -> CTE:
    """Rows of bucket_number, provider, deployment, fell_back_from, failures and hidden."""
    requests = in_buckets(source.requests(filters), replace(filters, zone="UTC"), bucket)
    faults = with_faults(requests, is_read, "bucket_number", *WAY)
    by = [faults.c[name] for name in ("bucket_number", *WAY, "fell_back_from")]
    return (
        select(
            *by,
            func.count().filter(~faults.c.is_hidden).label("failures"),
            func.count().filter(faults.c.is_hidden).label("hidden"),
        )
        .group_by(*by)
        .cte()
    )


def _most_faulty(counted: CTE) -> Select[Any]:
    """Rows of provider, deployment, fell_back_from and counts: number, failures, hidden.

    Deployments with few faults have no name.
    """
    faults = measures.added_up(counted.c.failures + counted.c.hidden)
    provider = func.coalesce(counted.c.provider, "", type_=Text()).label("provider")
    top = (
        select(provider, counted.c.deployment)
        .where(counted.c.deployment.is_not(None), counted.c.fell_back_from.is_(None))
        .group_by(provider, counted.c.deployment)
        .having(faults >= LEAST_FAULTS)
        .order_by(faults.desc(), alphabetical(counted.c.deployment), alphabetical(provider))
        .limit(MOST_DEPLOYMENTS)
        .cte("top")
    )
    is_same = and_(provider == top.c.provider, counted.c.deployment == top.c.deployment)
    columns = ("bucket_number", "provider", "fell_back_from", "failures", "hidden")
    named = select(*(counted.c[name] for name in columns), top.c.deployment)
    return _packed(named.select_from(counted.outerjoin(top, is_same)), OF_FAULTS, *KINDS)


def _of_tested(counted: CTE, deployments: Sequence[Pair]) -> Select[Any]:
    columns = ("bucket_number", "provider", "fell_back_from", "failures", "hidden")
    named = select(*(counted.c[name] for name in columns), _tested(counted, deployments))
    return _packed(named, OF_FAULTS, *KINDS)


def _routes(source: Source, filters: Filters, groups: Sequence[str | None]) -> Routes:
    """Which providers and deployments serve these groups, from which requests fell back?"""
    names = sorted({one for one in groups if one is not None})[:MOST_GROUPS]
    if not names:
        return Routes()
    requests = source.requests(filters)
    way = [requests.c[name] for name in OF_A_ROUTE]
    found = (
        select(*way, func.count().label("requests"))
        .where(requests.c.model.in_(names), counting(requests))
        .group_by(*way)
        .order_by(func.count().desc(), *map(alphabetical, way))
        .limit(MOST_GROUPS * 10)
    )
    return routes_of(source.rows(found))


def is_of(faults: FromClause, entity: Entity, routes: Routes) -> ColumnElement[bool]:
    """Which faults are those of this entity?"""
    if entity.level == "all":
        return literal(True)
    own = [
        faults.c.fell_back_from.is_(None),
        faults.c.provider.is_not_distinct_from(entity.provider),
    ]
    if entity.level == "deployment":
        own.append(faults.c.deployment == entity.deployment)
    return or_(and_(*own), faults.c.fell_back_from.in_(routes.groups(entity)))
