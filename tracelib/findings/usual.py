"""What is usual at an hour: the median of the same hours of earlier weeks, and how far they differ.

Figures are compared as logarithms: twice as much is as far from usual as half as much.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelib.findings.hourly import Values

Flags = NDArray[np.bool_]
DAY_H, WEEK_H = 24, 168
# Of a normal distribution: the standard deviation in median absolute deviations.
OF_MAD = 1.4826
# Below so many hours with a value there is no usual spread.
FEWEST = 20
LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class Compared:
    """Which earlier hours an hour is compared with, and which hours are judged.

    The same hour and its two neighbours, `steps` times `step_h` hours earlier. The last `judged`
    hours are judged.
    """

    step_h: int
    steps: int
    judged: int


BY_WEEK = Compared(WEEK_H, 4, WEEK_H)
BY_DAY = Compared(DAY_H, 7, 2 * DAY_H)


def compared_by(history_h: int) -> Compared | None:
    """By what are hours compared if the log has so many? None if it has less than a week.

    >>> [compared_by(hours) for hours in (100, 200, 500)] == [None, BY_DAY, BY_WEEK]
    True
    """
    if history_h < WEEK_H + DAY_H:
        return None
    return BY_DAY if history_h < 2 * WEEK_H + DAY_H else BY_WEEK


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for each entity and hour, as logarithms; NaN where it is unknown.

    `middle` is the median of the earlier hours, `high` and `low` are the second highest and the
    second lowest of the earlier days or weeks, `spread` is that of each entity.
    """

    middle: Values
    high: Values
    low: Values
    spread: Values


def usual(values: Values, compared: Compared, active: Flags | None = None) -> Usual:
    """What is usual for these values, a row per entity and a column per hour?

    NaN is unknown. The spread is that of `active` hours, or of all.
    """
    earlier = _earlier(values, compared)
    entities, hours, steps, _ = earlier.shape
    middle = _medians(earlier.reshape(entities, hours, -1))
    known = ~np.isnan(earlier)
    highs = np.where(known, earlier, -np.inf).max(axis=3)
    lows = np.where(known, earlier, np.inf).min(axis=3)
    high = np.sort(highs, axis=2)[:, :, max(steps - 2, 0)]
    low = np.sort(lows, axis=2)[:, :, min(1, steps - 1)]
    away = np.abs(values - middle)
    if active is not None:
        away = np.where(active | (middle > 0), away, np.nan)
    spread = OF_MAD * _medians(away, FEWEST)
    return Usual(middle, high, low, np.maximum(spread, LEAST_SPREAD)[:, None])


def _earlier(values: Values, compared: Compared) -> Values:
    """The values of earlier hours: entities, hours, steps, and three neighbouring hours."""
    entities, hours = values.shape
    steps = np.arange(1, compared.steps + 1)[:, None] * compared.step_h
    hour = np.arange(hours)[:, None, None] - steps + np.array([-1, 0, 1])
    padded = np.concatenate([values, np.full((entities, 1), np.nan)], axis=1)
    return padded[:, np.where(hour < 0, hours, hour)]


def _medians(values: Values, fewest: int = 1) -> Values:
    """The median along the last axis, of what is known; NaN if fewer values are known."""
    ordered = np.sort(values, axis=-1)  # NaN comes last
    counts = (~np.isnan(values)).sum(axis=-1)
    upper = np.minimum(counts // 2, values.shape[-1] - 1)
    lower = np.maximum((counts - 1) // 2, 0)
    pair = [np.take_along_axis(ordered, at[..., None], -1)[..., 0] for at in (lower, upper)]
    return np.where(counts >= fewest, (pair[0] + pair[1]) / 2, np.nan)


def wilson(part: Values, whole: Values, sign: int, z: float = 2.6) -> Values:
    """The lower (-1) or upper (+1) end of Wilson's interval of a share; NaN of nothing.

    Wilson, Journal of the American Statistical Association 22 (1927), 209.

    >>> [round(float(wilson(np.array([5.0]), np.array([100.0]), s)[0]), 2) for s in (-1, 1)]
    [0.02, 0.14]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = part / whole
        centre = share + z * z / (2 * whole)
        half = z * np.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
        return np.asarray((centre + sign * half) / (1 + z * z / whole))
