"""When requests started, asked so that the index on it serves."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, func, literal
from sqlalchemy.types import DateTime


def started_between(requests: Subquery, start: datetime, end: datetime) -> ColumnElement[bool]:
    """Which requests started in this period, both ends included?"""
    return requests.c.start_order.between(_stored(start), _stored(end))


def _stored(moment: datetime) -> ColumnElement[Any]:
    return func.timezone("UTC", literal(moment, DateTime(timezone=True)), type_=DateTime())
