"""Messages reduced to keys by which they are recognised when a later request sends them again.

A response is stored once as LiteLLM received it and again in each later request as the client sent
it back. Transport and clients change the spelling: no content for empty content, arguments as text
or as an object, reasoning removed, one message split into several, calls in another order. A
message is therefore reduced to items (its text, each call, each tool result), and an item to keys
that do not depend on the spelling.
"""

import marshal
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from typing import Any, Literal

from tracelib.conversation.bodies.messages import Message, Part, cut_as_old_versions_did
from tracelib.conversation.json_values import canonical_text
from tracelib.conversation.threading.spellings import (
    Vocabulary,
    bare,
    bare_response,
    visible_text,
    vocabulary,
)

Key = bytes
Kind = Literal["system", "user", "words", "call", "result", "other"]

SYSTEM_ROLES = frozenset({"system", "developer"})
RESPONSE_KINDS = frozenset({"words", "call", "other"})

REFERENCE = "reference"  # the name of an item that only refers to another one

_KEY_BYTES = 16
# The last of marshal's formats whose bytes depend on the value alone.
_BY_VALUE = 2
_LONG_ARGUMENTS = 256
_SYSTEM_HEAD = 200
_SHORTEST_LINE = 20
_LONGEST_NOTICE = 200
_BRACKETS = {("[", "]"), ("<", ">"), ("(", ")")}
# the first system block of a coding agent, different each time
_BILLING = "x-anthropic-billing-header:"


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of a message that a later request sends again as a whole.

    `keys` are its spellings, the strictest first: two items are the same if they share a key.
    `extra_keys` are looked up but not learned. `parts` are its positions in the message, `size` its
    characters. `vocabulary` measures how similar two texts are, `media` compares the images, audio
    and files next to a question's text.
    """

    kind: Kind
    keys: tuple[Key, ...]
    parts: tuple[int, ...]
    size: int = 0
    vocabulary: Vocabulary = b""
    call_id: str | None = None
    name: str | None = None
    extra_keys: tuple[Key, ...] = ()
    media: Key = b""

    @property
    def is_empty(self) -> bool:
        """Is this an empty response?"""
        return self.kind == "words" and not self.size


@dataclass(frozen=True, slots=True)
class Canonical:
    """A message as its items. An empty message has none."""

    role: str
    items: tuple[Item, ...]
    size: int
    is_redacted: bool

    @property
    def is_system(self) -> bool:
        return self.role in SYSTEM_ROLES

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """IDs and names of the tools it calls."""
        calls = (item for item in self.items if item.kind == "call")
        return tuple((item.call_id, item.name) for item in calls if item.call_id and item.name)


def canonical(message: Message, *, is_response: bool = False) -> Canonical:
    """The items of this message; those of a response have more keys, for what clients change."""
    items = tuple(_items(message, is_response))
    if is_response:
        items = tuple(_with_call_key(item) for item in items)
    size = sum(len(part.text) for part in message.parts)
    return Canonical(message.role, items, size, any(part.is_redacted for part in message.parts))


def digest(value: Any) -> Key:
    """A digest of sixteen bytes of this value. Raises ValueError if it is nested too deeply."""
    return blake2b(marshal.dumps(value, _BY_VALUE), digest_size=_KEY_BYTES).digest()


def response_text(message: Message) -> str:
    """The text of a response without spaces, reasoning and citation marks."""
    return bare_response("".join(part.text for part in message.parts if part.kind == "text"))


def words_alone(message: Message) -> str | None:
    """The text by which this is recognised in a longer message; None if it holds more than text."""
    if message.role == "assistant":
        return response_text(message)
    if any(part.kind != "text" for part in message.parts):
        return None
    return bare("".join(part.text for part in message.parts))


def together(item: Item, words: str) -> Item:
    """The item for several messages like this one that are sent as one with this text."""
    return replace(item, keys=(words_key(words) if item.kind == "words" else _user_key(words, ()),))


def words_key(words: str) -> Key:
    """The key of a response with this text, as `response_text` returns it."""
    return digest(("words", words))


def joined(item: Item, before: str, words: str) -> Item:
    """The item of a response that continues the text before it, as clients send both in one."""
    return replace(item, keys=(*item.keys, words_key(before + words)))


def _items(message: Message, is_response: bool) -> Iterator[Item]:
    if message.role in SYSTEM_ROLES:
        yield from _system(message)
    elif message.role == "assistant":
        yield from _assistant(message, is_response)
    else:
        yield from _received(message)


def _with_call_key(item: Item) -> Item:
    """The item with a key for the call ID: a hosted tool's result is sent in many spellings."""
    if item.kind != "result" or not item.call_id:
        return item
    return replace(item, keys=(*item.keys, *item.extra_keys))


def _system(message: Message) -> Iterator[Item]:
    texts = [part.text for part in message.parts if part.kind == "text"]
    text = "\n".join(text for text in texts if not text.startswith(_BILLING)).strip()
    # Many prompts contain the time of day or retrieved text; the conversation is the same one.
    lines = [line.strip() for line in text.splitlines()]
    whole_lines = [line for line in lines if len(line) >= _SHORTEST_LINE]
    ends = dict.fromkeys((*whole_lines[:1], *whole_lines[-1:]))
    keys = (
        digest(("system", text)),
        digest(("system head", _without_digits(text[:_SYSTEM_HEAD]))),
        *(digest(("system line", _without_digits(line))) for line in ends),
    )
    yield Item("system", keys, _all(message), len(text), vocabulary(text))


def _received(message: Message) -> Iterator[Item]:
    """The items of a user or tool message: results by their call, the rest as one item."""
    rest = [at for at, part in enumerate(message.parts) if not _is_result(part)]
    results = [at for at, part in enumerate(message.parts) if _is_result(part)]
    yield from _results(message, results)
    if results and not rest:
        return
    parts = [message.parts[at] for at in rest]
    text = "".join(part.text for part in parts if part.kind == "text")
    media = tuple(
        (part.kind, part.fingerprint or part.text) for part in parts if not _is_text(part)
    )
    key = _user_key(bare(text), media)
    media_digest = digest(media) if media else b""
    yield Item("user", (key,), tuple(rest), _size(parts), vocabulary(text), media=media_digest)


def _user_key(words: str, media: tuple[tuple[str, str], ...]) -> Key:
    return digest(("user", words, media))


def _results(message: Message, places: Sequence[int]) -> Iterator[Item]:
    by_call = groupby(places, key=lambda at: message.parts[at].call_id)
    for call_id, group in by_call:
        ats = tuple(group)
        parts = [message.parts[at] for at in ats]
        content = tuple(
            (part.kind, bare(part.text) if _is_text(part) else part.fingerprint or part.text)
            for part in parts
        )
        name = None if call_id else next((part.name for part in parts if part.name), None)
        key = digest(("result", call_id or name, content))
        by_id = (digest(("result of", call_id)),) if call_id else ()
        size = 0 if _is_notice(parts) else _size(part for part in parts if _is_text(part))
        yield Item("result", (key,), ats, size, b"", call_id, name, by_id)


def _assistant(message: Message, is_response: bool) -> Iterator[Item]:
    """Its text first, then its calls, which clients send back in any order."""
    parts = message.parts
    texts = [at for at, part in enumerate(parts) if part.kind == "text"]
    calls = [at for at, part in enumerate(parts) if part.kind == "tool_call"]
    results = [at for at, part in enumerate(parts) if _is_result(part)]
    named = [] if is_response else [at for at, part in enumerate(parts) if part.item_id]
    known = {*texts, *calls, *results, *named}
    others = [at for at in range(len(parts)) if at not in known]
    keys = tuple(_words_keys(message, texts, is_response))
    sounds = tuple(_sound_keys(parts))
    if keys or sounds:
        places = tuple(sorted((*texts, *others)))
        text_parts = [parts[at] for at in texts]
        alike = vocabulary(visible_text("\n".join(part.text for part in text_parts)))
        ids = _item_keys(parts[at] for at in places) if is_response else ()
        yield Item("words", (*keys, *sounds, *ids), places, _size(text_parts), alike)
        others = []
    made = [_call(parts[at], at) for at in calls]
    for position, item in enumerate(made):
        places = item.parts if position or keys or sounds else (*others, *item.parts)
        ids = _item_keys(parts[at] for at in places) if is_response else ()
        yield replace(item, parts=places, keys=(*item.keys, *ids))
    yield from _results(message, results)
    if not (keys or sounds or made or results or others or named):
        yield Item("words", (words_key(""),), _all(message))
    elif others and not (keys or sounds or made or results):
        content = tuple((parts[at].kind, parts[at].fingerprint or parts[at].text) for at in others)
        ids = _item_keys(parts[at] for at in others) if is_response else ()
        yield Item("other", (digest(("other", content)), *ids), tuple(others))
    for at in named:
        yield Item("other", _item_keys([parts[at]]), (at,), name=REFERENCE)


def _item_keys(parts: Iterable[Part]) -> tuple[Key, ...]:
    """The keys of the IDs by which an item of a response may be referred to."""
    ids = dict.fromkeys(part.item_id for part in parts if part.item_id)
    return tuple(digest(("item", one)) for one in ids)


def _words_keys(message: Message, texts: Sequence[int], is_response: bool) -> Iterator[Key]:
    text = "".join(message.parts[at].text for at in texts)
    words = bare_response(text)
    if not words:
        return
    yield words_key(words)
    old = cut_as_old_versions_did(text) if is_response else None
    if old:
        yield words_key(bare_response(old))


def _sound_keys(parts: Iterable[Part]) -> Iterator[Key]:
    """The keys of audio: a spoken response is sent back by its ID."""
    return (digest(("audio", part.reference)) for part in parts if part.reference)


def _call(part: Part, at: int) -> Item:
    arguments = part.fingerprint or canonical_text(part.text)
    keys = [digest(("call", part.name, arguments))]
    by_id = digest(("call by ID", part.name, part.call_id))
    is_long = part.truncated_chars > 0 or len(part.text) > _LONG_ARGUMENTS
    if part.call_id and is_long:  # cut as one text in a response, field by field in a prompt
        keys.append(by_id)
    return Item("call", tuple(keys), (at,), len(part.text), b"", part.call_id, part.name)


def _is_notice(parts: Sequence[Part]) -> bool:
    """Is this only a short text in brackets, with which clients replace an old result?"""
    text = "".join(part.text for part in parts).strip()
    return len(text) <= _LONGEST_NOTICE and (text[:1], text[-1:]) in _BRACKETS


def _is_result(part: Part) -> bool:
    return part.kind == "tool_result" or (
        part.call_id is not None and part.kind in ("image", "audio", "file", "data")
    )


def _is_text(part: Part) -> bool:
    return part.kind in ("text", "tool_result")


def _all(message: Message) -> tuple[int, ...]:
    return tuple(range(len(message.parts)))


def _size(parts: Iterable[Part]) -> int:
    return sum(len(part.text) for part in parts)


def _without_digits(text: str) -> str:
    return re.sub(r"\d", "0", text)
