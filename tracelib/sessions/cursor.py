"""The end of a page of the list: the last row's sort value and key, as in the URL."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, literal, or_
from sqlalchemy.types import BigInteger, DateTime, Numeric, Text, TypeEngine

from tracelib.spendlogs.conditions import can_be_stored

COMPLAINT = "The page in the link is not valid; showing the first page."
MOVED = "The page in the link belongs to another sort order; showing the first page."
LONGEST = 16_000
# The range of a double and of the exact sum of doubles, as PostgreSQL writes and reads them.
AMOUNT = re.compile(r"-?\d{1,400}(\.\d{1,400})?(E[+-]?\d{1,3})?|NaN|-?Infinity", re.ASCII)
KINDS: dict[str, TypeEngine[Any]] = {
    "recent": DateTime(timezone=True),
    "cost": Numeric(),
    "length": BigInteger(),
    "errors": BigInteger(),
    "duration": BigInteger(),
    "tokens": BigInteger(),
}
COUNT = re.compile(r"-?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: its sort value as text, and its session key."""

    sort: str
    value: str
    session_key: str

    def written(self) -> str:
        """The cursor as it is written in the URL."""
        plain = json.dumps([self.sort, self.value, self.session_key], ensure_ascii=False)
        return base64.urlsafe_b64encode(plain.encode()).decode()

    def bound(self) -> ColumnElement[Any]:
        """The sort value for a comparison; PostgreSQL casts the text, so no digit is lost."""
        return cast(literal(self.value, Text()), KINDS[self.sort])

    def is_before(
        self, value: ColumnElement[Any], session_key: ColumnElement[str]
    ) -> ColumnElement[bool]:
        """Which sessions come later in the list: a smaller value, or the same and a later key?"""
        last = self.bound()
        return or_(value < last, and_(value == last, session_key > self.session_key))


def read_cursor(after: str | None, sort: str) -> tuple[Cursor | None, str | None]:
    """Where did the page before end according to the URL, and what is wrong with that value?

    >>> read_cursor(Cursor("length", "3", "session:key").written(), "length")
    (Cursor(sort='length', value='3', session_key='session:key'), None)
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
    if not isinstance(parts, list) or len(parts) != 3:
        return None
    if not all(isinstance(part, str) and can_be_stored(part) for part in parts):
        return None
    sort, written, session_key = parts
    value = _value(sort, written)
    return None if value is None else Cursor(sort, value, session_key)


def _value(sort: str, text: str) -> str | None:
    """The sort value as PostgreSQL reads it; None if it is not valid."""
    if sort == "recent":
        return _moment(text)
    pattern = AMOUNT if sort == "cost" else COUNT
    return text if sort in KINDS and pattern.fullmatch(text) else None


def _moment(text: str) -> str | None:
    """The time as PostgreSQL reads it: Python parses more formats than PostgreSQL does."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
