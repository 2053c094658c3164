"""When are two stored messages the same message?

An answer is stored once as LiteLLM received it and again in the next request as the client
sent it back. The two differ in spelling: no content against empty content, arguments as
text against arguments as an object, reasoning left out, cache marks added.
"""

import re
from dataclasses import dataclass

from tracelib.conversation.markers import cut_as_old_versions_did
from tracelib.conversation.messages import Message, Part

Key = tuple[object, ...]

SYSTEM_ROLES = frozenset({"system", "developer"})

_LONG_ARGUMENTS = 256
_SYSTEM_HEAD = 200
_BILLING = "x-anthropic-billing-header:"  # Claude Code's first system block, new every time


@dataclass(frozen=True, slots=True)
class Said:
    """A message with the keys it is recognised by, the strictest first.

    Two messages are the same when one's key is among the other's.
    """

    message: Message
    keys: tuple[Key, ...]

    @property
    def is_system(self) -> bool:
        return self.message.role in SYSTEM_ROLES

    @property
    def is_redacted(self) -> bool:
        return any(part.is_redacted for part in self.message.parts)


def said(message: Message, *, is_answer: bool = False) -> Said:
    """The message with its keys; an answer has more, for what old versions made of it."""
    texts = [part.text for part in message.parts if part.kind == "text"]
    if message.role in SYSTEM_ROLES:
        return Said(message, _system_keys(texts))
    whole = "".join(texts)
    text = whole.strip()
    calls = [part for part in message.parts if part.kind == "tool_call"]
    beside = tuple(_beside(part) for part in message.parts if _counts(part, message.role))
    keys = [_key(message.role, text, _exact(calls), beside)]
    by_id = _key(message.role, text, _by_id(calls), beside)
    if _may_be_cut(calls):
        keys.append(by_id)
    old = cut_as_old_versions_did(whole) if is_answer else None
    if old:
        keys.append(_key(message.role, old.strip(), _exact(calls), beside))
        keys.append(_key(message.role, old.strip(), _by_id(calls), beside))
    return Said(message, tuple(keys))


def is_beginning(key: Key) -> bool:
    """Does this key stand for a system prompt of which only the beginning is known?"""
    return key[0] == "system, its beginning"


def _system_keys(texts: list[str]) -> tuple[Key, ...]:
    text = "\n".join(text for text in texts if not text.startswith(_BILLING)).strip()
    # Many prompts carry the time of day; the conversation below them is still the same one.
    head = re.sub(r"\d", "0", text[:_SYSTEM_HEAD])
    return (("system", text), ("system, its beginning", head))


def _key(role: str, text: str, calls: Key, beside: Key) -> Key:
    return (role, text, calls, beside)


def _exact(calls: list[Part]) -> Key:
    return tuple((call.name, call.fingerprint or call.text) for call in calls)


def _by_id(calls: list[Part]) -> Key:
    return tuple((call.name, call.call_id, "by its id") for call in calls)


def _may_be_cut(calls: list[Part]) -> bool:
    """Long arguments are cut as one text in an answer, field by field in a prompt."""
    return any(_is_long(call) for call in calls) and all(call.call_id for call in calls)


def _is_long(call: Part) -> bool:
    return call.truncated_chars > 0 or len(call.text) > _LONG_ARGUMENTS


def _counts(part: Part, role: str) -> bool:
    """Reasoning is often not sent back, an answer's sounds and images never are."""
    if part.kind in ("text", "tool_call"):
        return False
    return role != "assistant" or part.kind in ("data", "tool_result")


def _beside(part: Part) -> Key:
    return (part.kind, part.fingerprint or part.text)
