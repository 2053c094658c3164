"""Differences between two requests: messages, system prompt, settings, line by line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.bodies.parameters import settings
from tracelib.conversation.requests import StoredRequest
from tracelib.conversation.session_rows import stored_requests
from tracelib.conversation.threading.alignment import align, is_unchanged
from tracelib.conversation.threading.canonical import SYSTEM_ROLES, Item, canonical
from tracelib.conversation.threading.history import as_message, read_turn
from tracelib.formatting import counted
from tracelib.redaction import NONE, Redaction, masked
from tracelib.selection import RowId, Selection
from tracelib.source import Postgres

LineKind = Literal["same", "removed", "added", "gap"]
Line = tuple[LineKind, str]

MOST_LINES = 1_000
LONGEST_LINE = 500
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class TextDiff:
    """The lines that differ, each with its kind and up to three unchanged ones around it.

    A `gap` counts the unchanged lines that are left out. `is_cut` if the texts differ over more
    lines than are compared: the rest is not shown.
    """

    lines: tuple[Line, ...]
    is_cut: bool


def text_diff(before: str, after: str) -> TextDiff:
    """Which lines were removed, which added?

    A line of more than 500 characters counts as several. At most 1,000 lines of each text are
    compared, from shortly before the first that differs; at the end of a cut comparison a line may
    count as removed that only moved beyond it. Equal texts give no lines.

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


Fate = Literal["kept", "added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class MessageDiff:
    """The difference in one message, with its position in either request, None if it is not there.

    `message` is the newer one if there are two. `lines` compare the texts of a changed message as
    `text_diff` does; `is_cut` if they differ over more lines than it compares.
    """

    fate: Fate
    before: int | None
    after: int | None
    message: Message
    lines: tuple[Line, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class SettingDiff:
    """A setting that two requests sent differently; None if one did not send it."""

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
        """Did LiteLLM redact any of it, so that different messages may look the same?"""
        return any(part.is_redacted for one in self.messages for part in one.message.parts)


def diff_between(
    source: Postgres,
    selection: Selection,
    before: RowId,
    after: RowId,
    redaction: Redaction = NONE,
) -> TurnDiff | None:
    """Which messages and settings of two requests of this key differ?

    As `turn_diff`, of two rows; None if either does not exist.
    """
    both = Selection(selection.api_key, rows=(before, after))
    found = {request.row: request for request in stored_requests(source, both)}
    if before not in found or after not in found:
        return None
    return turn_diff(found[before], found[after], redaction)


def turn_diff(before: StoredRequest, after: StoredRequest, redaction: Redaction = NONE) -> TurnDiff:
    """What was added, removed or changed between these two requests?

    Messages are compared as in the transcript. If different ones are at the same position one by
    one, of one role and with words in common, they count as changed; a system prompt always does.
    Responses are not compared, and of a chain of responses only what each request itself sent. A
    prompt that is not stored has no messages. Never raises.

    `redaction` applies to all lines of changed messages together, because a key can span several
    lines. A message that differs only in masked text is changed without lines.
    """
    prompts = [read_turn(request).question for request in (before, after)]
    old, new = ([as_message(raw) for raw in one.messages] for one in prompts)
    sent = [dict(settings(one.body, ())) for one in prompts]
    return TurnDiff(
        before.row,
        after.row,
        tuple(_aligned(old, new, redaction)),
        tuple(_settings(sent[0], sent[1])),
    )


def _aligned(
    old: Sequence[Message], new: Sequence[Message], redaction: Redaction
) -> Iterator[MessageDiff]:
    """Every message of both in order; those of the older request before their replacements."""
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
    """The positions of newer messages -> those of the older ones they equal or replace."""
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
