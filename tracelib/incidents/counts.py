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
# Of the requests of a model group, what another provider or deployment may serve.
LEAST_OF_A_ROUTE = 0.05


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
        found = self.of.get(entity)
        return found or Series(*(np.zeros(len(self.starts)) for _ in range(3)))

    def within(self, start: datetime, end: datetime) -> slice:
        """The buckets that start in this time."""
        inside = [number for number, one in enumerate(self.starts) if start <= one < end]
        return slice(inside[0], inside[-1] + 1) if inside else slice(0, 0)


@dataclass(frozen=True, slots=True)
class Routes:
    """Of model groups from which requests fell back, the entities that usually serve them."""

    of: Mapping[str, tuple[Entity, ...]] = field(default_factory=dict)

    def entities(self, group: str) -> tuple[Entity, ...]:
        """The provider and deployment that serve this group, as far as it is only one."""
        return self.of.get(group, ())

    def groups(self, entity: Entity) -> list[str]:
        """Which groups does this entity serve alone?"""
        return sorted(group for group, served in self.of.items() if entity in served)


def routes_of(rows: Sequence[Row[Any]]) -> Routes:
    """The routes, of rows of model, provider, deployment and requests."""
    total: dict[str, int] = {}
    for row in rows:
        total[row.model] = total.get(row.model, 0) + row.requests
    served: dict[str, set[Pair]] = {}
    for row in rows:
        if row.requests >= LEAST_OF_A_ROUTE * total[row.model]:
            served.setdefault(row.model, set()).add((row.provider, row.deployment))
    return Routes({group: tuple(_only(pairs)) for group, pairs in served.items()})


def _only(pairs: set[Pair]) -> Iterator[Entity]:
    providers = {provider for provider, _ in pairs}
    if len(providers) == 1 and None not in providers:
        yield Entity("provider", *providers)
    if len(pairs) == 1:
        ((provider, deployment),) = pairs
        if deployment is not None:
            yield Entity("deployment", provider, deployment)


def counts_of(
    window: TimeWindow,
    bucket: Bucket,
    requests: Sequence[Row[Any]],
    faults: Sequence[Row[Any]],
    routes: Routes,
) -> Counts:
    """The counts, of rows that each have a bucket_number, a provider and a deployment.

    A request that fell back counts once more, as a fault of the provider and deployment that would
    have served it; the one that did has a success.
    """
    starts = tuple(bucket_starts(window, bucket, "UTC"))
    made: dict[Entity, Series] = {}

    def add(entity: Entity, number: int, *amounts: int) -> None:
        if entity not in made:
            made[entity] = Series(*(np.zeros(len(starts)) for _ in range(3)))
        one = made[entity]
        one.requests[number] += amounts[0]
        one.failures[number] += amounts[1]
        one.hidden[number] += amounts[2]

    for row in requests:
        for entity in entities_of(row.provider, row.deployment):
            add(entity, row.bucket_number, row.requests, 0, 0)
    for row in faults:
        if row.fell_back_from is None:
            for entity in entities_of(row.provider, row.deployment):
                add(entity, row.bucket_number, 0, row.failures, row.hidden)
        else:
            add(ALL, row.bucket_number, 0, 0, row.hidden)
            for entity in routes.entities(row.fell_back_from):
                add(entity, row.bucket_number, row.hidden, 0, row.hidden)
    return Counts(window, starts, timedelta(seconds=bucket.seconds), made)


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
