"""Two histories of one conversation compared: items kept, changed, moved, added, removed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from tracelib.conversation.threading.canonical import Item
from tracelib.conversation.threading.pairs import ALIKE, in_order
from tracelib.conversation.threading.spellings import common_share

Fate = Literal["kept", "changed", "moved"]

NEARLY_ALL = 0.95


@dataclass(frozen=True, slots=True)
class Match:
    """The item at `sent` is the known one at `known`: kept, changed or moved."""

    sent: int
    known: int
    fate: Fate


def align(
    known: Sequence[Item], sent: Sequence[Item], *, is_closed: bool = False
) -> tuple[Match, ...]:
    """Which items of `known` does `sent` hold? In the order of `sent`; the others are new.

    Items are kept if they are the same in the same order, and changed if they have the same call or
    most words in common. Between these, items of one kind at the same position also count as
    changed. A kept item at another position is moved. `is_closed` if both are followed by the same;
    else what comes after the last kept item is left to `continued`.
    """
    if not known or not sent:
        return ()
    pairs = in_order(known, sent)
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
    """Which of the items after a common history are changed versions of those known to follow it?

    A response that is sent back counts as the known one changed, if the question before it is the
    same or was changed. Items after the last response are new.
    """
    responses = [at for at, item in enumerate(sent[:-1]) if item.kind in ("words", "call")]
    last = max(responses, default=-1)
    matches: list[Match] = []
    start = 0
    for at, item in enumerate(sent[: last + 1]):
        found = _follows(known, start, item)
        if found is None:
            break
        fate: Fate = "kept" if is_same(known[found], item) else "changed"
        matches.append(Match(at, found, fate))
        start = found + 1
    has_response = [match.sent in responses for match in matches]
    return tuple(matches[: len(has_response) - _trailing(has_response)])


def is_same(one: Item, other: Item) -> bool:
    """Is this the same item, in any spelling?"""
    return not (
        {*one.keys}.isdisjoint((*other.keys, *other.extra_keys))
        and {*one.extra_keys}.isdisjoint(other.keys)
    )


def is_unchanged(one: Item, other: Item) -> bool:
    """Is this the same item with the same text?

    A system prompt stays the same item as it changes.
    """
    return one.keys[0] == other.keys[0] if one.kind == "system" else is_same(one, other)


def is_alike(one: Item, other: Item) -> bool:
    """Do these two texts have most words in common?"""
    return one.kind == other.kind and common_share(one.vocabulary, other.vocabulary) >= ALIKE


def holds(longer: Item, shorter: Item) -> bool:
    """Does one text contain all words of the other?"""
    return common_share(longer.vocabulary, shorter.vocabulary) >= NEARLY_ALL


def is_like(one: Item, other: Item) -> bool:
    """Is this the same item, or one with most words in common?"""
    return is_same(one, other) or is_alike(one, other)


def _trailing(has_response: Sequence[bool]) -> int:
    """How many items come after the last response?"""
    return next((at for at, one in enumerate(reversed(has_response)) if one), len(has_response))


def _follows(known: Sequence[Item], start: int, item: Item) -> int | None:
    """The next known item that is the same, or may be this one before a change."""
    is_response = item.kind in ("words", "call")
    reach = range(start, _next_question(known, start) if is_response else len(known))
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


def _in_place(
    known: Sequence[Item], sent: Sequence[Item], old: range, new: range
) -> Sequence[tuple[int, int]]:
    """Pairs of one item before and after a change, between others, of the same kinds in turn."""
    pairs = list(zip(old, new, strict=False))
    may_be = len(old) == len(new) and all(_may_change(known[i], sent[j]) for i, j in pairs)
    return pairs if may_be else ()


def _may_change(old: Item, new: Item) -> bool:
    has_other_id = old.call_id and new.call_id and old.call_id != new.call_id
    return old.kind == new.kind and not has_other_id


def moved(known: Sequence[Item], sent: Sequence[Item], taken: Collection[int]) -> tuple[Match, ...]:
    """Which of these items are known ones at another position? `taken` are those already matched.

    Calls and results may come in any order, results also emptied, and some clients move messages
    behind the newest response each time. If a user repeats a text, it is a new message, unless the
    first one was removed from between two others, alone or with everything there.
    """
    left = [at for at in range(len(known)) if at not in taken]
    found = []
    for place, item in enumerate(sent):
        at = next(
            (i for test in (is_same, _is_same_call) for i in left if test(known[i], item)), None
        )
        if at is not None and (
            known[at].kind != "user" or _was_moved_away(known, sent[place:], taken, at)
        ):
            left.remove(at)
            found.append(Match(place, at, "moved" if is_same(known[at], item) else "changed"))
    return tuple(found)


def _was_moved_away(
    known: Sequence[Item], sent: Sequence[Item], taken: Collection[int], at: int
) -> bool:
    """Do the items from this known one to the next that was found begin what was sent?

    A single one at the very beginning was dropped rather than moved.
    """
    end = next((i for i in range(at, len(known)) if i in taken), at)
    gone = range(at, end)
    return (
        (at - 1 in taken or (at == 0 and len(gone) > 1))
        and 0 < len(gone) <= len(sent)
        and all(is_same(known[i], item) for i, item in zip(gone, sent, strict=False))
    )
