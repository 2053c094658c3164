"""Which hours of which entities are not usual: robust z, ratio and size must all be exceeded.

Plain arithmetic on counts: the same counts give the same hours. What these gates cost in false
alarms, and what they find, is in docs/findings.md, as measured by benchmarks/findings_backtest.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tracelib.findings.hourly import PARTS_OF_LOG, Series, Values
from tracelib.findings.usual import FEWEST, Compared, Flags, usual, wilson

Measure = Literal["cost", "requests", "tokens", "drop", "failures", "latency", "price"]
# How many deviations from usual each hour of a run must be, and all together by Stouffer's sum:
# that of the hours divided by the root of their number.
RAISED, TOGETHER = 2.3, 6.0
# How many times as much as usual, and as the second highest of the earlier weeks.
RATIO, ABOVE_HIGH = 2.0, 1.2
# An hour with so many times the highest one of all history is not usual in any case.
OF_RECORD = 5.0
# Of a count of events: a single request may cost many times as much as another.
NOISE: Mapping[str, float] = {"cost": 4.0, "tokens": 4.0, "requests": 1.0}
FEWEST_REQUESTS = 20
# A drop is to less than this share of usual, where at least so many requests are usual.
DROPPED_TO, USUAL_BEFORE_DROP = 0.25, 15.0
LEAST_MORE_FAILURES, LEAST_MORE_SHARE = 10.0, 0.05
LATENCY_RATIO, LEAST_MORE_MS = 2.0, 1_000.0
PRICE_RATIO = 1.25
# So many hours that are usual between two that are not do not end it.
BRIDGED_H = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """Which hours are raised above what is usual, by how many deviations, and what is usual.

    `certain` hours need no others next to them.
    """

    raised: Flags
    z: Values
    expected: Values
    certain: Flags


@dataclass(frozen=True, slots=True)
class Episode:
    """Hours in a row in which a measure of an entity was not usual: `first` up to `end`.

    `is_ongoing` if it is not over. `excess` is in the unit of the measure; `expected` are the
    usual cost, requests and tokens of these hours together, `actual` what they were.
    """

    measure: Measure
    entity: int
    first: int
    end: int
    is_ongoing: bool
    excess: float
    expected: Mapping[str, float]
    actual: Mapping[str, float]


def known_hours(series: Series) -> Flags:
    """In which hours does the log have any request? In others the proxy was down, or not there."""
    return np.asarray(series.requests[0] > 0)


def episodes(series: Series, compared: Compared) -> list[Episode]:
    """In which hours of the judged ones was which measure of which entity not usual?"""
    known = _known(series)
    figures: Mapping[Measure, Values] = {
        "cost": series.cost_usd,
        "requests": series.requests,
        "tokens": series.tokens,
    }
    judged: dict[Measure, Judged] = {}
    usual_of: dict[str, Values] = {}
    for name, values in figures.items():
        count = Counts.of(values, series, known, compared, NOISE[name])
        judged[name] = count.more()
        usual_of[name] = judged[name].expected
        if name == "requests":
            judged["drop"] = count.less()
    judged["failures"] = _failures(series, known, compared)
    judged["latency"] = _latency(series, known, compared, usual_of["requests"])
    judged["price"] = _price(series, known, compared, usual_of["tokens"])
    return [
        _measured(series, measure, *run, one.expected, usual_of)
        for measure, one in judged.items()
        for run in _runs(one, compared, known, NEEDED_H[measure])
    ]


# How many hours must be far from usual; one is enough if it is very far.
NEEDED_H: Mapping[Measure, int] = {
    "cost": 2,
    "requests": 2,
    "tokens": 2,
    "drop": 2,
    "failures": 2,
    "latency": 3,
    "price": 3,
}


def _known(series: Series) -> Flags:
    """In which hours is an entity known: since its first request, while the log has any?"""
    has_begun = np.maximum.accumulate(series.requests > 0, axis=1)
    return np.asarray(has_begun & known_hours(series)[None, :])


@dataclass(frozen=True, slots=True)
class Counts:
    """A figure that adds up, as logarithms of multiples of what one request usually has."""

    values: Values
    logs: Values
    unit: Values
    middle: Values
    high: Values
    low: Values
    spread: Values
    record: Values
    is_tested: Flags

    @classmethod
    def of(
        cls, values: Values, series: Series, known: Flags, compared: Compared, noise: float
    ) -> "Counts":
        """The logarithms of these values, and what is usual for them."""
        total, requests = np.maximum(values, 0).sum(axis=1), series.requests.sum(axis=1)
        unit = np.where(total > 0, total / np.maximum(requests, 1), 1.0)[:, None]
        logs = np.where(known, np.log1p(np.maximum(values, 0) / unit), np.nan)
        found = usual(logs, compared, active=values > 0)
        spread = np.sqrt(found.spread**2 + noise / (1 + np.expm1(found.middle)))
        before = values[:, : -compared.judged]
        has_history = (known[:, : -compared.judged].sum(axis=1) >= compared.step_h)[:, None]
        return cls(
            values,
            logs,
            unit,
            found.middle,
            found.high,
            found.low,
            spread,
            np.where((before > 0).sum(axis=1) >= FEWEST, before.max(axis=1), np.inf)[:, None],
            has_history & known,
        )

    @property
    def expected(self) -> Values:
        """What is usual, in the unit of the values; 0 where it is unknown."""
        return np.nan_to_num(np.expm1(self.middle) * self.unit)

    def more(self) -> Judged:
        """Which hours have more than usual?"""
        high = np.expm1(np.maximum(self.high, 0)) * self.unit
        z = (self.logs - self.middle) / self.spread
        is_more = (self.values >= RATIO * self.expected) & (self.values >= ABOVE_HIGH * high)
        is_record = self.is_tested & (self.values >= OF_RECORD * self.record)
        raised = (self.is_tested & is_more & (z >= RAISED)) | is_record
        return Judged(raised, z, self.expected, is_record)

    def less(self) -> Judged:
        """Which hours have far less than usual, though much is usual?"""
        low = np.expm1(np.where(np.isfinite(self.low), self.low, 0)) * self.unit
        z = (self.middle - self.logs) / self.spread
        is_less = (self.values <= DROPPED_TO * self.expected) & (self.values < low / 2)
        is_many = self.expected >= USUAL_BEFORE_DROP
        raised = self.is_tested & is_less & is_many & (z >= RAISED)
        return Judged(raised, z, self.expected, np.zeros_like(raised))


def _failures(series: Series, known: Flags, compared: Compared) -> Judged:
    """Which hours have a share of failures beyond chance, and beyond nearly all hours before?"""
    failed, requests = series.failures, series.requests
    before = slice(None, -compared.judged)
    enough = requests >= FEWEST_REQUESTS
    usual_share = failed[:, before].sum(axis=1) / np.maximum(requests[:, before].sum(axis=1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(enough & known, failed / requests, np.nan)
    seen = np.isfinite(shares[:, before]).sum(axis=1) >= FEWEST
    high = np.full(len(failed), np.inf)
    if seen.any():
        high[seen] = np.nanquantile(shares[seen][:, before], 0.98, axis=1)
    expected = usual_share[:, None] * requests
    least = np.maximum(RATIO * usual_share, ABOVE_HIGH * high)[:, None]
    raised = (
        known
        & enough
        & (wilson(failed, requests, -1) > least)
        & (failed - expected >= LEAST_MORE_FAILURES)
        & (np.nan_to_num(shares) - usual_share[:, None] >= LEAST_MORE_SHARE)
    )
    certain = raised & (failed - expected >= 5 * LEAST_MORE_FAILURES)
    return Judged(raised, np.full_like(expected, TOGETHER), expected, certain)


def _latency(series: Series, known: Flags, compared: Compared, usual_requests: Values) -> Judged:
    """Which hours of a model or key have twice the usual response time, as a geometric mean?

    Not if there were more requests than usual: then others wait for another kind of response.
    """
    is_one = np.array([dimension in ("model", "key") for dimension, _ in series.ids])[:, None]
    enough = known & is_one & (series.timed >= FEWEST_REQUESTS)
    enough &= series.requests < RATIO * usual_requests
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(enough, series.log_ms / series.timed / PARTS_OF_LOG, np.nan)
    return _of_level(logs, series.timed, compared, LATENCY_RATIO, LEAST_MORE_MS)


def _price(series: Series, known: Flags, compared: Compared, usual_tokens: Values) -> Judged:
    """In which hours did a token of a model cost more than usual?

    Not if it was used more than usual: then others use it, at another mix of tokens.
    """
    of_model = np.array([dimension == "model" for dimension, _ in series.ids])[:, None]
    has_price = (series.requests >= FEWEST_REQUESTS) & (series.cost_usd > 0) & (series.tokens > 0)
    has_price &= series.tokens < RATIO * usual_tokens
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(series.cost_usd / series.tokens)
    logs = np.where(known & of_model & has_price, logs, np.nan)
    return _of_level(logs, series.requests, compared, PRICE_RATIO, 0.0)


def _of_level(
    logs: Values, counts: Values, compared: Compared, ratio: float, least: float
) -> Judged:
    """Which hours are above the usual level by this ratio, and by this much?"""
    found = usual(logs, compared)
    history = logs[:, : -compared.judged]
    is_known = np.isfinite(history).sum(axis=1) >= FEWEST
    level = np.full(len(logs), np.nan)
    if is_known.any():
        level[is_known] = np.nanmedian(history[is_known], axis=1)
    middle = np.where(np.isnan(found.middle), level[:, None], found.middle)
    spread = np.sqrt(found.spread**2 + 1 / np.maximum(counts, 1))
    high = np.where(np.isfinite(found.high), found.high, middle)
    with np.errstate(invalid="ignore"):
        z = (logs - middle) / spread
        raised = (
            (z >= RAISED)
            & is_known[:, None]
            & (logs - middle >= np.log(ratio))
            & (logs > high + np.log(ratio) / 2)
            & (np.exp(logs) - np.exp(middle) >= least)
        )
    return Judged(raised, z, np.exp(middle), np.zeros_like(raised))


def _runs(
    one: Judged, compared: Compared, known: Flags, needed_h: int
) -> Iterator[tuple[int, int, int, bool]]:
    """The entity, the first hour, the end, and whether it is ongoing, of each run of hours."""
    hours = one.raised.shape[1]
    begin = hours - compared.judged
    for entity in np.flatnonzero(one.raised[:, begin:].any(axis=1)):
        flagged = begin + np.flatnonzero(one.raised[entity, begin:])
        starts = np.flatnonzero(np.diff(flagged, prepend=-hours) > BRIDGED_H + 1)
        for run in np.split(flagged, starts[1:]):
            together = one.z[entity, run].sum() / np.sqrt(len(run))
            is_far = together >= TOGETHER and (len(run) >= needed_h)
            if is_far or one.certain[entity, run].any():
                end = int(run[-1]) + 1
                later = int(known[entity, end:].sum())
                yield int(entity), int(run[0]), end, later <= BRIDGED_H


def _measured(
    series: Series,
    measure: Measure,
    entity: int,
    first: int,
    end: int,
    is_ongoing: bool,
    expected: Values,
    usual_of: Mapping[str, Values],
) -> Episode:
    own = slice(first, end)
    figures = {
        "cost": series.cost_usd,
        "requests": series.requests,
        "tokens": series.tokens,
        "failures": series.failures,
        "log_ms": series.log_ms,
        "timed": series.timed,
    }
    actual = {name: float(values[entity, own].sum()) for name, values in figures.items()}
    usually = {name: float(values[entity, own].sum()) for name, values in usual_of.items()}
    level = expected[entity, own]
    excess: Mapping[Measure, Callable[[], float]] = {
        "drop": lambda: usually["requests"] - actual["requests"],
        "failures": lambda: actual["failures"] - float(level.sum()),
        "latency": lambda: float(np.nanmean(level)),
        "price": lambda: actual["cost"] - float(np.nansum(level * series.tokens[entity, own])),
    }
    if measure in ("failures", "latency", "price"):
        usually[measure] = float(level.sum() if measure == "failures" else np.nanmean(level))
    value = excess[measure]() if measure in excess else actual[measure] - usually[measure]
    return Episode(measure, entity, first, end, is_ongoing, value, usually, actual)
