"""Two histories of one conversation side by side: what was kept, changed, moved, added, removed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from tracelib.conversation.canonical import Item, Key
from tracelib.conversation.vocabulary import common_share

Fate = Literal["kept", "changed", "moved"]

# Of the words of the shorter text: an edited question, or one without the text retrieved for it.
ALIKE = 0.5


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

    Items are kept where they are the same in the same order. Between kept ones, items of one kind
    that have the same place, the same call or most words in common are changed. A kept item that
    is in another place is moved. `is_closed` where what follows both is the same, too; else what
    comes after the last kept item is left to `continued`.
    """
    kept = _kept(known, sent)
    bounds = [(-1, -1), *kept]
    if is_closed:
        bounds.append((len(known), len(sent)))
    matches = [Match(j, i, "kept") for i, j in kept]
    for (i1, j1), (i2, j2) in zip(bounds, bounds[1:], strict=False):
        gap = _changed(known, sent, range(i1 + 1, i2), range(j1 + 1, j2))
        matches += [Match(j, i, "changed") for i, j in gap]
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
    last = max((at for at, item in enumerate(sent) if item.kind == "words"), default=-1)
    if last == len(sent) - 1:
        last = max((at for at in range(last) if sent[at].kind == "words"), default=-1)
    matches: list[Match] = []
    start = 0
    for at, item in enumerate(sent[: last + 1]):
        found = _follows(known, start, item)
        if found is None:
            break
        fate: Fate = "kept" if is_same(known[found], item) else "changed"
        matches.append(Match(at, found, fate))
        start = found + 1
    is_answered = [sent[match.sent].kind == "words" for match in matches]
    return tuple(matches[: len(is_answered) - _trailing(is_answered)])


def is_same(one: Item, other: Item) -> bool:
    """Is this the same item, in whatever spelling?"""
    keys = {*other.keys, *other.extra_keys}
    return any(key in keys for key in (*one.keys, *one.extra_keys))


def is_alike(one: Item, other: Item) -> bool:
    """Have these two texts most words in common?"""
    return one.kind == other.kind and common_share(one.vocabulary, other.vocabulary) >= ALIKE


def _trailing(is_answered: Sequence[bool]) -> int:
    """How many items stand after the last answer?"""
    return next((at for at, one in enumerate(reversed(is_answered)) if one), len(is_answered))


def _follows(known: Sequence[Item], start: int, item: Item) -> int | None:
    """The next known item of this kind, if it is the same or may be this one before a change."""
    reach = range(start, _next_question(known, start) if item.kind == "words" else len(known))
    nearest = next((at for at in reach if known[at].kind in (item.kind, "user", "words")), None)
    tests = (is_same, is_alike)
    found = (at for test in tests for at in reach if test(known[at], item))
    if item.kind == "words":
        answered = nearest is not None and known[nearest].kind == "words"
        return next(found, nearest if answered else None)
    is_it = nearest is not None and any(test(known[nearest], item) for test in tests)
    return nearest if is_it else None


def _next_question(known: Sequence[Item], start: int) -> int:
    return next((at for at in range(start, len(known)) if known[at].kind == "user"), len(known))


def _kept(known: Sequence[Item], sent: Sequence[Item]) -> list[tuple[int, int]]:
    old, new = _numbered(known, sent)
    start = _same_at_start(old, new)
    rest_old, rest_new = old[start:], new[start:]
    end = _same_at_start(rest_old[::-1], rest_new[::-1])
    middle_old, middle_new = rest_old[: len(rest_old) - end], rest_new[: len(rest_new) - end]
    pairs = [(at, at) for at in range(start)]
    if middle_old and middle_new:
        matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=False)
        for block in matcher.get_matching_blocks():
            run = range(block.size)
            pairs += [(start + block.a + at, start + block.b + at) for at in run]
    first_old, first_new = len(old) - end, len(new) - end
    return pairs + [(first_old + at, first_new + at) for at in range(end)]


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


def _changed(
    known: Sequence[Item], sent: Sequence[Item], old: range, new: range
) -> Iterator[tuple[int, int]]:
    """Pairs of one item before and after a change, between two kept ones."""
    kinds = [[known[i].kind for i in old], [sent[j].kind for j in new]]
    if kinds[0] == kinds[1]:
        yield from zip(old, new, strict=True)
        return
    left = list(old)
    for j in new:
        found = next((i for i in left if _is_changed(known[i], sent[j])), None)
        if found is not None:
            left = [i for i in left if i > found]
            yield found, j


def _is_changed(old: Item, new: Item) -> bool:
    if old.kind != new.kind:
        return False
    return (old.call_id is not None and old.call_id == new.call_id) or is_alike(old, new)


def moved(
    known: Sequence[Item], sent: Sequence[Item], taken: Collection[int]
) -> tuple[Match, ...]:
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
