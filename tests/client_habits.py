"""Conversations as real clients keep them: what is said, and what each request sends of it.

A `Client` holds a conversation with a model through a proxy, request by request. Each request
sends the history so far, changed by the client's habits, in the format of one of three APIs. The
rows are what LiteLLM would store. `said` counts what must be shown, each once.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.stored_rows import made
from tracelib.conversation import StoredRequest, Transcript

Raw = dict[str, Any]

# What a client does to the history it sends, or to the way it spells what it received.
HISTORY_HABITS = (
    "window of messages",
    "window of turns",
    "first and last",
    "tool steps dropped",
    "old results emptied",
    "answers trimmed",
    "summary",
)
ADDED_TEXT_HABITS = (
    "retrieved in system",
    "clock in system",
    "retrieved in question",
    "reminder in question",
    "reminder message",
    "no system",
)
SPELLING_HABITS = (
    "blocks",
    "placeholder",
    "invisible characters",
    "calls reversed",
    "results reversed",
    "calls interleaved",
    "spacing",
    "split",
    "ids renamed",
)
STORING_HABITS = (
    "reasoning kept",
    "reasoning stripped",
    "citation marks",
    "reasoning field",
    "second choice",
    "long texts cut",
)
HABITS = (*HISTORY_HABITS, *ADDED_TEXT_HABITS, *SPELLING_HABITS, *STORING_HABITS, "failures")
APIS = ("acompletion", "anthropic_messages", "aresponses")


# What would hide what others do: a window drops the summary, a cut the words that tell it.
WITHOUT = {
    "summary": {"window of messages", "window of turns", "first and last", "long texts cut"},
    "reminder message": {"no system"},
}


def fitting(names: Iterable[str]) -> frozenset[str]:
    """These habits without those that cannot be told beside the others."""
    kept = frozenset(names)
    return kept - {name for name, others in WITHOUT.items() if kept & others}


@dataclass(frozen=True)
class Said:
    """One message of a conversation. `calls` are ids with arguments, `call` the id of a result."""

    role: str
    text: str
    calls: tuple[tuple[str, Raw], ...] = ()
    call: str | None = None
    turn: int = 0  # of the user's questions, from 0


@dataclass
class Habits:
    """What a client does to a history before it sends it, and to what LiteLLM stores."""

    names: frozenset[str]
    chance: random.Random
    summary: Said | None = None
    summarised: int = 0  # so many messages

    def has(self, name: str) -> bool:
        return name in self.names

    def history(self, said: Sequence[Said], system: str | None) -> list[Raw]:
        """The messages of the next request, in the format of chat completions."""
        kept = self._kept(list(said))
        newest = max((one.turn for one in said), default=0)
        messages = [message for one in kept for message in self._sent(one, newest)]
        if self.has("calls interleaved"):
            messages = _interleaved(messages)
        reminder = [{"role": "system", "content": "Stay polite."}]
        return [
            *self._system(system, newest),
            *messages,
            *(reminder if self.has("reminder message") else []),
        ]

    def _system(self, system: str | None, newest: int) -> list[Raw]:
        if system is None or self.has("no system"):
            return []
        text = system
        if self.has("retrieved in system"):
            text += f"\n<context>\n{retrieved(newest)}\n</context>"
        if self.has("clock in system"):
            text = f"It is {10 + newest // 60}:{newest % 60:02} now.\n{text}"
        return [{"role": "system", "content": text}]

    def _kept(self, said: list[Said]) -> list[Said]:
        newest = max((one.turn for one in said), default=0)
        if self.has("summary"):
            said = self._summarised(said)
        if self.has("tool steps dropped"):
            said = [one for one in said if one.turn == newest or not (one.call or one.calls)]
        if self.has("old results emptied"):
            said = _emptied(said)
        if self.has("window of messages"):
            said = said[-10:]
        if self.has("window of turns"):
            said = [one for one in said if one.turn > newest - 3]
        if self.has("first and last") and len(said) > 8:
            said = [said[0], *said[-6:]]
        if self.has("answers trimmed"):
            said = [replace(one, text=one.text.removesuffix(" Bye.")) for one in said]
        return said

    def _summarised(self, said: list[Said]) -> list[Said]:
        """The client replaced what was said before by a summary that it had a model write."""
        if self.summary is None:
            return said
        text = f"This session continues an earlier one.\n{self.summary.text}"
        return [Said("user", text), *said[self.summarised :]]

    def _sent(self, one: Said, newest: int) -> list[Raw]:
        if one.role == "user":
            return [self._question(one, newest)]
        if one.role == "tool":
            return [{"role": "tool", "tool_call_id": self._id(one.call), "content": one.text}]
        return self._answer(one)

    def _id(self, call_id: str | None) -> str:
        return f"toolu_{call_id}" if self.has("ids renamed") else str(call_id)

    def _question(self, one: Said, newest: int) -> Raw:
        text = one.text
        if one.turn == newest and self.has("reminder in question"):
            text += "\n\n<system-reminder>Plan first, then delegate.</system-reminder>"
        if one.turn == newest and self.has("retrieved in question"):
            text = f"Use the context.\n<context>{retrieved(newest)}</context>\n\n{text}"
        if not self.has("blocks"):
            return {"role": "user", "content": text}
        block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
        return {"role": "user", "content": [block]}

    def _answer(self, one: Said) -> list[Raw]:
        text = one.text
        if text and self.has("reasoning kept"):
            text = thought(text)
        if not text and self.has("placeholder"):
            text = self.chance.choice(["(no content)", ".", "\u200b", " "])
        if self.has("invisible characters"):
            text = text and "\ufeff" + text.replace(" ", " \u200b")
        calls = [chat_call(self._id(name), given) for name, given in one.calls]
        if self.has("calls reversed"):
            calls.reverse()
        if self.has("spacing"):
            calls = list(map(_respaced, calls))
        if self.has("split") and calls:
            words = [{"role": "assistant", "content": text}] if text else []
            return words + [_calling(None, [call]) for call in calls]
        return [_calling(text or None, calls) if calls else {"role": "assistant", "content": text}]

    def stored(self, answer: Said) -> Raw:
        """The answer as LiteLLM stores it in its own row."""
        text = answer.text
        if text and (self.has("reasoning kept") or self.has("reasoning stripped")):
            text = thought(text)
        if text and self.has("citation marks"):
            text += "\ue200cite\ue202turn0search0\ue201"
        raw = _calling(text, [chat_call(*call) for call in answer.calls])
        if self.has("reasoning field"):
            raw["reasoning_content"] = "Let me see."
        return raw


def thought(text: str) -> str:
    return f"<think>\nLet me see {text[:5]}\n</think>\n\n{text}"


def retrieved(turn: int) -> str:
    return " ".join(f"fact{turn}x{at} holds." for at in range(6))


def chat_call(call_id: str, arguments: Raw) -> Raw:
    function = {"name": "look", "arguments": json.dumps(arguments)}
    return {"id": call_id, "type": "function", "function": function}


def _calling(text: str | None, calls: list[Raw]) -> Raw:
    message: Raw = {"role": "assistant", "content": text}
    return message | ({"tool_calls": calls} if calls else {})


def _respaced(call: Raw) -> Raw:
    arguments = json.loads(call["function"]["arguments"])
    text = json.dumps(arguments, separators=(",", ":"), sort_keys=True) if arguments else ""
    return {**call, "function": {**call["function"], "arguments": text}}


def _emptied(said: list[Said]) -> list[Said]:
    results = [one for one in said if one.call]
    old = {one.call for one in results[:-3]}
    notice = "[Old tool result content cleared]"
    return [replace(one, text=notice) if one.call in old else one for one in said]


def _interleaved(messages: list[Raw]) -> list[Raw]:
    """Each call in a message of its own, with its result behind it."""
    results = {raw["tool_call_id"]: raw for raw in messages if raw["role"] == "tool"}
    sent: list[Raw] = []
    for raw in messages:
        calls = raw.get("tool_calls") or []
        if len(calls) > 1 and all(call["id"] in results for call in calls):
            for at, call in enumerate(calls):
                sent += [_calling(None if at else raw["content"], [call]), results.pop(call["id"])]
        elif raw["role"] != "tool" or raw["tool_call_id"] in results:
            sent.append(raw)
    return sent


@dataclass
class Client:
    """A client with habits, and the rows that its requests left."""

    habits: Habits
    api: str = APIS[0]
    has_tools: bool = True
    system: str = "You help with the handbook and answer in short sentences."
    agent: str = ""  # begins what it says, but for the shortest
    rows: list[StoredRequest] = field(default_factory=list)
    history: list[Said] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)  # by role; answers are counted apart
    turns: int = 0

    def converse(self, turns: int) -> None:
        """Ask so many questions, with tool steps between."""
        habits, chance = self.habits, self.habits.chance
        self.turns = turns
        self.said["system"] += not habits.has("no system")
        reminder = "user" if self.api == "anthropic_messages" else "system"
        self.said[reminder] += habits.has("reminder message")
        for turn in range(turns):
            self._say(Said("user", question(turn, chance, self.agent), turn=turn))
            while self.has_tools and chance.random() < 0.5:
                self._step(turn)
            if habits.has("failures") and chance.random() < 0.1:
                self._request(None)
            self._request(Said("assistant", answer(turn, chance, self.agent), turn=turn))
            if habits.has("summary") and turn % 8 == 7:
                self._summarise(turn)

    def _summarise(self, turn: int) -> None:
        """Have the model sum up the conversation, under a prompt of its own."""
        facts = " ".join(f"point{turn}x{at} was settled." for at in range(20))
        summary = Said("assistant", facts, turn=turn)
        prompt = [{"role": "system", "content": "Write a summary, and leave out nothing."}]
        messages = self.habits.history(self.history, None)
        messages = [*([] if self.habits.has("no system") else prompt), *messages]
        self._store([*messages, {"role": "user", "content": "Sum it all up."}], summary)
        self.habits.summary, self.habits.summarised = summary, len(self.history)
        # The prompt of the summary, its question, and the message that holds it.
        self.said["system"] += not self.habits.has("no system")
        self.said["user"] += 1 + (turn + 1 < self.turns)

    def _step(self, turn: int) -> None:
        chance = self.habits.chance
        calls = self._calls(chance)
        words = "" if chance.random() < 0.5 else f"I look at {len(self.history)}."
        self._request(Said("assistant", words, calls, turn=turn))
        results = [
            Said(
                "tool",
                f"result of {call_id}: " + "line " * chance.randint(1, 60),
                (),
                call_id,
                turn,
            )
            for call_id, _ in calls
        ]
        for result in reversed(results) if self.habits.has("results reversed") else results:
            self._say(result)

    def _calls(self, chance: random.Random) -> tuple[tuple[str, Raw], ...]:
        count = chance.choice([1, 1, 2, 3])
        names = [f"call-{len(self.history)}-{at}" for at in range(count)]
        return tuple(
            (name, {"at": name, "n": 1} if chance.random() < 0.8 else {}) for name in names
        )

    def _say(self, one: Said) -> None:
        self.history.append(one)
        self.said[one.role] += 1

    def _request(self, reply: Said | None) -> None:
        self._store(self.habits.history(self.history, self.system), reply)
        if reply is not None:
            self.history.append(reply)

    def _store(self, messages: Sequence[Raw], reply: Said | None) -> None:
        cut = cut_long if self.habits.has("long texts cut") else lambda value: value
        at = len(self.rows)
        self.rows.append(
            made(
                cut(request_body(self.api, messages)),
                cut(self._stored(reply) if reply else {}),
                call_type=self.api,
                request_id=f"r{at:05}",
                at=at,
                is_failure=reply is None,
            )
        )
        if reply is not None:
            self.said["answer"] += 2 if self._has_choices() else 1

    def _has_choices(self) -> bool:
        return self.habits.has("second choice") and self.api == "acompletion"

    def _stored(self, reply: Said) -> Raw:
        answers = [self.habits.stored(reply)]
        if self._has_choices():
            answers.insert(0, {"role": "assistant", "content": f"Another one: {len(self.rows)}."})
        return response_body(self.api, answers)


def shown(told: Transcript) -> Counter[str]:
    """How often is a message of each role shown? Results of tools count one by one."""
    counts: Counter[str] = Counter()
    for turn in told.turns:
        counts["answer"] += len(turn.responses)
        for message in turn.new_messages:
            results = sum(part.kind == "tool_result" for part in message.parts)
            counts["tool"] += results
            counts[message.role] += not results
    return +counts


def request_body(api: str, messages: Sequence[Raw]) -> Raw:
    """The request as this API spells it."""
    if api == "anthropic_messages":
        systems = [raw["content"] for raw in messages if raw["role"] == "system"]
        rest = (raw for raw in messages if raw["role"] != "system")
        system = {"system": [{"type": "text", "text": text} for text in systems[:1]]}
        late = [{"role": "user", "content": text} for text in systems[1:]]
        return (system if systems else {}) | {"messages": [*_anthropic(rest), *late]}
    if api == "aresponses":
        return {"input": [item for raw in messages for item in _items(raw)]}
    return {"messages": list(messages)}


def response_body(api: str, answers: Sequence[Raw]) -> Raw:
    """The answer as LiteLLM stores it: Anthropic's like those of chat completions."""
    if api == "aresponses":
        return {"object": "response", "output": [item for raw in answers for item in _items(raw)]}
    return {"object": "chat.completion", "choices": [{"message": raw} for raw in answers]}


def _anthropic(messages: Iterable[Raw]) -> list[Raw]:
    """Results of one step are blocks of one message of the user."""
    sent: list[Raw] = []
    for raw in messages:
        if raw["role"] == "tool":
            block = {
                "type": "tool_result",
                "tool_use_id": raw["tool_call_id"],
                "content": raw["content"],
            }
            if sent and sent[-1].get("results"):
                sent[-1]["content"].append(block)
            else:
                sent.append({"role": "user", "content": [block], "results": True})
        elif raw.get("tool_calls"):
            sent.append({"role": "assistant", "content": _blocks(raw)})
        else:
            sent.append(dict(raw))
    return [{key: value for key, value in raw.items() if key != "results"} for raw in sent]


def _blocks(raw: Raw) -> list[Raw]:
    words = [{"type": "text", "text": raw["content"]}] if raw["content"] else []
    return words + [
        {
            "type": "tool_use",
            "id": call["id"],
            "name": call["function"]["name"],
            "input": json.loads(call["function"]["arguments"] or "{}"),
        }
        for call in raw["tool_calls"]
    ]


def _items(raw: Raw) -> list[Raw]:
    if raw["role"] == "tool":
        called = raw["tool_call_id"]
        return [{"type": "function_call_output", "call_id": called, "output": raw["content"]}]
    calls = [
        {"type": "function_call", "call_id": call["id"], **call["function"]}
        for call in raw.get("tool_calls", ())
    ]
    content = raw["content"]
    text = content[0]["text"] if isinstance(content, list) else content
    kind = "output_text" if raw["role"] == "assistant" else "input_text"
    block = [{"type": kind, "text": text}]
    spoken = [{"type": "message", "role": raw["role"], "content": block}] if text else []
    return [*spoken, *calls]


def cut_long(value: Any, limit: int = 160) -> Any:
    """LiteLLM's own cut, at a shorter length than its 2,048 characters."""
    if isinstance(value, dict):
        return {key: cut_long(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [cut_long(entry) for entry in value]
    if not isinstance(value, str) or len(value) <= limit or re.match(r"call|toolu", value):
        return value
    head, tail = int(limit * 0.35), int(limit * 0.65)
    skipped = len(value) - head - tail
    return f"{value[:head]}... (litellm_truncated skipped {skipped} chars) ...{value[-tail:]}"


def result(call_id: str, chance: random.Random) -> str:
    """What a tool gave back."""
    return f"result of {call_id}: " + "line " * chance.randint(1, 60)


def question(turn: int, chance: random.Random, agent: str) -> str:
    """A question; some are the same words each time, but not the first."""
    if turn and chance.random() < 0.15:
        return "Go on."
    return f"{agent}Question {turn}: how about topic{turn} and thing{chance.randint(0, 999)}?"


def answer(turn: int, chance: random.Random, agent: str) -> str:
    """An answer; some are the same words each time."""
    if chance.random() < 0.15:
        return "Ok."
    return f"{agent}Topic{turn} is like thing{chance.randint(0, 999)}, so it is fine. Bye."
