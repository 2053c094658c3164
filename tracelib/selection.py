"""The requests that are read as one conversation: those of a session, or some named one by one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import pandas as pd

from tracelib.keys import key_identity

# Clients choose IDs. PostgreSQL's index, which LiteLLM has on them, holds at most 2,704 bytes.
LONGEST_ID = 2_000


class RowId(NamedTuple):
    """The row of a request in the log: its ID and its start, aware UTC.

    The ID alone is not enough: a log that is partitioned by time, as LiteLLM's script does it, may
    contain the same one again with another start. Rows are ordered by start, then by ID.
    """

    request_id: str
    started_at: datetime

    def written(self) -> str:
        """A text that identifies the row, for links and for elements of a page.

        >>> RowId("chatcmpl-1", datetime(2026, 11, 23, 9, tzinfo=UTC)).written()
        'chatcmpl-1@2026-11-23T09:00:00.000Z'
        """
        moment = self.started_at.astimezone(UTC)
        exact = "microseconds" if moment.microsecond % 1_000 else "milliseconds"
        return f"{self.request_id}@{moment.isoformat(timespec=exact).replace('+00:00', 'Z')}"


def row_ids(requests: pd.DataFrame) -> list[RowId]:
    """The rows of the log of these requests, by their request_id and started_at."""
    starts = requests["started_at"].dt.to_pydatetime()
    return list(map(RowId, requests["request_id"], starts))


def read_row_id(text: str) -> RowId | None:
    """The row that a text of `RowId.written` identifies; None for any other, such as an ID alone.

    >>> read_row_id("a@b@2026-11-23T09:00:00.000Z").request_id, read_row_id("a@b")
    ('a@b', None)
    """
    request_id, at, digits = text.rpartition("@")
    if not at or not digits.endswith("Z"):
        return None
    try:
        moment = datetime.fromisoformat(digits)
    except ValueError:
        return None
    return RowId(request_id, moment) if moment.tzinfo else None


def can_exist(*ids: str | None) -> bool:
    """Can there be rows with these IDs, as far as their length tells?

    >>> can_exist("sess-1", None), can_exist("x" * 2_001)
    (True, False)
    """
    return all(some_id is None or len(some_id) <= LONGEST_ID for some_id in ids)


@dataclass(frozen=True, slots=True)
class Selection:
    """Requests of one key, by the sessions they are stored in or by their own rows.

    `api_key` becomes the identity of the key, whatever it was named by. One session ID is a session
    as LiteLLM stores it; several are sessions that continue one another. If `rows` are given, they
    alone count: requests joined by their messages.
    """

    api_key: str
    session_ids: tuple[str, ...] = ()
    rows: tuple[RowId, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", key_identity(self.api_key))

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The IDs of `rows`."""
        return tuple(row.request_id for row in self.rows)


def session(session_id: str, api_key: str) -> Selection:
    """The requests of a session, as LiteLLM stores it.

    >>> session("s", "litellm-cli")
    Selection(api_key='litellm-cli', session_ids=('s',), rows=())
    """
    return Selection(api_key, (session_id,))
