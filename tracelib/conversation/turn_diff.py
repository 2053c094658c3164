"""What one request said that another did not: messages, system prompt, settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from tracelib.conversation.history import opened
from tracelib.conversation.identity import SYSTEM_ROLES, said
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
    keys = [[said(one).keys[0] for one in messages] for messages in (old, new)]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, keys[0], keys[1]).get_opcodes():
        if tag == "equal":
            pairs = zip(range(i1, i2), range(j1, j2), strict=True)
            yield from (MessageDiff("kept", i, j, new[j]) for i, j in pairs)
            continue
        edits = _edits(old[i1:i2], new[j1:j2])
        for i, j in zip(range(i1, i1 + edits), range(j1, j1 + edits), strict=True):
            texts = (masked(_text(one), redaction)[0] for one in (old[i], new[j]))
            compared = text_diff(*texts)
            yield MessageDiff("changed", i, j, new[j], compared.lines, compared.is_cut)
        yield from (MessageDiff("removed", i, None, old[i]) for i in range(i1 + edits, i2))
        yield from (MessageDiff("added", None, j, new[j]) for j in range(j1 + edits, j2))


def _edits(old: Sequence[Message], new: Sequence[Message]) -> int:
    """How many of these, from the first on, are one message before and after an edit?"""
    pairs = enumerate(zip(old, new, strict=False))
    unlike = (at for at, (one, other) in pairs if not _is_edit(one, other))
    return next(unlike, min(len(old), len(new)))


def _is_edit(old: Message, new: Message) -> bool:
    if old.role in SYSTEM_ROLES and new.role in SYSTEM_ROLES:
        return True
    words = [set(_text(one).lower().split()) for one in (old, new)]
    return old.role == new.role and 2 * len(words[0] & words[1]) >= min(map(len, words))


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
