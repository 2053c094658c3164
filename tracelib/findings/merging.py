"""One event is one finding: a key that sends more also makes its user, its team, and all more."""

from collections.abc import Iterator, Mapping, Sequence

from tracelib.findings.detection import Episode, Measure
from tracelib.findings.hourly import Series

# An episode is explained by others if these have as much of its excess.
COVERED = 0.6
NEARLY_ALL = 0.8
# Which measure says most of an entity, and which entity of an event, the first first.
MEASURES: Mapping[Measure, int] = {
    "price": 0,
    "cost": 1,
    "failures": 2,
    "drop": 3,
    "latency": 4,
    "requests": 5,
    "tokens": 6,
}
NARROW = ("key", "user", "team", "model", "")
WIDE = ("model", "", "team", "user", "key")
ALL_FIRST = ("", "model", "team", "user", "key")
ORDERS: Mapping[Measure, Sequence[str]] = {
    **dict.fromkeys(MEASURES, NARROW),
    "price": WIDE,
    "latency": WIDE,
    "failures": WIDE,
    "drop": ALL_FIRST,
}
# What more requests, tokens and cost have in common; the others are events of their own.
KINDS: Mapping[Measure, str] = {"cost": "more", "requests": "more", "tokens": "more"}
# The least excess that is worth a finding, in the unit of the measure.
LEAST: Mapping[Measure, float] = {
    "cost": 1.0,
    "price": 1.0,
    "requests": 200.0,
    "tokens": 2_000_000.0,
}
LEAST_SHARE_OF_COST = 0.01


def worth_a_finding(series: Series, found: Sequence[Episode]) -> list[Episode]:
    """Which of these are large, by themselves and next to all cost of the same hours?"""
    return [one for one in found if _is_large(series, one)]


def _is_large(series: Series, one: Episode) -> bool:
    if one.excess < LEAST.get(one.measure, 0.0):
        return False
    if one.measure not in ("cost", "price"):
        return True
    whole = float(series.cost_usd[0, one.first : one.end].sum())
    return one.excess >= LEAST_SHARE_OF_COST * whole


def events(series: Series, found: Sequence[Episode]) -> list[Episode]:
    """Which of these say something that no other does?

    Of one entity, the measure that says most; of one event, the narrowest entity that explains it,
    or for a price, response times and failures the widest.
    """
    taken: list[Episode] = []
    for one in sorted(_of_entities(found), key=lambda one: _order(series, one)):
        others = [other for other in taken if _is_same_kind(one, other) and _overlap(one, other)]
        covered = sum(_in_common(one, other) for other in others)
        if covered < COVERED * one.excess:
            taken.append(_narrowest(series, one, found))
    return taken


def _narrowest(series: Series, one: Episode, found: Sequence[Episode]) -> Episode:
    """The narrowest entity that has nearly all of this excess by itself."""
    inside = [
        other
        for other in found
        if other.measure == one.measure
        and _overlap(one, other)
        and one.excess * NEARLY_ALL <= other.excess <= one.excess / NEARLY_ALL
    ]
    if one.measure in ("latency", "price"):
        return one
    return min(
        [one, *inside],
        key=lambda other: (NARROW.index(series.ids[other.entity][0]), -other.excess),
    )


def _of_entities(found: Sequence[Episode]) -> Iterator[Episode]:
    ranked = sorted(found, key=lambda one: (one.entity, MEASURES[one.measure], one.first))
    taken: list[Episode] = []
    for one in ranked:
        same = [other for other in taken if other.entity == one.entity and _overlap(one, other)]
        if not any(_explains(other, one) for other in same):
            taken.append(one)
    yield from taken


def _explains(other: Episode, one: Episode) -> bool:
    """More cost explains more requests and tokens; a drop explains what comes with it."""
    if _kind(one) == _kind(other):
        return True
    return other.measure == "failures" and one.measure in ("drop", "latency")


def _order(series: Series, one: Episode) -> tuple[int, int, float]:
    dimension = series.ids[one.entity][0]
    return MEASURES[one.measure], ORDERS[one.measure].index(dimension), -one.excess


def _kind(one: Episode) -> str:
    return KINDS.get(one.measure, one.measure)


def _is_same_kind(one: Episode, other: Episode) -> bool:
    """A price that rises also makes keys and teams cost more."""
    return _kind(one) == _kind(other) or (one.measure == "cost" and other.measure == "price")


def _overlap(one: Episode, other: Episode) -> bool:
    return one.first < other.end and other.first < one.end


def _in_common(one: Episode, other: Episode) -> float:
    """How much of the excess of one may be that of the other? Of latency, all of it."""
    if one.measure == "latency":
        return one.excess
    if one.measure == other.measure:
        return other.excess
    if other.measure in ("cost", "price") and one.measure == "cost":
        return other.excess
    return other.actual[one.measure] - other.expected[one.measure]
