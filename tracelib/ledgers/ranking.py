"""Are the cells that are short those that sort last? Some versions dropped them so."""

from collections.abc import Collection, Set
from math import sqrt

from tracelib.ledgers.cells import Cell, Cells

# LiteLLM wrote this many sorted cells of a flush, and dropped the rest.
WRITTEN = 100
FEWEST_SHORT = 5
# Of a standard normal: once in a thousand by chance, and once in a hundred.
UNLIKELY, SELDOM = 3.09, 2.33


def sorts_last(cells: Set[Cell], log: Cells) -> bool:
    """Are the short cells of a day those that a flush of only the first hundred would drop?

    A flush must have been longer, the short ones must sort last by rank, and others must have been
    added up while they were not: a gateway that was stopped loses all at once.
    """
    others = log.keys() - cells
    if len(cells) < FEWEST_SHORT or len(cells) + len(others) <= WRITTEN or not others:
        return False
    return _rank(cells, others) > UNLIKELY and _is_interleaved(cells, log)


def sort_behind(cells: Set[Cell], others: Set[Cell]) -> bool:
    """Do these cells sort behind the others, as those of a random moment would not?"""
    return bool(cells and others) and _rank(cells, others) > SELDOM


def _rank(cells: Collection[Cell], others: Collection[Cell]) -> float:
    """How far do these cells sort behind the others, in standard deviations of their rank sum?

    >>> from datetime import date
    >>> one, two = (Cell(date(2026, 1, 1), owner, "", "", "", "") for owner in "ab")
    >>> _rank([two], [one]) > 0 > _rank([one], [two])
    True
    """
    m, n = len(cells), len(others)
    place = {cell: rank for rank, cell in enumerate(sorted([*cells, *others]), start=1)}
    above = sum(place[cell] for cell in cells) - m * (m + 1) / 2
    return (above - m * n / 2) / sqrt(m * n * (m + n + 1) / 12)


def _is_interleaved(cells: Collection[Cell], log: Cells) -> bool:
    """Did other cells get requests between the first and the last of the short ones?"""
    starts = [log[cell].first_at for cell in cells]
    ends = [log[cell].last_at for cell in cells]
    first, last = min(filter(None, starts), default=None), max(filter(None, ends), default=None)
    if first is None or last is None:
        return False
    return any(
        at is not None and first < at < last
        for cell, sums in log.items()
        if cell not in cells
        for at in (sums.first_at, sums.last_at)
    )
