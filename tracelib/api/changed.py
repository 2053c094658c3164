"""What changed against the window before, for programs."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from tracelib import changes
from tracelib.api import change_responses as responses
from tracelib.api import params
from tracelib.api.caller import Caller
from tracelib.api.values import window
from tracelib.changes import MEASURES, Comparison, Marker, Measure, Mover, Split
from tracelib.filters import Filters

FRACTION_DIGITS = 15


def what_changed(caller: Caller, given: params.Changed) -> responses.Changes:
    """How did a figure change against the window before, and what drove it?"""
    filters, measure = given.filters(caller.now), MEASURES[given.measure]
    own = Filters(filters.window, filters.zone, filters.range)
    found, sessions, *markers = caller.query_together(
        (changes.comparison, filters),
        (changes.changed_sessions, filters, given.measure),
        *((one, own) for one in changes.MARKERS if given.markers),
    )
    splits = changes.splits(measure, found, sessions) if found.is_covered else ()
    return responses.Changes(
        window=window(found.window),
        previous=window(found.earlier),
        measure=given.measure,
        headline=changes.headline(measure, found, splits, given.zone),
        is_comparable=found.is_covered,
        log_begins=found.log_begins,
        before=_number(measure.value(found.before)),
        now=_number(measure.value(found.now)),
        cost_effects=_effects(found) if _is_of_cost(measure, found) else None,
        dimensions=list(map(_dimension, splits)),
        markers=_markers(markers, filters) if given.markers else None,
    )


def _markers(found: Iterable[Iterable[Marker]], filters: Filters) -> list[responses.Marker]:
    return [
        responses.Marker(at=one.at, kind=one.kind, what=one.words, model=one.model)
        for one in changes.of_models((one for part in found for one in part), filters.model)
    ]


def _is_of_cost(measure: Measure, found: Comparison) -> bool:
    return measure.figure == "cost_usd" and found.is_covered


def _effects(found: Comparison) -> responses.Effects:
    effects = changes.cost_effects((found.before, found.now), found.of("model"))
    return responses.Effects(
        requests=_exact(effects.requests),
        tokens_per_request=_exact(effects.size),
        dollars_per_token=_exact(effects.price),
        new_models=_exact(effects.new_models),
        gone_models=_exact(effects.gone_models),
    )


def _dimension(split: Split) -> responses.Dimension:
    return responses.Dimension(
        dimension=split.dimension,
        movers=[_mover(split, one) for one in split.movers],
        others=_others(split),
    )


def _others(split: Split) -> responses.Others | None:
    others = split.others
    if others is None:
        return None
    return responses.Others(
        values=split.others_count,
        before=_number(others.before),
        now=_number(others.now),
        change=float(others.change),
    )


def _mover(split: Split, mover: Mover) -> responses.Mover:
    group = mover.group
    return responses.Mover(
        name=group.name,
        session_id=group.id if group.dimension == "session" else None,
        before=_number(mover.before),
        now=_number(mover.now),
        change=float(mover.change),
        share=split.share(mover),
        mix=_number(mover.mix),
        rate=_number(mover.rate),
        is_new=mover.is_new,
        is_gone=mover.is_gone,
    )


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _exact(amount: Fraction) -> str:
    """The amount, which has at most 15 decimals, with all its digits."""
    scaled = round(amount * 10**FRACTION_DIGITS)
    return f"{Decimal(scaled).scaleb(-FRACTION_DIGITS):f}"
