"""How a request's history differs from the conversation before: changes, prompts, summaries."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tracelib.conversation.threading.alignment import align, holds, is_alike, is_same
from tracelib.conversation.threading.canonical import Item
from tracelib.conversation.threading.item_tree import ItemTree
from tracelib.conversation.threading.sent import Piece
from tracelib.conversation.threading.spellings import differing_words, numbers_of
from tracelib.formatting import counted

ChangeKind = Literal[
    "changed", "emptied", "dropped_start", "dropped", "inserted", "other_prompt", "summary"
]

# A result that shrinks to less than this share was emptied, not edited.
_EMPTIED = 0.5
_NAMES = {
    "system": "System prompt",
    "user": "User message",
    "words": "Answer",
    "call": "Tool call",
    "result": "Tool result",
    "other": "Answer",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, or several alike.

    `messages` are the positions of the new texts in the request, for changed messages only.
    Inserted messages are among the new ones of the request.
    """

    kind: ChangeKind
    subject: str  # what changed, as text: "System prompt"
    count: int = 1
    messages: tuple[int, ...] = ()
    words_removed: int = 0
    words_added: int = 0

    @property
    def sentence(self) -> str:
        """The change as a sentence.

        >>> Change("emptied", "Tool result", 3).sentence
        '3 tool results emptied'
        >>> Change("dropped_start", "message", 20).sentence
        'Starts later: 20 messages no longer sent'
        >>> Change("changed", "System prompt", words_removed=4, words_added=9).sentence
        'System prompt changed: 9 words added, 4 removed'
        """
        several = counted(self.count, self.subject.lower())
        match self.kind:
            case "dropped_start":
                return f"Starts later: {several} no longer sent"
            case "dropped":
                return f"{several} left out"
            case "inserted":
                return f"{several} inserted among earlier ones"
            case "emptied":
                return f"{several} emptied"
            case "summary":
                return "Starts from a summary of the conversation so far"
            case "other_prompt":
                return "Same conversation with another system prompt"
        if self.count > 1:
            return f"{several} changed"
        return f"{self.subject} changed{self._extent()}"

    def _extent(self) -> str:
        removed, added = self.words_removed, self.words_added
        if added and removed:
            return f": {counted(added, 'word')} added, {removed:,} removed"
        if added or removed:
            return f": {counted(added or removed, 'word')} {'added' if added else 'removed'}"
        return ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Which request a request continues, and which messages it adds.

    `parent` is the index of the request it continues. `fresh` are the positions of the new
    messages, each with its new parts; None stands for all of them. `changes` describe how the rest
    of its history differs from the conversation so far. `repeated_share` of its characters were in
    the conversation before.
    """

    parent: int | None
    thread: int
    starts_line: bool
    fresh: tuple[tuple[int, tuple[int, ...] | None], ...] = ()
    changes: tuple[Change, ...] = ()
    repeated_share: float = 0.0


def change_of(before: Item, after: Item, message: int) -> Change:
    """The change of one item to another; `message` is the position of the new one."""
    subject = _NAMES[after.kind]
    if after.kind == "result" and after.size < before.size * _EMPTIED:
        return Change("emptied", subject, messages=(message,))
    removed, added = differing_words(before.vocabulary, after.vocabulary)
    return Change("changed", subject, 1, (message,), removed, added)


def dropped(at_start: int, between: int) -> Iterator[Change]:
    """The messages of the conversation that a request does not send."""
    if at_start:
        yield Change("dropped_start", "message", at_start)
    if between:
        yield Change("dropped", "message", between)


def merged(changes: Iterable[Change]) -> tuple[Change, ...]:
    """These changes with equal ones counted together, in order."""
    found: dict[tuple[ChangeKind, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.kind, change.subject), []).append(change)
    return tuple(_together(group) for group in found.values())


def _together(changes: Sequence[Change]) -> Change:
    if len(changes) == 1:
        return changes[0]
    first = changes[0]
    places = dict.fromkeys(place for one in changes for place in one.messages)
    return Change(first.kind, first.subject, sum(one.count for one in changes), tuple(places))


# How many kinds of system prompts are compared with a new one.
MOST_LINEAGES = 50


@dataclass(frozen=True, slots=True)
class _Lineage:
    name: object
    prompts: tuple[Item, ...]
    start: int


class Lineages:
    """The start in the tree of the conversations under each kind of system prompt."""

    def __init__(self, tree: ItemTree) -> None:
        self._tree = tree
        self._known: list[_Lineage] = []
        self._met = 0

    def start(self, name: object, prompts: tuple[Item, ...]) -> int:
        """The start of conversations under this name and these prompts, in any version."""
        for lineage in reversed(self._known):
            if lineage.name == name and _are_same(lineage.prompts, prompts):
                return lineage.start
        self._met += 1
        start = self._tree.start((name, self._met))
        self._known = [*self._known[1 - MOST_LINEAGES :], _Lineage(name, prompts, start)]
        return start


def are_one_prompt(before: Sequence[Item], prompts: Sequence[Piece]) -> bool:
    """Are these versions of the same prompts? Two empty lists are."""
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


# A summary has at least this many different words.
SHORTEST_SUMMARY = 8


def summaries(tree: ItemTree, pieces: Sequence[Piece]) -> Iterator[tuple[int, Piece]]:
    """Which of the newest responses do these questions and prompts contain? The newest first.

    Nodes, each with the first piece that contains it.
    """
    texts = [piece for piece in pieces if piece.item.kind in ("user", "system")]
    for node in tree.newest_responses():
        response = tree.item(node)
        holder = next((piece for piece in texts if _holds_summary(piece.item, response)), None)
        if holder is not None:
            yield node, holder


def holds_any(items: Sequence[Item], node: int, tree: ItemTree) -> bool:
    """Does one of these items contain the response of this node?"""
    return any(_holds_summary(item, tree.item(node)) for item in items)


def new_after_summary(
    tree: ItemTree, node: int, pieces: Sequence[Piece], summary_at: int
) -> Sequence[Piece]:
    """These pieces except those before the summary that the conversation up to this node has.

    `summary_at` is the position of the message that holds the summary.
    """
    before = [one for one in pieces if one.position < summary_at]
    known = [tree.item(one) for one in tree.above(node, tree.start_of(node))]
    matches = align(known, [one.item for one in before])
    kept = {match.sent for match in matches if match.fate == "kept"}
    new = [one for at, one in enumerate(before) if at not in kept]
    return [*new, *pieces[len(before) :]]


def _holds_summary(item: Item, response: Item) -> bool:
    is_long = len(numbers_of(response.vocabulary)) >= SHORTEST_SUMMARY
    return is_long and holds(item, response)
