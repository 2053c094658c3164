"""Messages as clients send them and as LiteLLM stores them: cut in the middle if long."""

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson

LONGEST = 2048
"""The characters of one string that LiteLLM stores."""

_MARKER = (
    "... (litellm_truncated skipped {skipped} chars. Truncation is a DB storage safeguard. Full, "
    "untruncated data is logged to logging callbacks (OTEL, Datadog, etc.). To increase the "
    "truncation limit, set `MAX_STRING_LENGTH_PROMPT_IN_DB` in your env.) ..."
)


def stored(text: str) -> str:
    """The stored part of a text: 35 % of its head and 65 % of its tail if it is long.

    >>> stored("short")
    'short'
    >>> len(stored("x" * 9000))
    2293
    """
    if len(text) <= LONGEST:
        return text
    head = int(LONGEST * 0.35)
    tail = int(LONGEST * 0.65)
    return text[:head] + _MARKER.format(skipped=len(text) - head - tail) + text[-tail:]


def token_count(text: str) -> int:
    """The approximate number of tokens: four characters each."""
    return len(text) // 4 + 1


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call; `arguments` is JSON text, as providers send it."""

    id: str
    name: str
    arguments: str

    def as_openai(self) -> dict[str, Any]:
        """The shape of chat completions."""
        function = {"arguments": stored(self.arguments), "name": self.name}
        return {"function": function, "id": self.id, "type": "function"}


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. `tokens` are those of the whole text, before LiteLLM cuts it."""

    role: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    answers_call: str = ""

    @property
    def tokens(self) -> int:
        """The number of its tokens."""
        called = sum(token_count(call.name + call.arguments) for call in self.calls)
        return token_count(self.text) + called + 4

    def as_openai(self) -> dict[str, Any]:
        """The message in a chat completion's request."""
        message: dict[str, Any] = {"role": self.role, "content": stored(self.text) or None}
        if self.calls:
            message["tool_calls"] = [call.as_openai() for call in self.calls]
        if self.answers_call:
            message["tool_call_id"] = self.answers_call
        return message

    def as_anthropic(self) -> dict[str, Any]:
        """The message in a /v1/messages request, in which a tool result is the user's."""
        if self.answers_call:
            block = {"type": "tool_result", "tool_use_id": self.answers_call}
            return {"role": "user", "content": [{**block, "content": stored(self.text)}]}
        blocks: list[dict[str, Any]] = []
        if self.text:
            blocks.append({"type": "text", "text": stored(self.text)})
        for call in self.calls:
            arguments = orjson.Fragment(call.arguments)
            use = {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}
            blocks.append(use)
        return {"role": self.role, "content": blocks}

    def as_response(self) -> dict[str, Any]:
        """The `message` of a stored chat completion, also of Anthropic's responses."""
        calls = [call.as_openai() for call in self.calls] or None
        message: dict[str, Any] = {"content": stored(self.text) or None, "role": self.role}
        return message | {"tool_calls": calls, "function_call": None, "refusal": None}


@dataclass(slots=True)
class Thread:
    """A conversation that is sent whole with each request. Its messages are encoded only once."""

    anthropic: bool = False
    encoded: list[orjson.Fragment] = field(default_factory=list)
    tokens: int = 0

    def add(self, *messages: ChatMessage) -> None:
        """Append messages."""
        for message in messages:
            shape = message.as_anthropic() if self.anthropic else message.as_openai()
            self.encoded.append(orjson.Fragment(orjson.dumps(shape)))
            self.tokens += message.tokens


_SLOT = re.compile(r"\{\{(\w+)\}\}")

Turn = tuple[str, str]
"""The user's message, and the model's response."""


class Voice:
    """Fills the slots of one conversation, each with one value throughout."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._chosen: dict[str, str] = {}

    def fill(self, text: str) -> str:
        """The text with its slots filled."""
        return _SLOT.sub(self._written, text) if "{{" in text else text

    def _written(self, found: re.Match[str]) -> str:
        value = self._value(found[1])
        begins = found.start() == 0 or found.string[: found.start()].endswith((". ", "\n"))
        return "The" + value[3:] if begins and value.startswith("the ") else value

    def _value(self, slot: str) -> str:
        if slot not in self._chosen:
            self._chosen[slot] = self._rng.choice(_talk()["slots"][slot])
        return self._chosen[slot]


def system(theme: str) -> str:
    """The system prompt of this theme. Raises KeyError for an unknown theme."""
    text: str = _talk()["systems"][theme]
    return text


def conversation(rng: Random, theme: str) -> list[Turn]:
    """A conversation on that theme, of two to eight turns."""
    voice = Voice(rng)
    turns = list(rng.choice(_chats(theme)))
    if rng.random() < 0.35:
        turns = turns[: rng.randint(2, len(turns))]
    else:
        follow_ups = [entry["turn"] for entry in _talk()["follow_ups"]]
        turns += rng.sample(follow_ups, rng.choice((0, 0, 1, 1, 2, 3)))
    return [(voice.fill(user), voice.fill(model)) for user, model in turns]


def single(rng: Random, theme: str) -> Turn:
    """One question with its response."""
    voice = Voice(rng)
    user, model = rng.choice(_talk()["singles"][theme])
    return voice.fill(user), voice.fill(model)


def chain(rng: Random) -> tuple[str, list[Turn]]:
    """The instructions and the turns of a chain of Responses."""
    voice = Voice(rng)
    entry = rng.choice(_talk()["responses"])
    return entry["instructions"], [(voice.fill(a), voice.fill(b)) for a, b in entry["turns"]]


def document(rng: Random, paragraphs: int) -> tuple[str, str]:
    """A document of this many paragraphs, and its summary."""
    voice = Voice(rng)
    source = _talk()["documents"]["paragraphs"]
    chosen = [voice.fill(rng.choice(source)) for _ in range(paragraphs)]
    points = [paragraph.partition(". ")[0] + "." for paragraph in chosen[:6]]
    return "\n\n".join(chosen), "\n".join(f"- {point}" for point in points)


def query(rng: Random) -> str:
    """A search of a customer in the shop."""
    return Voice(rng).fill(rng.choice(_talk()["documents"]["queries"]))


@cache
def _talk() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("talk.toml").read_text(encoding="utf-8"))


@cache
def _chats(theme: str) -> list[list[Turn]]:
    return [chat["turns"] for chat in _talk()["chats"] if chat["theme"] == theme]


@cache
def handbook() -> str:
    """The house rules after long system prompts; longer than what LiteLLM stores of a text."""
    paragraphs = _talk()["documents"]["paragraphs"]
    voice = Voice(Random(7))
    return "\n\n".join(voice.fill(f"{n}. {text}") for n, text in enumerate(paragraphs * 20, 1))
