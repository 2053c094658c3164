"""Two texts compared line by line, within bounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from tracelib.formatting import counted

LineKind = Literal["same", "removed", "added", "gap"]
Line = tuple[LineKind, str]

MOST_LINES = 1_000
LONGEST_LINE = 500
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class TextDiff:
    """The lines that differ, each with its kind and three unchanged ones around it.

    A `gap` says how many unchanged lines are left out. `is_cut` where the texts differ over
    more lines than are compared: what lies beyond is not shown.
    """

    lines: tuple[Line, ...]
    is_cut: bool


def text_diff(before: str, after: str) -> TextDiff:
    """Which lines were removed, which added?

    A line of more than 500 characters counts as several. At most 1,000 lines of each text are
    compared, from shortly before the first that differs; at the end of a cut comparison a line
    may count as removed that only moved beyond it. Equal texts give no lines.

    >>> text_diff("one\\ntwo", "one\\nthree").lines
    (('same', 'one'), ('removed', 'two'), ('added', 'three'))
    """
    old, new = _lines(before), _lines(after)
    if old == new:
        return TextDiff((), False)
    start = max(0, _same_at_start(old, new) - CONTEXT)
    end = max(0, _same_at_start(old[start:][::-1], new[start:][::-1]) - CONTEXT)
    changed = [lines[start : len(lines) - end] for lines in (old, new)]
    shown = [lines[:MOST_LINES] for lines in changed]
    is_cut = shown != changed
    beyond = 0 if is_cut else end
    return TextDiff(tuple(_compared(shown[0], shown[1], start, beyond)), is_cut)


def _lines(text: str) -> list[str]:
    return [piece for line in text.splitlines() for piece in _pieces(line)]


def _pieces(line: str) -> list[str]:
    starts = range(0, max(len(line), 1), LONGEST_LINE)
    return [line[start : start + LONGEST_LINE] for start in starts]


def _same_at_start(old: Sequence[str], new: Sequence[str]) -> int:
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _compared(old: list[str], new: list[str], skipped: int, beyond: int) -> Iterator[Line]:
    seen = 0
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT):
        yield from _gap(skipped + group[0][1] - seen)
        skipped, seen = 0, group[-1][2]
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (("same", line) for line in old[i1:i2])
                continue
            yield from (("removed", line) for line in old[i1:i2])
            yield from (("added", line) for line in new[j1:j2])
    yield from _gap(len(old) - seen + beyond)


def _gap(lines: int) -> Iterator[Line]:
    if lines:
        yield "gap", counted(lines, "unchanged line")
