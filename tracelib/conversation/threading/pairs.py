"""Pairs of items of two histories in the order of both: equal ones, and changed ones."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from tracelib.conversation.threading.canonical import Item, Key
from tracelib.conversation.threading.spellings import Numbers, numbers_of, share_of

# Of the words of the shorter text: an edited question, or one without its retrieved text.
ALIKE = 0.5
SHORT = 20  # characters; shorter texts are often repeated: "Go on."
MOST_COMPARISONS = 100_000


def in_order(known: Sequence[Item], sent: Sequence[Item]) -> list[tuple[int, int]]:
    """Pairs of items that are equal or similar, in the order of both, as many as possible."""
    old, new = _numbered(known, sent)
    start = _same_at_start(old, new)
    end = _same_at_start(old[start:][::-1], new[start:][::-1])
    left, right = slice(start, len(old) - end), slice(start, len(new) - end)
    if len(old[left]) * len(new[right]) <= MOST_COMPARISONS:
        weights = _weights(known[left], sent[right], old[left], new[right])
        middle = _heaviest(weights, len(new[right]))
    else:
        middle = _in_runs(known[left], sent[right])
    pairs = [(at, at) for at in range(start)]
    pairs += [(start + i, start + j) for i, j in middle]
    return pairs + [(len(old) - end + at, len(new) - end + at) for at in range(end)]


def _weights(
    known: Sequence[Item], sent: Sequence[Item], old: Sequence[int], new: Sequence[int]
) -> list[list[float]]:
    """How strongly does each pair match? 0 for no match."""
    words = [numbers_of(item.vocabulary) for item in sent]
    return [
        [
            _weight(item, other, number == another, own, theirs) if item.kind == other.kind else 0.0
            for other, another, theirs in zip(sent, new, words, strict=True)
        ]
        for item, number, own in zip(
            known, old, (numbers_of(item.vocabulary) for item in known), strict=True
        )
    ]


def _weight(old: Item, new: Item, is_equal: bool, own: Numbers, theirs: Numbers) -> float:
    if is_equal:
        return 3.0 if old.size > SHORT else 2.0
    if old.call_id is not None and old.call_id == new.call_id:
        return 4.0
    share = share_of(own, theirs) if own and theirs else 0.0
    return 1.0 + share / 2 if share >= ALIKE else 0.0


def _heaviest(weights: Sequence[Sequence[float]], width: int) -> list[tuple[int, int]]:
    """The pairs with the highest total weight; the last of equals, as old messages are dropped."""
    best = [[0.0] * (width + 1)]
    for row in reversed(weights):
        below, here = best[-1], [0.0] * (width + 1)
        for j in range(width - 1, -1, -1):
            skipped = max(here[j + 1], below[j])
            here[j] = max(skipped, row[j] + below[j + 1]) if row[j] else skipped
        best.append(here)
    best.reverse()
    pairs, i, j = [], 0, 0
    while i < len(weights) and j < width:
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _in_runs(known: Sequence[Item], sent: Sequence[Item]) -> list[tuple[int, int]]:
    """As `in_order` for histories too long to weigh: only items between equal runs are."""
    old, new = _numbered(known, sent)
    calls: dict[tuple[str, str], int] = {}
    runs = _longest(_by_call(known, old, calls), _by_call(sent, new, calls))
    pairs = []
    for (i1, j1), (i2, j2) in pairwise([(-1, -1), *runs, (len(known), len(sent))]):
        left, right = slice(i1 + 1, i2), slice(j1 + 1, j2)
        if 0 < (i2 - i1 - 1) * (j2 - j1 - 1) <= MOST_COMPARISONS:
            weights = _weights(known[left], sent[right], old[left], new[right])
            between = _heaviest(weights, len(new[right]))
            pairs += [(i1 + 1 + i, j1 + 1 + j) for i, j in between]
        if i2 < len(known):
            pairs.append((i2, j2))
    return pairs


def _by_call(
    items: Sequence[Item], numbers: Sequence[int], calls: dict[tuple[str, str], int]
) -> list[int]:
    """The numbers of these items, equal for items of one call.

    `calls` has the numbers of earlier calls.
    """
    return [
        calls.setdefault((item.kind, item.call_id), number) if item.call_id else number
        for item, number in zip(items, numbers, strict=True)
    ]


def _longest(old: Sequence[int], new: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of equal numbers in the longest runs."""
    matcher = SequenceMatcher(None, old[::-1], new[::-1], autojunk=False)
    return [
        (len(old) - 1 - block.a - at, len(new) - 1 - block.b - at)
        for block in reversed(matcher.get_matching_blocks())
        for at in reversed(range(block.size))
    ]


def _numbered(*histories: Sequence[Item]) -> list[list[int]]:
    """A number for each item, equal for items that share a key."""
    numbers: dict[Key, int] = {}
    found = []
    for history in histories:
        row = []
        for item in history:
            keys = (*item.keys, *item.extra_keys)
            number = next((numbers[key] for key in keys if key in numbers), len(numbers))
            for key in item.keys:
                numbers.setdefault(key, number)
            row.append(number)
        found.append(row)
    return found


def _same_at_start(old: Sequence[int], new: Sequence[int]) -> int:
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))
