"""The requests whose bodies are compared, within the filters."""

from dataclasses import replace
from datetime import UTC

from sqlalchemy import Subquery, select

from tracelib.filters import Filters
from tracelib.source import NotHeld, Source
from tracelib.spendlogs.compared import are_held, compared
from tracelib.spendlogs.conditions import chosen_ids
from tracelib.spendlogs.measures import Relation
from tracelib.spendlogs.types import are_columns
from tracelib.window import TimeWindow

NEWEST_BODIES = 5_000


def bodies(source: Source, filters: Filters, newest: int) -> tuple[Subquery, Relation]:
    """Which requests match the filters, and which of them were compared, as `compared` has them?

    A request is compared with others of its key, team, user and day, whatever their model: so in
    PostgreSQL those are read from the beginning of the day on. Raises NotHeld for a replica without
    facts of bodies.
    """
    requests = source.requests(filters)
    if not are_held(requests):
        raise NotHeld("facts of bodies")
    if are_columns(requests):
        return requests, compared(requests, newest)
    start = filters.window.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    window = TimeWindow(start, filters.window.end)
    known = compared(
        source.requests(replace(filters, window=window, model=(), provider=())), newest
    )
    others = replace(filters, key=(), team=(), user=())
    clean = {name: known.c[name] for name in ("model", "provider")}
    first = filters.window.start.astimezone(UTC).replace(tzinfo=None)
    chosen = (known.c.start_order >= first, *chosen_ids(clean, others))
    return requests, select(*known.c).where(*chosen).cte("chosen")
