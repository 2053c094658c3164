"""The end of a page of the list: the last row's sort value and key, as in the URL."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, cast, literal, or_
from sqlalchemy.types import BigInteger, DateTime, Text, TypeEngine

from tracelib.spendlogs.conditions import can_be_stored
from tracelib.spendlogs.types import BELIEVABLE, MONEY

COMPLAINT = "The page in the link is not valid; showing the first page."
MOVED = "The page in the link belongs to another sort order; showing the first page."
LONGEST = 16_000
# What a sum of money can be, as databases write and read it.
AMOUNT = re.compile(r"-?\d{1,22}(\.\d{1,40})?(E-\d{1,2})?", re.ASCII)
KINDS: dict[str, TypeEngine[Any]] = {
    "recent": DateTime(timezone=True),
    "cost": MONEY,
    "length": BigInteger(),
    "errors": BigInteger(),
    "duration": BigInteger(),
    "tokens": BigInteger(),
}
COUNT = re.compile(r"-?\d{1,18}", re.ASCII)


class Listed(NamedTuple):
    """A session of the list: its key and ID, and what the list is sorted by.

    The greatest value comes first, then the latest start, as it is stored, then the first key.
    """

    session_key: str
    session_id: str
    sort_value: Any
    last_start: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: its sort value as text, its last start, and its session key."""

    sort: str
    value: str
    last_start: datetime
    session_key: str

    def written(self) -> str:
        """The cursor as it is written in the URL."""
        parts = [self.sort, self.value, self.last_start.isoformat(), self.session_key]
        plain = json.dumps(parts, ensure_ascii=False)
        return base64.urlsafe_b64encode(plain.encode()).decode()

    def bound(self) -> ColumnElement[Any]:
        """The sort value for a comparison; the database casts the text, so no digit is lost."""
        return cast(literal(self.value, Text()), KINDS[self.sort])

    def is_before(
        self,
        value: ColumnElement[Any],
        last_start: ColumnElement[Any],
        session_key: ColumnElement[str],
    ) -> ColumnElement[bool]:
        """Which sessions come later in the list?"""
        later_key = and_(self.is_at(value, last_start), session_key > self.session_key)
        return or_(self.is_above(value, last_start), later_key)

    def is_above(
        self, value: ColumnElement[Any], last_start: ColumnElement[Any]
    ) -> ColumnElement[bool]:
        """Which sessions come later in the list, whatever their keys?"""
        is_earlier = and_(value == self.bound(), last_start < self._last_start())
        return or_(value < self.bound(), is_earlier)

    def is_at(
        self, value: ColumnElement[Any], last_start: ColumnElement[Any]
    ) -> ColumnElement[bool]:
        """Which sessions are at the same place, whatever their keys?"""
        return and_(value == self.bound(), last_start == self._last_start())

    def _last_start(self) -> ColumnElement[datetime]:
        return literal(self.last_start, DateTime())


def read_cursor(after: str | None, sort: str) -> tuple[Cursor | None, str | None]:
    """Where did the page before end according to the URL, and what is wrong with that value?

    >>> cursor = Cursor("length", "3", datetime(2026, 1, 1), "session:key")
    >>> read_cursor(cursor.written(), "length") == (cursor, None)
    True
    >>> read_cursor("forged", "length")
    (None, 'The page in the link is not valid; showing the first page.')
    """
    if not after:
        return None, None
    cursor = _parsed(after)
    if cursor is None:
        return None, COMPLAINT
    return (cursor, None) if cursor.sort == sort else (None, MOVED)


def _parsed(after: str) -> Cursor | None:
    if len(after) > LONGEST or not after.isascii():
        return None
    try:
        parts = json.loads(base64.b64decode(after, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or len(parts) not in (3, 4):
        return None
    if not all(isinstance(part, str) and can_be_stored(part) for part in parts):
        return None
    sort, written, *started, session_key = parts
    value = _value(sort, written)
    if value is None:
        return None
    last_start = _last_start(sort, value, started)
    return Cursor(sort, value, last_start, session_key) if last_start else None


def _value(sort: str, text: str) -> str | None:
    """The sort value as PostgreSQL reads it; None if it is not valid."""
    if sort == "recent":
        return _moment(text)
    pattern = AMOUNT if sort == "cost" else COUNT
    return text if sort in KINDS and pattern.fullmatch(text) else None


def _last_start(sort: str, value: str, started: list[str]) -> datetime | None:
    """The last start, as it is stored: in UTC without a zone.

    A link from before it was part of a cursor may repeat sessions that differ only by it.
    """
    if sort == "recent":
        return datetime.fromisoformat(value).replace(tzinfo=None)
    if not started:
        return BELIEVABLE[1]
    try:
        moment = datetime.fromisoformat(started[0])
    except ValueError:
        return None
    return None if moment.tzinfo else moment


def _moment(text: str) -> str | None:
    """The time as PostgreSQL reads it: Python parses more formats than PostgreSQL does."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
