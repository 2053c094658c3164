"""Changes of prices: what LiteLLM's price list in the rows says of a token."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, select, union_all

from tracelib.changes.markers import Marker, in_order
from tracelib.filters import Filters
from tracelib.source import Postgres
from tracelib.spendlogs import measures
from tracelib.spendlogs.facts import with_prices
from tracelib.window import TimeWindow

# Of each step of the window, the first rows are read: their metadata is 11 kB each.
STEPS, ROWS_OF_A_STEP = 32, 40
PER = 1_000_000
# A smaller difference is one of rounding.
LEAST = 0.001


def price_changes(source: Postgres, filters: Filters) -> tuple[Marker, ...]:
    """When did the price of a deployment's token change in the window, as its rows have it?

    In the order of time; the time is that of the first row with the new price that was read. The
    first forty requests of each of 32 steps are read, and as many before the window, so that the
    cost is the same for a log of any size; a deployment without a request among them is not seen. A
    price that was there before is none that is new. Without the metadata, none.
    """
    if not source.schema.has("metadata"):
        return ()
    rows = source.rows(_sampled(source, filters))
    return in_order(_changes(rows))


def _sampled(source: Postgres, filters: Filters) -> Select[Any]:
    parts = [_first_rows(source, filters, step) for step in range(-1, STEPS)]
    found = union_all(*parts).subquery("found")
    order = (
        measures.alphabetical(found.c.model),
        measures.alphabetical(found.c.deployment),
        found.c.started_at,
    )
    return select(*found.c).order_by(*order)


def _first_rows(source: Postgres, filters: Filters, step: int) -> Select[Any]:
    """The first rows of a step of the window; -1 is the step before it."""
    length = filters.window.length / STEPS
    start = filters.window.start + step * length
    window = TimeWindow(start, start + max(length, timedelta(milliseconds=1)))
    requests = source.requests(Filters(window))
    names = ("model", "deployment", "started_at", "metadata")
    first = (
        select(*(requests.c[name] for name in names))
        .where(~requests.c.is_failure)
        .order_by(requests.c.start_order)
        .limit(ROWS_OF_A_STEP)
        .subquery(f"first_{step + 1}")
    )
    known = with_prices(first, "model", "deployment", "started_at").subquery(f"priced_{step + 1}")
    return select(*known.c)


def _changes(rows: Sequence[Row[Any]]) -> Iterator[Marker]:
    for (model, deployment), own in groupby(rows, key=lambda row: (row.model, row.deployment)):
        seen: list[tuple[float, float]] = []
        for row in own:
            if row.input_price is None or row.output_price is None:
                continue
            price = (row.input_price, row.output_price)
            if seen and not any(_are_equal(price, one) for one in seen):
                words = _in_words(deployment or model, seen[-1], price)
                yield Marker(row.started_at, "price", words, model)
            seen.append(price)


def _are_equal(one: tuple[float, float], other: tuple[float, float]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(abs(new - old) <= LEAST * max(abs(old), abs(new)) for new, old in pairs)


def _in_words(name: str, old: tuple[float, float], new: tuple[float, float]) -> str:
    """What of the price changed.

    >>> _in_words("gpt-4.1", (2e-6, 8e-6), (3e-6, 8e-6))
    'Price of gpt-4.1: input $2 → $3 per million tokens'
    """
    kinds = zip(("input", "output"), old, new, strict=True)
    moved = [
        f"{kind} ${before * PER:g} → ${now * PER:g}"
        for kind, before, now in kinds
        if abs(now - before) > LEAST * max(abs(before), abs(now))
    ]
    return f"Price of {name}: {', '.join(moved)} per million tokens"
