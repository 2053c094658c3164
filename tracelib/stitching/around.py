"""The conversation around one request, among the single requests of its key."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select

from tracelib.conversation.session_rows import stored_in_batches
from tracelib.filters import Filters
from tracelib.selection import RowId, Selection
from tracelib.source import Postgres
from tracelib.spendlogs.conditions import of_key
from tracelib.stitching.joining import Link, joined
from tracelib.window import TimeWindow

REACH = timedelta(hours=12)
MOST_EACH_WAY = 500
# Of bodies, the nearest requests first: a few seconds for PostgreSQL and Python.
MOST_CHARACTERS = 64_000_000


@dataclass(frozen=True, slots=True)
class Stitched:
    """An inferred conversation, and what was searched for it.

    `selection` has its requests; if none joins the opened one, only that. `searched` counts the
    single requests that were read, including the opened one; if it `is_bounded`, there were more
    within twelve hours. `links` show what joins the requests.
    """

    selection: Selection
    searched: int
    is_bounded: bool
    links: tuple[Link, ...]

    @property
    def found(self) -> int:
        """How many requests does it have? 0 if nothing joins the opened one."""
        return len(self.selection.rows) if self.links else 0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A request of the key, and the session that LiteLLM stored it in."""

    row: RowId
    session_id: str

    @property
    def started_at(self) -> datetime:
        return self.row.started_at


def conversation_around(source: Postgres, selection: Selection) -> Stitched:
    """Which conversation does this single request seem to belong to, by its messages?

    Searches the requests of its key that are sessions of their own, at most 500 before it and 500
    after it within twelve hours: sessions of several requests are never changed nor joined. A
    selection of several requests, or of none, is returned as it is, with nothing searched. Raises a
    TraceError.
    """
    opened = _requests(source, selection)
    if len(opened) != 1:
        return Stitched(selection, searched=0, is_bounded=False, links=())
    around, is_bounded = _around(source, selection.api_key, opened[0])
    near = _nearest_first(_single(source, selection.api_key, around), opened[0])
    read = stored_in_batches(source, selection, [(row,) for row in near], MOST_CHARACTERS)
    found = joined(read)
    searched = sum(map(len, found.conversations))
    conversations = (one for one in found.conversations if opened[0].row in one)
    conversation = next(conversations, ())  # LiteLLM may delete it between two queries
    return Stitched(
        Selection(selection.api_key, rows=conversation) if conversation[1:] else selection,
        searched,
        is_bounded or searched < len(near),
        tuple(link for link in found.links if link.row in conversation),
    )


def _requests(source: Postgres, selection: Selection) -> list[Neighbour]:
    """The first two selected requests: more are not needed."""
    requests = source.selected(selection)
    chosen = select(requests.c.request_id, requests.c.session_id, requests.c.started_at)
    return _neighbours(source, chosen.limit(2))


def _around(source: Postgres, api_key: str, opened: Neighbour) -> tuple[list[Neighbour], bool]:
    """The key's requests within reach, including the opened one; and whether there are more."""
    moment = opened.started_at
    before = _side(source, api_key, opened, TimeWindow(moment - REACH, moment), is_before=True)
    after = _side(source, api_key, opened, TimeWindow(moment, moment + REACH), is_before=False)
    is_bounded = max(len(before), len(after)) > MOST_EACH_WAY
    return [opened, *before[:MOST_EACH_WAY], *after[:MOST_EACH_WAY]], is_bounded


def _side(
    source: Postgres, api_key: str, opened: Neighbour, window: TimeWindow, *, is_before: bool
) -> list[Neighbour]:
    """The nearest on one side, one more than is read, to know whether there are more."""
    requests = source.requests(Filters(window))
    order, is_another = requests.c.start_order, requests.c.request_id != opened.row.request_id
    return _neighbours(
        source,
        select(requests.c.request_id, requests.c.session_id, requests.c.started_at)
        .where(
            of_key(requests, api_key), or_(is_another, requests.c.started_at != opened.started_at)
        )
        .order_by(order.desc() if is_before else order, requests.c.request_id)
        .limit(MOST_EACH_WAY + 1),
    )


def _neighbours(source: Postgres, statement: Select[Any]) -> list[Neighbour]:
    return [
        Neighbour(RowId(row.request_id, row.started_at), row.session_id)
        for row in source.rows(statement)
    ]


def _single(source: Postgres, api_key: str, near: Sequence[Neighbour]) -> list[Neighbour]:
    """Those of them that are sessions of one request, over all time."""
    several = _several(source, api_key, near)
    return [one for one in near if one.session_id not in several]


def _several(source: Postgres, api_key: str, near: Sequence[Neighbour]) -> set[str]:
    """The sessions of these requests that have others too."""
    counted = Counter(one.session_id for one in near)
    several = {session_id for session_id, count in counted.items() if count > 1}
    if not source.schema.is_indexed("session_id"):
        return several  # searching for the others would read the whole log
    requests = source.by_id("session_id", sorted(counted.keys() - several))
    others = (
        select(requests.c.session_id)
        .where(of_key(requests, api_key))
        .group_by(requests.c.session_id)
        .having(func.count() > 1)
    )
    return several | {row.session_id for row in source.rows(others)}


def _nearest_first(near: Sequence[Neighbour], opened: Neighbour) -> list[RowId]:
    by_distance = sorted(near, key=lambda one: abs(one.started_at - opened.started_at))
    return [one.row for one in by_distance]
