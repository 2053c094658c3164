"""Two histories of one conversation side by side: what was kept, changed, moved, added, removed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal

from tracelib.conversation.canonical import Item, Key
from tracelib.conversation.vocabulary import Numbers, common_share, numbers_of, share_of

Fate = Literal["kept", "changed", "moved"]

# Of the words of the shorter text: an edited question, or one without the text retrieved for it.
ALIKE = 0.5
NEARLY_ALL = 0.95
SHORT = 20  # characters of what is said many times: "Go on."
MOST_COMPARISONS = 100_000


@dataclass(frozen=True, slots=True)
class Match:
    """The item at `sent` is the known one at `known`: as it was, changed, or in another place."""

    sent: int
    known: int
    fate: Fate


def align(
    known: Sequence[Item], sent: Sequence[Item], *, is_closed: bool = False
) -> tuple[Match, ...]:
    """Which items of `known` does `sent` hold? In the order of `sent`; the others are new.

    Items are kept where they are the same in the same order, and changed where they have the same
    call or most words in common. Between such ones, items of one kind that are in the same place
    are changed too. A kept item that is in another place is moved. `is_closed` where what follows
    both is the same; else what comes after the last kept item is left to `continued`.
    """
    if not known or not sent:
        return ()
    pairs = _in_order(known, sent)
    bounds = [(-1, -1), *pairs]
    if is_closed:
        bounds.append((len(known), len(sent)))
    for (i1, j1), (i2, j2) in pairwise(bounds):
        pairs += _in_place(known, sent, range(i1 + 1, i2), range(j1 + 1, j2))
    matches = [Match(j, i, _fate(known[i], sent[j])) for i, j in pairs]
    taken = {match.known for match in matches}
    rest = sorted(set(range(len(sent))) - {match.sent for match in matches})
    others = moved(known, [sent[at] for at in rest], taken)
    matches += [replace(match, sent=rest[match.sent]) for match in others]
    return tuple(sorted(matches, key=lambda match: match.sent))


def continued(known: Sequence[Item], sent: Sequence[Item]) -> tuple[Match, ...]:
    """Which of the items that follow a common history are those known to follow it, but changed?

    An answer that is sent back counts as the known one changed, if the question before it is the
    same or was changed. What follows the last answer is new.
    """
    answers = [at for at, item in enumerate(sent[:-1]) if item.kind in ("words", "call")]
    last = max(answers, default=-1)
    matches: list[Match] = []
    start = 0
    for at, item in enumerate(sent[: last + 1]):
        found = _follows(known, start, item)
        if found is None:
            break
        fate: Fate = "kept" if is_same(known[found], item) else "changed"
        matches.append(Match(at, found, fate))
        start = found + 1
    is_answered = [match.sent in answers for match in matches]
    return tuple(matches[: len(is_answered) - _trailing(is_answered)])


def is_same(one: Item, other: Item) -> bool:
    """Is this the same item, in whatever spelling?"""
    return not (
        {*one.keys}.isdisjoint((*other.keys, *other.extra_keys))
        and {*one.extra_keys}.isdisjoint(other.keys)
    )


def is_unchanged(one: Item, other: Item) -> bool:
    """Is this the same item, saying the same? A system prompt is the same one as it changes."""
    return one.keys[0] == other.keys[0] if one.kind == "system" else is_same(one, other)


def is_alike(one: Item, other: Item) -> bool:
    """Have these two texts most words in common?"""
    return one.kind == other.kind and common_share(one.vocabulary, other.vocabulary) >= ALIKE


def holds(longer: Item, shorter: Item) -> bool:
    """Does one text hold all words of the other?"""
    return common_share(longer.vocabulary, shorter.vocabulary) >= NEARLY_ALL


def is_like(one: Item, other: Item) -> bool:
    """Is this the same item, or one with most words in common?"""
    return is_same(one, other) or is_alike(one, other)


def _trailing(is_answered: Sequence[bool]) -> int:
    """How many items stand after the last answer?"""
    return next((at for at, one in enumerate(reversed(is_answered)) if one), len(is_answered))


def _follows(known: Sequence[Item], start: int, item: Item) -> int | None:
    """The next known item that is the same, or may be this one before a change."""
    is_answer = item.kind in ("words", "call")
    reach = range(start, _next_question(known, start) if is_answer else len(known))
    found = (
        at for test in (is_same, is_alike, _is_same_call) for at in reach if test(known[at], item)
    )
    nearest = next((at for at in reach if known[at].kind in (item.kind, "user", "words")), None)
    if item.kind == "words":
        return next(
            found, nearest if nearest is not None and known[nearest].kind == "words" else None
        )
    if item.kind == "call":
        return next(found, None)
    is_it = nearest is not None and is_like(known[nearest], item)
    return nearest if is_it else None


def _is_same_call(one: Item, other: Item) -> bool:
    return one.kind == other.kind and one.call_id is not None and one.call_id == other.call_id


def _next_question(known: Sequence[Item], start: int) -> int:
    return next((at for at in range(start, len(known)) if known[at].kind == "user"), len(known))


def _fate(old: Item, new: Item) -> Fate:
    return "kept" if is_unchanged(old, new) else "changed"


def _in_order(known: Sequence[Item], sent: Sequence[Item]) -> list[tuple[int, int]]:
    """Pairs of items that are the same or alike, in the order of both, as many as there are."""
    old, new = _numbered(known, sent)
    start = _same_at_start(old, new)
    end = _same_at_start(old[start:][::-1], new[start:][::-1])
    left, right = slice(start, len(old) - end), slice(start, len(new) - end)
    if len(old[left]) * len(new[right]) <= MOST_COMPARISONS:
        weights = _weights(known[left], sent[right], old[left], new[right])
        middle = _heaviest(weights, len(new[right]))
    else:
        middle = _longest(old[left], new[right])
    pairs = [(at, at) for at in range(start)]
    pairs += [(start + i, start + j) for i, j in middle]
    return pairs + [(len(old) - end + at, len(new) - end + at) for at in range(end)]


def _weights(
    known: Sequence[Item], sent: Sequence[Item], old: Sequence[int], new: Sequence[int]
) -> list[list[float]]:
    """How much speaks for two items being one? 0 where nothing does."""
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
    """Pairs that weigh most together; of several choices the last, as old messages are dropped."""
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


def _longest(old: Sequence[int], new: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of equal numbers in the longest runs: for histories too long to be weighed."""
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


def _in_place(
    known: Sequence[Item], sent: Sequence[Item], old: range, new: range
) -> Sequence[tuple[int, int]]:
    """Pairs of one item before and after a change: between others, of the same kinds in turn."""
    pairs = list(zip(old, new, strict=False))
    may_be = len(old) == len(new) and all(_may_change(known[i], sent[j]) for i, j in pairs)
    return pairs if may_be else ()


def _may_change(old: Item, new: Item) -> bool:
    has_other_id = old.call_id and new.call_id and old.call_id != new.call_id
    return old.kind == new.kind and not has_other_id


def moved(known: Sequence[Item], sent: Sequence[Item], taken: Collection[int]) -> tuple[Match, ...]:
    """Which of these items are known ones in another place? `taken` are known ones found already.

    Calls and results may come in any order, and some clients put a message behind the newest
    answer each time. A user who says the same again says something new, unless the first one left
    its place between two others.
    """
    left = [at for at in range(len(known)) if at not in taken]
    found = []
    for place, item in enumerate(sent):
        at = next((i for i in left if is_same(known[i], item)), None)
        if at is not None and (known[at].kind != "user" or {at - 1, at + 1} <= set(taken)):
            left.remove(at)
            found.append(Match(place, at, "moved"))
    return tuple(found)
