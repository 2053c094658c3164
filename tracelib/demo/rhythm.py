"""When people and programs work: hours of the day and days of the week in Europe."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType
from zoneinfo import ZoneInfo

HOME = ZoneInfo("Europe/Berlin")

_OFFICE = (0, 0, 0, 0, 0, 0.01, 0.05, 0.25, 0.7, 1, 1.1, 1, 0.6, 0.85, 1.05, 1, 0.85, 0.5, 0.2)
_SHOP = (0.2, 0.1, 0.05, 0.05, 0.05, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.8, 0.8, 0.7, 0.7, 0.7, 0.8)
_SHOP_EVENING = (0.9, 1, 1.1, 1, 0.8, 0.5, 0.3)
_NIGHT = (0.9, 1, 1, 0.7, 0.3)

RHYTHMS: Mapping[str, tuple[tuple[float, ...], float]] = MappingProxyType(
    {
        "office": ((*_OFFICE, 0.1, 0.06, 0.05, 0.03, 0.01), 0.06),
        "shop": ((*_SHOP, *_SHOP_EVENING), 0.8),
        "night": ((*_NIGHT, *(0.0,) * 17, 0.1, 0.5), 0.3),
        "batch": ((0.0, 0.0, 1.0, 0.6, *(0.0,) * 20), 0.5),
    }
)
"""Per rhythm: how busy each local hour is (1 is a busy hour), and the factor at week-ends."""


def busyness(rhythm: str, at: float) -> float:
    """How busy is it, 1 being a busy hour? `at` is in seconds since 1970."""
    local = datetime.fromtimestamp(at, UTC).astimezone(HOME)
    hours, weekend = RHYTHMS[rhythm]
    return hours[local.hour] * (weekend if local.weekday() >= 5 else 1.0)


def poisson(rng: Random, expected: float) -> int:
    """How many happen when `expected` do on average? A Poisson draw.

    >>> poisson(Random(1), 0.0)
    0
    """
    limit, product, drawn = math.exp(-expected), rng.random(), 0
    while product > limit:
        product *= rng.random()
        drawn += 1
    return drawn
