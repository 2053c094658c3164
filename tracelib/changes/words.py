"""What changed and what drove it, as a sentence. Names in it are those of the log: plain text."""

from collections.abc import Sequence

from tracelib import formatting
from tracelib.changes.comparing import Comparison
from tracelib.changes.measures import DIMENSIONS, Measure
from tracelib.changes.splitting import Mover, Split
from tracelib.signs import one_line

# A driver is named if it is at least this share of the change.
MOST_OF_IT, SOME_OF_IT = 0.5, 0.2
# A more specific driver is preferred if it explains nearly as much.
NEARLY = 0.8
LONGEST_NAME = 60
NOTHING = "No requests in this time range, nor in the one before."


def headline(measure: Measure, compared: Comparison, splits: Sequence[Split], zone: str) -> str:
    """How did this figure change, and what drove it? One sentence.

    `splits` are those of the measure. If there is nothing to compare with, why not.
    """
    if not compared.before.requests and not compared.now.requests:
        return NOTHING
    if not compared.is_covered:
        return not_covered(compared, zone)
    before, now = measure.value(compared.before), measure.value(compared.now)
    title = measure.declared.title
    if before is None or now is None:
        shown = measure.written(before), measure.written(now)
        return "{} cannot be compared: {} before, {} now.".format(title, *shown)
    if before == now:
        return f"{title} did not change: {measure.written(now)} in both periods."
    by = measure.written_change(now - before)
    percent = formatting.change(float(now), float(before)) if before > 0 else None
    relative = f" ({percent})" if percent else ""
    verb = "rose" if now > before else "fell"
    return f"{title} {verb} by {by} to {measure.written(now)}{relative}: {_cause(measure, splits)}."


def not_covered(compared: Comparison, zone: str) -> str:
    """Why can the two windows not be compared?"""
    begins = formatting.clock(compared.log_begins, zone)
    start = formatting.clock(compared.earlier.start, zone)
    return f"No comparison: the log begins on {begins}, the period to compare with on {start}."


def _cause(measure: Measure, splits: Sequence[Split]) -> str:
    found = driver(splits)
    if found is None:
        return "spread over many, none with a fifth of it"
    part, mover = found
    own, whole = measure.written_change(mover.change), measure.written_change(part.change)
    who = named(mover)
    share = part.share(mover) or 0.0
    if share > 1:
        rest = measure.written_change(part.change - mover.change)
        verb = "fell" if mover.change > 0 else "rose"
        return f"{who}, {own}; everything else {verb} by {rest}"
    return f"{who if share >= MOST_OF_IT else f'most of all {who}'}, {own} of {whole}"


def driver(splits: Sequence[Split]) -> tuple[Split, Mover] | None:
    """Which single group explains the change best? The most specific of those that explain most.

    None if none explains a fifth of it. A dimension with a single value explains nothing.
    """
    found = [(one, _first_with_it(one)) for one in splits if one.movers and _is_several(one)]
    shares = {one.dimension: min(one.share(mover) or 0.0, 1.0) for one, mover in found}
    best = max(shares.values(), default=0.0)
    if best < SOME_OF_IT:
        return None
    least = NEARLY * best
    usable = [pair for pair in found if shares[pair[0].dimension] >= least]
    return min(usable, key=lambda pair: DIMENSIONS.index(pair[0].dimension))


def _first_with_it(one: Split) -> Mover:
    """The largest mover in the direction of the whole; the first if there is none."""
    return max(one.movers, key=lambda mover: one.share(mover) or 0.0)


def _is_several(one: Split) -> bool:
    return one.dimension == "session" or len(one.movers) > 1 or one.others is not None


def named(mover: Mover) -> str:
    """A group as text: what it is, its name, and whether it is new or gone.

    >>> from fractions import Fraction
    >>> from tracelib.changes.measures import Group, Sums
    >>> one = Group("model", "gpt-5", "gpt-5", Sums(), Sums(requests=1))
    >>> named(Mover(one, Fraction(0), Fraction(1), Fraction(1)))
    'the new model gpt-5'
    """
    group = mover.group
    name = formatting.shortened(one_line(group.name or group.id or ""), LONGEST_NAME)
    if group.dimension == "session":
        return f"one session of {name}" if group.key else "one session without a key"
    if group.id is None:
        return f"requests without a {group.dimension}"
    if mover.is_new or mover.is_gone:
        return f"the {'new' if mover.is_new else 'former'} {group.dimension} {name}"
    return f"{group.dimension} {name}"
