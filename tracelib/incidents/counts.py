"""Requests and faults of each entity in each bucket of a window."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Row

from tracelib.incidents.detecting import Numbers
from tracelib.incidents.values import ALL, Entity
from tracelib.window import HOUR_S, Bucket, TimeWindow, bucket_starts

Pair = tuple[str | None, str | None]
# Of the requests of a model group, what the one does that would have served a fallback.
MOST_OF_A_ROUTE = 0.5


@dataclass(frozen=True, slots=True)
class Series:
    """Per bucket: the requests, the failures, and successes after retries or fallbacks."""

    requests: Numbers
    failures: Numbers
    hidden: Numbers

    @property
    def faults(self) -> Numbers:
        """Failures and hidden ones, at most all requests."""
        return np.minimum(self.failures + self.hidden, self.requests)


@dataclass(frozen=True, slots=True)
class Counts:
    """The series of each entity, of buckets that start at `starts`, in a window."""

    window: TimeWindow
    starts: tuple[datetime, ...]
    step: timedelta
    of: Mapping[Entity, Series] = field(default_factory=dict)

    def series(self, entity: Entity) -> Series:
        """That of this entity: zeros if it has no request."""
        return self.of.get(entity) or _nothing(len(self.starts))

    def within(self, start: datetime, end: datetime) -> slice:
        """The buckets that start in this time."""
        first, last = (-((self.starts[0] - one) // self.step) for one in (start, end))
        return slice(max(first, 0), max(last, 0))


@dataclass(frozen=True, slots=True)
class Routes:
    """Of model groups from which requests fell back, the entities that serve most of them."""

    of: Mapping[str, tuple[Entity, ...]] = field(default_factory=dict)

    def entities(self, group: str) -> tuple[Entity, ...]:
        """The provider and the deployment that serve more than half of this group, if any do."""
        return self.of.get(group, ())

    def groups(self, entity: Entity) -> list[str]:
        """Of which groups does this entity serve more than half?"""
        return sorted(group for group, served in self.of.items() if entity in served)


def routes_of(rows: Sequence[Row[Any]]) -> Routes:
    """The routes, of rows of model, provider, deployment and requests."""
    served: dict[str, dict[Entity, int]] = {}
    for row in rows:
        of_group = served.setdefault(row.model, {})
        for entity in entities_of(row.provider, row.deployment):
            of_group[entity] = of_group.get(entity, 0) + row.requests
    return Routes({group: _main(of_group) for group, of_group in served.items()})


def _main(served: Mapping[Entity, int]) -> tuple[Entity, ...]:
    """Those that serve most of the requests."""
    most = MOST_OF_A_ROUTE * served[ALL]
    return tuple(one for one, count in served.items() if one != ALL and count > most)


def counts_of(
    window: TimeWindow,
    bucket: Bucket,
    requests: Sequence[Row[Any]],
    faults: Sequence[Row[Any]],
    routes: Routes,
) -> Counts:
    """The counts, of rows that each have a provider, a deployment, and counts per bucket as a text.

    A request that fell back counts once more, as a fault of the provider and deployment that would
    have served it; the one that did has a success.
    """
    starts = tuple(bucket_starts(window, bucket, "UTC"))
    made: dict[Entity, Series] = {}

    def add(entity: Entity, requests: Numbers, failures: Numbers, hidden: Numbers) -> None:
        one = made.setdefault(entity, _nothing(len(starts)))
        for own, more in zip(
            (one.requests, one.failures, one.hidden), (requests, failures, hidden), strict=True
        ):
            own += more

    nothing = np.zeros(len(starts))
    for row in requests:
        (counted,) = _unpacked(row.counts, 1, len(starts))
        for entity in entities_of(row.provider, row.deployment):
            add(entity, counted, nothing, nothing)
    for row in faults:
        failures, hidden = _unpacked(row.counts, 2, len(starts))
        if row.fell_back_from is None:
            for entity in entities_of(row.provider, row.deployment):
                add(entity, nothing, failures, hidden)
        else:
            add(ALL, nothing, nothing, hidden)
            for entity in routes.entities(row.fell_back_from):
                add(entity, hidden, nothing, hidden)
    return Counts(window, starts, timedelta(seconds=bucket.seconds), made)


def _nothing(length: int) -> Series:
    return Series(*(np.zeros(length) for _ in range(3)))


def _unpacked(counts: str, amounts: int, length: int) -> list[Numbers]:
    """The amounts per bucket, of a text with a bucket's number and amounts in turn.

    >>> _unpacked("2 5 1 7", 1, 3)
    [array([0., 7., 5.])]
    """
    numbers = np.array(counts.split(), dtype=float).reshape(-1, amounts + 1)
    buckets = numbers[:, 0].astype(int)
    return [np.bincount(buckets, numbers[:, n + 1], length).astype(float) for n in range(amounts)]


def entities_of(provider: str | None, deployment: str | None) -> Iterator[Entity]:
    """All traffic, the provider and the deployment, as far as they are known."""
    yield ALL
    if provider is not None:
        yield Entity("provider", provider)
    if deployment is not None:
        yield Entity("deployment", provider, deployment)


def hour_of(moment: datetime) -> datetime:
    """The whole hour, UTC, in which this moment is."""
    return datetime.fromtimestamp(int(moment.timestamp()) // HOUR_S * HOUR_S, UTC)
