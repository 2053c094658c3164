"""When are two stored messages the same message?

An answer is stored once as LiteLLM received it and again in the next request as the client
sent it back. The two differ in spelling: no content against empty content, arguments as
text against arguments as an object, reasoning left out, cache marks added.
"""

import marshal
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from tracelib.conversation.markers import cut_as_old_versions_did
from tracelib.conversation.messages import Message, Part

Key = bytes  # a digest: the words themselves are not kept

SYSTEM_ROLES = frozenset({"system", "developer"})

_KEY_BYTES = 16
# Of marshal's formats the last whose bytes depend on the value alone.
_BY_VALUE = 2
_LONG_ARGUMENTS = 256
_SYSTEM_HEAD = 200
_BILLING = "x-anthropic-billing-header:"  # Claude Code's first system block, new every time


@dataclass(frozen=True, slots=True)
class Said:
    """What a message is recognised by: its keys, the strictest first, and nothing it says.

    Two messages are the same when one's key is among the other's.
    """

    role: str
    keys: tuple[Key, ...]
    beginning: Key | None  # the one of `keys` that tells only how a system prompt begins
    is_redacted: bool
    calls: tuple[tuple[str, str], ...]  # ids and names of the tools it calls

    @property
    def is_system(self) -> bool:
        return self.role in SYSTEM_ROLES


def said(message: Message, *, is_answer: bool = False) -> Said:
    """The keys of this message; an answer has more, for what old versions made of it."""
    calls = [part for part in message.parts if part.kind == "tool_call"]
    spellings = _spellings(message, calls, is_answer)
    keys = tuple(digest(spelling) for spelling in spellings)
    return Said(
        message.role,
        keys,
        keys[-1] if message.role in SYSTEM_ROLES else None,
        any(part.is_redacted for part in message.parts),
        tuple((call.call_id, call.name) for call in calls if call.call_id and call.name),
    )


def digest(value: Any) -> Key:
    """Sixteen bytes that stand for this value. Raises ValueError where it is nested too deeply."""
    return blake2b(marshal.dumps(value, _BY_VALUE), digest_size=_KEY_BYTES).digest()


def _spellings(message: Message, calls: list[Part], is_answer: bool) -> list[tuple[object, ...]]:
    texts = [part.text for part in message.parts if part.kind == "text"]
    if message.role in SYSTEM_ROLES:
        return _system_spellings(texts)
    whole = "".join(texts)
    text = whole.strip()
    beside = tuple(_beside(part) for part in message.parts if _counts(part, message.role))
    found: list[tuple[object, ...]] = [(message.role, text, _exact(calls), beside)]
    if _may_be_cut(calls):
        found.append((message.role, text, _by_id(calls), beside))
    old = cut_as_old_versions_did(whole) if is_answer else None
    if old:
        found.append((message.role, old.strip(), _exact(calls), beside))
        found.append((message.role, old.strip(), _by_id(calls), beside))
    return found


def _system_spellings(texts: list[str]) -> list[tuple[object, ...]]:
    text = "\n".join(text for text in texts if not text.startswith(_BILLING)).strip()
    # Many prompts carry the time of day; the conversation below them is still the same one.
    head = re.sub(r"\d", "0", text[:_SYSTEM_HEAD])
    return [("system", text), ("system, its beginning", head)]


def _exact(calls: list[Part]) -> tuple[object, ...]:
    return tuple((call.name, call.fingerprint or call.text) for call in calls)


def _by_id(calls: list[Part]) -> tuple[object, ...]:
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


def _beside(part: Part) -> tuple[object, ...]:
    return (part.kind, part.fingerprint or part.text)
