"""What one request said that another did not: messages, system prompt, settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tracelib.conversation.alignment import align, is_unchanged
from tracelib.conversation.canonical import SYSTEM_ROLES, Item, canonical
from tracelib.conversation.history import opened
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.parameters import settings
from tracelib.conversation.reader import spoken
from tracelib.conversation.session_rows import stored_requests
from tracelib.conversation.stored import StoredRequest
from tracelib.conversation.text_diff import Line, text_diff
from tracelib.redaction import NONE, Redaction, masked
from tracelib.selection import RowId, Selection
from tracelib.source import Source

Fate = Literal["kept", "added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class MessageDiff:
    """What became of one message, with its position in either request, None where it is not.

    `message` is the newer one where there are two. `lines` tell the texts of a changed message
    apart as `text_diff` does; `is_cut` where they differ over more than it compares.
    """

    fate: Fate
    before: int | None
    after: int | None
    message: Message
    lines: tuple[Line, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class SettingDiff:
    """A setting that two requests sent differently; None where one did not send it."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class TurnDiff:
    """Two requests compared: every message of both, in order, and the settings that differ."""

    before: RowId
    after: RowId
    messages: tuple[MessageDiff, ...]
    settings: tuple[SettingDiff, ...]

    @property
    def is_system_changed(self) -> bool:
        """Was a system prompt added, removed or changed?"""
        return any(one.message.role in SYSTEM_ROLES and one.fate != "kept" for one in self.messages)

    @property
    def is_redacted(self) -> bool:
        """Did LiteLLM redact any of it, so that messages look alike that were not?"""
        return any(part.is_redacted for one in self.messages for part in one.message.parts)


def diff_between(
    source: Source,
    selection: Selection,
    before: RowId,
    after: RowId,
    redaction: Redaction = NONE,
) -> TurnDiff | None:
    """What did one request of this key say that another did not?

    As `turn_diff`, of two rows; None where either is not there.
    """
    both = Selection(selection.api_key, rows=(before, after))
    found = {request.row: request for request in stored_requests(source, both)}
    if before not in found or after not in found:
        return None
    return turn_diff(found[before], found[after], redaction)


def turn_diff(before: StoredRequest, after: StoredRequest, redaction: Redaction = NONE) -> TurnDiff:
    """What was added, removed or changed between these two requests?

    Messages are the same that the transcript takes for the same. Where different ones stand in
    the same place one by one, of one role and with words in common, they count as changed; a
    system prompt always does. Answers are not compared, and of a chain of responses only what
    each request itself sent. A prompt that is not stored has no messages. Never raises.

    `redaction` is of the lines of changed messages, which cannot be masked one by one: a key
    goes over several. What differs in nothing else is changed without a line.
    """
    asked = [opened(request).question for request in (before, after)]
    old, new = ([spoken(raw) for raw in one.messages] for one in asked)
    sent = [dict(settings(one.body, ())) for one in asked]
    return TurnDiff(
        before.row,
        after.row,
        tuple(_aligned(old, new, redaction)),
        tuple(_settings(sent[0], sent[1])),
    )


def _aligned(
    old: Sequence[Message], new: Sequence[Message], redaction: Redaction
) -> Iterator[MessageDiff]:
    """Every message of both in order; those of the older request before what took their place."""
    pairs = _pairs(old, new)
    shown = 0
    for j, message in enumerate(new):
        following = [i for at, i in pairs.items() if at >= j]
        end = min(following, default=len(old))
        yield from (MessageDiff("removed", i, None, old[i]) for i in range(shown, end))
        shown = end
        if j not in pairs:
            yield MessageDiff("added", None, j, message)
        else:
            yield _diff(end, old[end], j, message, redaction)
            shown += 1
    yield from (MessageDiff("removed", i, None, old[i]) for i in range(shown, len(old)))


def _pairs(old: Sequence[Message], new: Sequence[Message]) -> dict[int, int]:
    """Of the newer messages those that are older ones, changed or not, by their positions."""
    known, sent = _items(old), _items(new)
    pairs: dict[int, int] = {}
    for match in align([item for _, item in known], [item for _, item in sent]):
        i, j = known[match.known][0], sent[match.sent][0]
        if match.fate != "moved" and j not in pairs and i not in pairs.values():
            pairs[j] = i
    return pairs


def _items(messages: Sequence[Message]) -> list[tuple[int, Item]]:
    return [(at, item) for at, message in enumerate(messages) for item in canonical(message).items]


def _diff(i: int, old: Message, j: int, new: Message, redaction: Redaction) -> MessageDiff:
    items = [canonical(message).items for message in (old, new)]
    if len(items[0]) == len(items[1]) and all(map(is_unchanged, *items)):
        return MessageDiff("kept", i, j, new)
    texts = (masked(_text(one), redaction)[0] for one in (old, new))
    compared = text_diff(*texts)
    return MessageDiff("changed", i, j, new, compared.lines, compared.is_cut)


def _text(message: Message) -> str:
    return "\n".join(line for part in message.parts for line in _headed(part))


def _headed(part: Part) -> tuple[str, ...]:
    if part.kind == "text":
        return (part.text,)
    return (f"[{part.kind.replace('_', ' ')} {part.name or ''}".rstrip() + "]", part.text)


def _settings(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[SettingDiff]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield SettingDiff(name, old.get(name), new.get(name))
