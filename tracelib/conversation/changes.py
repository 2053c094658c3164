"""How the history that a request sends differs from the conversation before it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tracelib.conversation.canonical import Item
from tracelib.conversation.vocabulary import differing_words
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

    `messages` are the places of the new texts in the request: of what changed, and of nothing
    else. Inserted messages are among those that the request asks.
    """

    kind: ChangeKind
    subject: str  # what changed, in words: "System prompt"
    count: int = 1
    messages: tuple[int, ...] = ()
    words_removed: int = 0
    words_added: int = 0

    @property
    def sentence(self) -> str:
        """The change in words.

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


def change_of(before: Item, after: Item, message: int) -> Change:
    """The change of one item to another; `message` is where the new one is."""
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
