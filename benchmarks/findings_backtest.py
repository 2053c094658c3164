"""What anomalies cost in false alarms on quiet traffic, and which planted events they find.

Run it by `python -m benchmarks.findings_backtest [FIRST]`, of 20 seeds from the first on. Traffic is made per key and hour, from a seed:
office hours, shops, nightly batches, people who come and go; counts and costs that scatter more
than chance alone would. It is judged as the app judges a week of hours.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.random import Generator, default_rng

from tracelib.findings.detection import Episode, episodes
from tracelib.findings.hourly import PARTS_OF_LOG, Series
from tracelib.findings.merging import events, worth_a_finding
from tracelib.findings.usual import WEEK_H, compared_by

SEEDS = 20
HOURS = 35 * 24
START = datetime(2026, 10, 5, tzinfo=UTC)  # a Monday
TEAMS, USERS, KEYS, MODELS = 8, 30, 50, 8
KINDS = ("spike", "price", "loop", "drop", "failures", "slow")


@dataclass(frozen=True)
class Traffic:
    """Figures by key, model and hour, and who owns a key."""

    requests: np.ndarray
    cost: np.ndarray
    tokens: np.ndarray
    failures: np.ndarray
    log_ms: np.ndarray
    user: np.ndarray
    team: np.ndarray


@dataclass(frozen=True)
class Planted:
    """An event: its kind, its hours, and the entities that it is about.

    A key that is nearly all of its user's or team's traffic may be found as that.
    """

    kind: str
    about: tuple[tuple[str, str], ...]
    first: int
    end: int


def rhythm(rng: Generator, kind: str) -> np.ndarray:
    """How busy is each hour of a week? From Monday at midnight on."""
    hour = np.arange(24)
    shapes = {
        "office": np.exp(-(((hour - 14) / 4.2) ** 4)),
        "shop": 0.15 + np.exp(-(((hour - 15) / 7.0) ** 2)),
        "batch": (hour == int(rng.integers(0, 6))).astype(float),
        "steady": np.ones(24),
        "sporadic": np.exp(-(((hour - 14) / 4.5) ** 4)),
    }
    weekend = {"office": 0.05, "shop": 0.8, "batch": 1.0, "steady": 1.0, "sporadic": 0.1}[kind]
    days = [1.0] * 5 + [weekend] * 2
    return np.concatenate([shapes[kind] * day for day in days])


def quiet(seed: int, hours: int = HOURS) -> Traffic:
    """Traffic of some weeks in which nothing happens."""
    rng = default_rng(seed)
    user = rng.integers(0, USERS, KEYS)
    team_of = rng.integers(0, TEAMS, USERS)
    requests = np.zeros((KEYS, MODELS, hours))
    for key in range(KEYS):
        requests[key] = _requests_of(rng, hours)
    tokens_each = rng.lognormal(7.5, 0.9, KEYS)[:, None, None]
    price = rng.lognormal(-12.2, 0.9, MODELS)[None, :, None]
    # A sum of so many heavy-tailed requests: half of a key's sizes are within a factor of three.
    size = rng.gamma(np.maximum(requests, 1e-9) / 1.5, 1.5) * tokens_each
    tokens = np.where(requests > 0, np.maximum(size, requests), 0)
    mix = rng.lognormal(0, 0.15, requests.shape)
    rate = np.clip(rng.lognormal(-4.2, 0.8, requests.shape), 0, 0.3)
    log_ms = requests * (
        rng.normal(7.5, 0.5, (KEYS, MODELS, 1)) + rng.normal(0, 0.15, (MODELS, hours))
    )
    noise = rng.normal(0, 1.0, requests.shape) * np.sqrt(requests)
    return Traffic(
        requests,
        tokens * price * mix,
        np.round(tokens),
        rng.binomial(requests.astype(int), rate).astype(float),
        (log_ms + noise) * PARTS_OF_LOG,
        user,
        team_of[user],
    )


def _requests_of(rng: Generator, hours: int) -> np.ndarray:
    kind = rng.choice(
        ["office", "shop", "batch", "steady", "sporadic"], p=[0.4, 0.1, 0.15, 0.1, 0.25]
    )
    week = rhythm(rng, str(kind))
    busy = np.resize(week, hours) * rng.lognormal(3.0, 1.2)
    if kind == "batch":  # it starts late at times, and its work differs from night to night
        late = np.repeat(rng.random(hours // 24) < 0.15, 24)
        busy = np.where(late, np.roll(busy, 1), busy) * np.repeat(
            rng.lognormal(0, 0.3, hours // 24), 24
        )
    if kind == "sporadic":
        busy = busy * (rng.random(hours) < 0.2) * rng.lognormal(0, 0.8, hours)
    drift = np.exp(np.linspace(0, rng.normal(0, 0.15), hours))
    day = np.repeat(rng.lognormal(0, 0.25, hours // 24 + 1), 24)[:hours]
    mean = busy * drift * day * rng.gamma(5.0, 0.2, hours)
    shares = rng.dirichlet(np.full(MODELS, 0.25))
    return rng.poisson(mean[None, :] * shares[:, None]).astype(float)


def series(traffic: Traffic) -> Series:
    """The traffic as hourly figures of teams, users, keys and models."""
    groups = [("team", traffic.team, TEAMS), ("user", traffic.user, USERS)]
    groups.append(("key", np.arange(KEYS), KEYS))
    ids: list[tuple[str, str]] = [("", "")]
    ids += [(name, str(one)) for name, _, count in groups for one in range(count)]
    ids += [("model", str(one)) for one in range(MODELS)]

    def added(values: np.ndarray) -> np.ndarray:
        by_key = values.sum(axis=1)
        rows = [by_key.sum(axis=0)[None]]
        for _, owner, count in groups:
            rows.append(np.stack([by_key[owner == one].sum(axis=0) for one in range(count)]))
        return np.concatenate([*rows, values.sum(axis=0)])

    figures = {
        "requests": traffic.requests,
        "cost_usd": traffic.cost,
        "tokens": traffic.tokens,
        "failures": traffic.failures,
        "log_ms": traffic.log_ms,
        "timed": traffic.requests,
    }
    names = tuple(f"{dimension} {one}".strip() for dimension, one in ids)
    return Series(START, tuple(ids), names, **{name: added(one) for name, one in figures.items()})


def planted(seed: int, traffic: Traffic, kind: str) -> tuple[Traffic, Planted]:
    """The traffic with one event of this kind in its last week, about a busy entity."""
    rng = default_rng(seed * 100 + KINDS.index(kind))
    hours = traffic.requests.shape[2]
    first = hours - int(rng.integers(10, 100))
    first += (10 - first % 24) % 24  # at ten in the morning
    first = min(first, hours - 6)
    end = min(first + int(rng.integers(4, 9)), hours)
    if kind in ("price", "failures", "slow"):
        return _of_a_model(rng, traffic, kind, first, end)
    busy = np.argsort(-_usual(traffic, first))[:8]
    return _of_a_key(rng, traffic, kind, int(rng.choice(busy)), first, end)


def _usual(traffic: Traffic, first: int) -> np.ndarray:
    earlier = [first - WEEK_H * step + hour for step in (1, 2, 3) for hour in range(4)]
    return traffic.requests.sum(axis=1)[:, earlier].min(axis=1)


def _of_a_key(
    rng: Generator, traffic: Traffic, kind: str, key: int, first: int, end: int
) -> tuple[Traffic, Planted]:
    own = (key, slice(None), slice(first, end))
    changed = {
        name: getattr(traffic, name).copy() for name in ("requests", "cost", "tokens", "log_ms")
    }
    if kind == "drop":
        for values in changed.values():
            values[own] = 0.0
    elif kind == "spike":
        factor = float(rng.uniform(5, 12))
        for values in changed.values():
            values[own] = (
                np.round(values[own] * factor)
                if values is changed["requests"]
                else values[own] * factor
            )
    else:  # a loop: 120 requests an hour with long prompts, whatever else the key does
        model = int(np.argmax(traffic.requests[key].sum(axis=1)))
        loop = (key, model, slice(first, end))
        changed["requests"][loop] += 120
        price = traffic.cost[key, model].sum() / traffic.tokens[key, model].sum()
        changed["tokens"][loop] += 120 * 60_000
        changed["cost"][loop] += 120 * 60_000 * price
        changed["log_ms"][loop] += 120 * 8.0 * PARTS_OF_LOG
    owners = (("user", str(traffic.user[key])), ("team", str(traffic.team[key])))
    return replace(traffic, **changed), Planted(kind, (("key", str(key)), *owners), first, end)


def _of_a_model(
    rng: Generator, traffic: Traffic, kind: str, first: int, end: int
) -> tuple[Traffic, Planted]:
    busy = np.argsort(-traffic.requests.sum(axis=0)[:, first:end].min(axis=1))[:3]
    model = int(rng.choice(busy))
    end = traffic.requests.shape[2] if kind == "price" else end
    own = (slice(None), model, slice(first, end))
    about = Planted(kind, (("model", str(model)),), first, end)
    if kind == "price":
        cost = traffic.cost.copy()
        cost[own] *= float(rng.uniform(1.8, 3.0))
        return replace(traffic, cost=cost), about
    if kind == "slow":
        log_ms = traffic.log_ms.copy()
        log_ms[own] += traffic.requests[own] * np.log(rng.uniform(3, 6)) * PARTS_OF_LOG
        return replace(traffic, log_ms=log_ms), about
    failed = traffic.failures.copy()
    failed[own] = rng.binomial(traffic.requests[own].astype(int), rng.uniform(0.25, 0.6))
    return replace(traffic, failures=failed), about


def found_in(one: Series) -> list[Episode]:
    """The anomalies of the last week."""
    compared = compared_by(one.hours)
    if compared is None:
        return []
    return events(one, worth_a_finding(one, episodes(one, compared)))


def is_found(one: Series, found: Sequence[Episode], event: Planted) -> bool:
    """Is the event found, in its hours and about its entity, or its only owner or user?"""
    return any(
        _is_about(one, episode, event)
        for episode in found
        if episode.first < event.end and event.first < episode.end
    )


def _is_about(one: Series, episode: Episode, event: Planted) -> bool:
    return one.ids[episode.entity] in event.about


def main(first: int) -> None:
    """Print false alarms a week, and precision and recall of each kind of event."""
    alarms = []
    seeds = range(first, first + SEEDS)
    for seed in seeds:
        one = series(quiet(seed))
        alarms.append(len(found_in(one)))
    entities = len(one.ids)
    rate = sum(alarms) / len(alarms) * 100 / entities
    print(f"quiet: {alarms} in a week, of {entities} entities: {rate:.2f} a week per 100 entities")
    for kind in KINDS:
        hits = others = 0
        for seed in seeds:
            base = quiet(seed)
            known = {_name(series(base), each) for each in found_in(series(base))}
            traffic, event = planted(seed, base, kind)
            changed = series(traffic)
            found = found_in(changed)
            hits += is_found(changed, found, event)
            others += sum(
                not _is_about(changed, each, event) and _name(changed, each) not in known
                for each in found
            )
        print(f"{kind}: recall {hits / SEEDS:.2f}, precision {hits / max(hits + others, 1):.2f}")


def _name(one: Series, episode: Episode) -> tuple[str, tuple[str, str]]:
    return episode.measure, one.ids[episode.entity]


if __name__ == "__main__":
    began = datetime.now(UTC)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"{(datetime.now(UTC) - began) / timedelta(seconds=1):.0f} s")
