"""How far the figures can be trusted: defects of requests, and the horizon of the log."""

from typing import Any

from tracelib import quality, status
from tracelib.api import params, responses
from tracelib.api.caller import Caller
from tracelib.api.values import window
from tracelib.quality import Check
from tracelib.status import Retention


def data_quality(caller: Caller, given: params.Chosen) -> responses.DataQuality:
    """Which requests have defects, what do these do to figures, and how far back is the log?"""
    filters = given.filters(caller.now)
    queries: list[tuple[Any, ...]] = [
        (quality.counts, filters),
        (quality.odd, filters, caller.now),
        (quality.sampled, filters),
        (quality.unreadable,),
    ]
    if caller.token.access.scope.is_all:
        queries.append((status.retention, caller.now))
    counts, odd, sampled, unreadable, *retention = caller.query_together(*queries)
    return responses.DataQuality(
        window=window(filters.window),
        requests=quality.requests_in(counts),
        checks=list(map(_check, quality.checks(counts, (odd, sampled), unreadable))),
        retention=_retention(*retention) if retention else None,
    )


def _check(found: Check) -> responses.QualityCheck:
    declared = found.declared
    return responses.QualityCheck(
        name=found.name,
        title=declared.title,
        rows=found.rows,
        of=found.of,
        share=found.share,
        since=found.since,
        without=found.without,
        effect=declared.effect,
        remedy=declared.remedy,
    )


def _retention(log: Retention) -> responses.Retention:
    return responses.Retention(
        oldest_request_at=log.oldest_at,
        rows=log.rows,
        bytes=log.bytes,
        rows_a_day=log.rows_a_day,
        bytes_a_day=log.bytes_a_day,
        deleted_rows=log.deleted_rows,
        kept_days=log.kept_days,
        gone_at=log.gone_at,
        bytes_in_30_days=log.bytes_in(30),
        bytes_in_90_days=log.bytes_in(90),
    )
