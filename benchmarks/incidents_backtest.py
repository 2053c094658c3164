"""Which planted incidents are found, and how many are found in quiet traffic?

`python -m benchmarks.incidents_backtest [--seeds 20]` makes counts of two weeks per seed, of twelve
deployments of four providers, some of them with a few requests an hour, with a rhythm of day and
week, failures that come in bursts (clients try again), and a usual share from 0.1 to 4 % each. Then
it plants six incidents: of deployments, of a provider, of all traffic, some of hidden failures,
from 20 minutes to 9 hours, with 15 to 100 % faults; those with fewer than twenty excess faults are
not planted. It prints:

    recall       of the planted ones, how many are found: the same time, at the right level or with
                 the right name in it
    precision    of the incidents found, how many are planted ones
    exact        of those found, how many are at exactly the planted level
    minutes      by which start and end are off, the median
    false alarms in quiet traffic of the same seeds, a week per 100 entities
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np

from tracelib.incidents.counts import Counts, Series, entities_of
from tracelib.incidents.finding import found
from tracelib.incidents.values import ALL, Entity, Stretch
from tracelib.window import TimeWindow

DAYS, STEP = 14, timedelta(minutes=5)
END = datetime(2026, 11, 23, tzinfo=UTC)
START = END - timedelta(days=DAYS)
BUCKETS = DAYS * 288
PROVIDERS = {"openai": 4, "anthropic": 3, "azure": 3, "bedrock": 2}
PLANTED, LEAST_EXCESS = 6, 20
# Of failures, those after which the same client fails again.
AGAIN = 0.35


@dataclass(frozen=True)
class Planted:
    """An incident that was planted: what failed, and in which buckets."""

    entity: Entity
    first: int
    last: int


@dataclass
class Traffic:
    """The series of each deployment, and what was planted."""

    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    planted: list[Planted] = field(default_factory=list)


def traffic(seed: int, is_quiet: bool = False) -> Traffic:
    """The traffic of this seed."""
    rng, draw = Random(seed), np.random.default_rng(seed)
    made = Traffic()
    hours = np.arange(BUCKETS) / 12
    for provider, deployments in PROVIDERS.items():
        for number in range(deployments):
            rate = rng.choice((0.5, 2, 8, 30, 120)) / 12 * rng.uniform(0.7, 1.4)
            rhythm = 1 + 0.8 * np.sin((hours % 24 - 9) / 24 * 2 * np.pi)
            weekend = np.where(hours // 24 % 7 >= 5, 0.3, 1.0)
            requests = draw.poisson(rate * rhythm * weekend * 2).astype(float)
            share = rng.choice((0.001, 0.005, 0.01, 0.02, 0.04))
            failures = draw.binomial(requests.astype(int), share * (1 - AGAIN)).astype(float)
            again = draw.negative_binomial(np.maximum(failures, 1), 1 - AGAIN) * (failures > 0)
            hidden = draw.binomial(requests.astype(int), 0.01).astype(float)
            name = f"{provider}/model-{number}"
            made.series[provider, name] = Series(requests + again, failures + again, hidden)
    if not is_quiet:
        _plant(made, rng, draw)
    return made


def _plant(made: Traffic, rng: Random, draw: np.random.Generator) -> None:
    free = np.ones(BUCKETS, dtype=bool)
    free[: 3 * 288] = False
    tries = 0
    while len(made.planted) < PLANTED and (tries := tries + 1) < 200:
        length = rng.choice((4, 6, 12, 36, 108))
        first = rng.randrange(3 * 288, BUCKETS - length)
        around = slice(max(first - 72, 0), first + length + 72)
        pairs = list(made.series)
        provider = rng.choice(list(PROVIDERS))
        level = rng.choice(("deployment", "deployment", "provider", "all"))
        if level != "all":
            pairs = [pair for pair in pairs if pair[0] == provider]
        if level == "deployment":
            pairs = [rng.choice(pairs)]
        share, is_hidden = rng.choice((0.15, 0.3, 0.6, 1.0)), rng.random() < 0.3
        within = slice(first, first + length)
        excess = sum(share * made.series[pair].requests[within].sum() for pair in pairs)
        if excess < LEAST_EXCESS or not free[around].all():
            continue
        free[around] = False
        for pair in pairs:
            one = made.series[pair]
            requests = one.requests[within].astype(int)
            faults = draw.binomial(requests, share)
            kind = one.hidden if is_hidden else one.failures
            kind[within] = np.minimum(np.maximum(kind[within], faults), requests)
        entity = {
            "all": ALL,
            "provider": Entity("provider", provider),
            "deployment": Entity("deployment", *pairs[0]),
        }[level]
        made.planted.append(Planted(entity, first, first + length))


def counts(made: Traffic, window: TimeWindow, per_bucket: int) -> Counts:
    """The counts of a window, in buckets of so many times five minutes."""
    first = int((window.start - START) / STEP)
    last = int(-((START - window.end) // STEP))
    series: dict[Entity, Series] = {}
    for pair, one in made.series.items():
        own = Series(
            *(_summed(v[first:last], per_bucket) for v in (one.requests, one.failures, one.hidden))
        )
        for entity in entities_of(*pair):
            if entity in series:
                before = series[entity]
                own_parts = (own.requests, own.failures, own.hidden)
                whole = (before.requests, before.failures, before.hidden)
                pairs = zip(whole, own_parts, strict=True)
                series[entity] = Series(*(a + b for a, b in pairs))
            else:
                series[entity] = own
    step = STEP * per_bucket
    length = len(next(iter(series.values())).requests)
    starts = tuple(window.start + number * step for number in range(length))
    return Counts(window, starts, step, series)


def _summed(values: np.ndarray, per_bucket: int) -> np.ndarray:
    whole = np.pad(values, (0, -len(values) % per_bucket))
    summed: np.ndarray = whole.reshape(-1, per_bucket).sum(axis=1)
    return summed


def detected(made: Traffic) -> list[Stretch]:
    """What is found in this traffic."""
    hourly = counts(made, TimeWindow(START, END), 12)
    return found(hourly, lambda windows: [counts(made, one, 1) for one in windows], START)[0]


def matches(planted: Planted, one: Stretch) -> bool:
    """Is it the planted one: at the same time, and the same entity, its whole or its part?"""
    start, end = START + planted.first * STEP, START + planted.last * STEP
    is_same_time = one.start < end and start < one.end
    entity = planted.entity
    same = one.entity == entity or entity.has(one.entity) or one.entity.has(entity)
    return is_same_time and same


def minutes_off(planted: Planted, one: Stretch) -> Iterator[float]:
    """By how many minutes are start and end off?"""
    yield abs((one.start - (START + planted.first * STEP)).total_seconds()) / 60
    yield abs((one.end - (START + planted.last * STEP)).total_seconds()) / 60


@dataclass
class Score:
    """The figures over some seeds."""

    planted: int = 0
    recalled: int = 0
    found: int = 0
    true: int = 0
    exact: int = 0
    alarms: int = 0
    entities: int = 0
    off: list[float] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.recalled / self.planted

    @property
    def precision(self) -> float:
        return self.true / self.found

    @property
    def alarms_a_week_per_100(self) -> float:
        return self.alarms / (DAYS / 7) / self.entities * 100


def score(seeds: Sequence[int]) -> Score:
    """The figures over these seeds."""
    result = Score()
    for seed in seeds:
        made = traffic(seed)
        every = detected(made)
        result.planted += len(made.planted)
        result.found += len(every)
        result.true += sum(any(matches(one, it) for one in made.planted) for it in every)
        for one in made.planted:
            own = [it for it in every if matches(one, it)]
            result.recalled += bool(own)
            result.exact += any(it.entity == one.entity for it in own)
            exact = [it for it in own if it.entity == one.entity]
            result.off += [minutes for it in exact[:1] for minutes in minutes_off(one, it)]
        quiet = traffic(seed, is_quiet=True)
        result.alarms += len(detected(quiet))
        result.entities += 1 + len(PROVIDERS) + len(quiet.series)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    result = score(range(parser.parse_args().seeds))
    print(f"planted {result.planted}, found {result.found}")
    print(f"recall {result.recall:.3f}, precision {result.precision:.3f}")
    print(f"exact level {result.exact} of {result.recalled}")
    print(f"start and end off by {statistics.median(result.off):.0f} minutes, the median")
    print(f"false alarms a week per 100 entities {result.alarms_a_week_per_100:.2f}")


if __name__ == "__main__":
    main()
