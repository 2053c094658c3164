"""The step of a chart's time axis that a moment falls into."""

from typing import Any

from sqlalchemy import ColumnElement, cast, extract, func
from sqlalchemy.types import DateTime, Numeric

from tracelib.window import Bucket, TimeWindow, offset_s


def bucket_start(
    column: ColumnElement[Any], bucket: Bucket, window: TimeWindow, zone: str
) -> ColumnElement[Any]:
    """When does the bucket of this moment begin? Aware UTC, as `window.bucket_starts` has it."""
    if bucket.is_day:
        midnight = func.date_trunc("day", func.timezone(zone, column, type_=DateTime()))
        return func.timezone(zone, midnight, type_=DateTime(timezone=True))
    shift = offset_s(window, zone)
    shifted = cast(extract("epoch", column), Numeric) + shift
    start = func.floor(shifted / bucket.seconds) * bucket.seconds - shift
    return func.to_timestamp(start, type_=DateTime(timezone=True))
