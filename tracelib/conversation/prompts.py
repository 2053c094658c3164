"""System prompts as they change from request to request: one prompt, or another one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracelib.conversation.alignment import is_alike, is_same
from tracelib.conversation.canonical import Item
from tracelib.conversation.changes import Change, change_of
from tracelib.conversation.item_tree import ItemTree
from tracelib.conversation.sent import Piece

# So many kinds of system prompts are compared with a new one.
MOST_LINEAGES = 50


@dataclass(frozen=True, slots=True)
class _Lineage:
    name: object
    prompts: tuple[Item, ...]
    start: int


class Lineages:
    """Where the conversations under each kind of system prompt start in the tree."""

    def __init__(self, tree: ItemTree) -> None:
        self._tree = tree
        self._known: list[_Lineage] = []
        self._met = 0

    def start(self, name: object, prompts: tuple[Item, ...]) -> int:
        """The start of conversations of this name under these prompts, or the same ones before."""
        for lineage in reversed(self._known):
            if lineage.name == name and _are_same(lineage.prompts, prompts):
                return lineage.start
        self._met += 1
        start = self._tree.start((name, self._met))
        self._known = [*self._known[1 - MOST_LINEAGES :], _Lineage(name, prompts, start)]
        return start


def are_one_prompt(before: Sequence[Item], prompts: Sequence[Piece]) -> bool:
    """Are these the same prompts as they change? Where there are none, nothing differs."""
    if not before or not prompts:
        return True
    return any(_is_one_prompt(old, new.item) for old in before for new in prompts)


def prompt_changes(before: Sequence[Item], prompts: Sequence[Piece]) -> Iterator[Change]:
    """How do these prompts differ from those of the request before?"""
    for old, new in zip(before, prompts, strict=False):
        if old.keys[0] != new.item.keys[0]:
            yield change_of(old, new.item, new.position)
    if len(before) > len(prompts):
        yield Change("dropped", "system prompt", len(before) - len(prompts))


def _are_same(before: Sequence[Item], after: Sequence[Item]) -> bool:
    return len(before) == len(after) and all(map(is_same, before, after))


def _is_one_prompt(one: Item, other: Item) -> bool:
    return is_same(one, other) or is_alike(one, other)
