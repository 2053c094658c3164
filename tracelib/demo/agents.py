"""Agents: they call tools, read the results and continue, over chat completions or /v1/messages."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson

from tracelib.demo import cast
from tracelib.demo.cast import Key
from tracelib.demo.exchange import Ask, Outcome, Usage
from tracelib.demo.gateway import Scene, new_id, send
from tracelib.demo.messages import ChatMessage, Thread, ToolCall, Voice, handbook

# Providers cache prompts of at least this many tokens.
_SHORTEST_CACHED = 1024


class Asker:
    """One client during one piece of work: it keeps its model and, if it names one, its session."""

    def __init__(
        self, rng: Random, key: Key, scene: Scene, at: float, model: str | None = None
    ) -> None:
        self._rng = rng
        self.key = key
        self.model = cast.models()[model] if model else scene.model_for(rng, key, at)
        self._session = f"{key.alias}-{rng.getrandbits(48):012x}"
        self._end_user = self.end_user()

    def end_user(self) -> str:
        """The customer for whom the key sends requests, or ''."""
        return f"customer-{self._rng.randint(1, 160):04d}" if self.key.end_users else ""

    def chat(
        self,
        at: float,
        thread: Thread,
        answer: ChatMessage,
        *,
        cached: int = 0,
        stream: bool = False,
        tools: list[dict[str, Any]] | None = None,
        hidden_tokens: int = 0,
    ) -> Ask:
        """A chat completion over the thread as it is now. `cached` tokens were sent before."""
        body: dict[str, Any] = {"messages": list(thread.encoded), "temperature": 0.2}
        if tools:
            body["tools"] = tools
        prompt = thread.tokens + hidden_tokens
        has_cache = self.model.price.cached is not None and self.model.price.written is None
        reads = cached // 128 * 128 if has_cache and cached >= _SHORTEST_CACHED else 0
        thinking = int(self._rng.lognormvariate(5.4, 0.6)) if self.model.reasons else 0
        usage = Usage(prompt, answer.tokens + thinking, cached=reads, reasoning=thinking)
        return self._ask("acompletion", at, body, answer.as_response(), usage, stream=stream)

    def other(
        self, call_type: str, at: float, body: dict[str, Any], answer: dict[str, Any], usage: Usage
    ) -> Ask:
        """A request of another kind than chat."""
        return self._ask(call_type, at, body, answer, usage)

    def messages(
        self, at: float, session: str, body: dict[str, Any], answer: dict[str, Any], usage: Usage
    ) -> Ask:
        """A streamed /v1/messages request of a coding client, which puts its session into an ID."""
        user_id = f"user_{self.key.token[:16]}_account__session_{session}"
        body = {**body, "metadata": {"user_id": user_id}}
        ask = self._ask("anthropic_messages", at, body, answer, usage, stream=True)
        return replace(ask, session=session, end_user=user_id)

    def _ask(
        self,
        call_type: str,
        at: float,
        body: dict[str, Any],
        answer: dict[str, Any],
        usage: Usage,
        *,
        stream: bool = False,
    ) -> Ask:
        return Ask(
            key=self.key,
            model=self.model,
            call_type=call_type,
            at=at,
            body=body,
            answer=answer,
            usage=usage,
            session=self._session if self.key.sends_session else new_id(self._rng),
            names_session=self.key.sends_session,
            stream=stream,
            end_user=self._end_user,
            tags=self.key.tags,
        )


def insist(rng: Random, ask: Ask, scene: Scene) -> list[Outcome]:
    """The request and, after a failure, perhaps the same one again. The last one counts."""
    outcomes = [send(rng, ask, scene.outage)]
    while outcomes[-1].failure is not None and len(outcomes) < 4 and rng.random() < 0.6:
        ask = ask.again(outcomes[-1].ended + rng.lognormvariate(2.4, 0.6))
        if not ask.names_session and ask.call_type != "anthropic_messages":
            ask = replace(ask, session=new_id(rng))
        outcomes.append(send(rng, ask, scene.outage))
    return outcomes


Step = tuple[ChatMessage, ChatMessage]
"""The model calls a tool; the tool returns a result."""

_CLI_HIDDEN_TOKENS = 11_000  # the tools and the long system prompt of a coding client
_LOOP_BEFORE_SUMMARY = 45
RUNAWAY_REQUESTS = 430


def agent(rng: Random, key: Key, at: float, scene: Scene, theme: str) -> Iterator[Outcome]:
    """An agent works on one task until it has a result."""
    asker, task, voice = Asker(rng, key, scene, at), _tasks()[theme], Voice(rng)
    thread = Thread()
    thread.add(ChatMessage("system", task["system"] + "\n\n" + handbook()))
    thread.add(ChatMessage("user", voice.fill(rng.choice(task["goals"]))))
    tools, before = _tools(task), 0
    for message, result in [*_steps(rng, task, voice, "call_"), (_last(task, voice), None)]:
        ask = asker.chat(at, thread, message, cached=before, tools=tools, hidden_tokens=600)
        tries = insist(rng, ask, scene)
        yield from tries
        if tries[-1].failure is not None or result is None:
            return
        before = thread.tokens
        thread.add(message, result)
        at = tries[-1].ended + rng.lognormvariate(1.2, 0.9)


def cli(rng: Random, key: Key, at: float, scene: Scene, theme: str) -> Iterator[Outcome]:
    """A person with a coding client: tasks one after the other in one session."""
    asker, session = Asker(rng, key, scene, at), new_id(rng)
    task = _tasks()[theme or "cli"]
    thread, before = Thread(anthropic=True), 0
    for _ in range(rng.choice((1, 1, 2, 3))):
        voice = Voice(rng)
        thread.add(ChatMessage("user", voice.fill(rng.choice(task["goals"]))))
        steps = [*_steps(rng, task, voice, "toolu_"), (_last(task, voice), None)]
        for message, result in steps:
            prompt = thread.tokens + _CLI_HIDDEN_TOKENS
            usage = Usage(prompt, message.tokens + 30, cached=before, written=prompt - before)
            body = _cli_body(task, thread)
            ask = asker.messages(at, session, body, message.as_response(), usage)
            tries = insist(rng, ask, scene)
            yield from tries
            if tries[-1].failure is not None:
                return
            before = prompt
            thread.add(message, *([result] if result else []))
            at = tries[-1].ended + rng.lognormvariate(1.4, 0.9)
        at += rng.lognormvariate(4.6, 0.6)
        if at - tries[-1].ended > 300:
            before = 0  # the provider's cache has expired by then


def runaway(rng: Random, key: Key, scene: Scene) -> Iterator[Outcome]:
    """An agent that runs in a loop for a night and pays for its whole history each time."""
    asker, task, voice = Asker(rng, key, scene, scene.runaway_at), _tasks()["ci"], Voice(rng)
    story, at = _tasks()["runaway"], scene.runaway_at
    goal = ChatMessage("user", voice.fill(story["goal"]))
    briefing = ChatMessage("system", task["system"] + "\n\n" + handbook())
    thread, tools = Thread(), _tools(task)
    for turn in range(RUNAWAY_REQUESTS):
        if turn % _LOOP_BEFORE_SUMMARY == 0:
            thread = Thread()
            thread.add(briefing, goal)
            if turn:
                thread.add(ChatMessage("user", story["summary"]))
        message, result = _step(rng, story["steps"][turn % 4], voice, "call_")
        if result.text.startswith("#"):
            result = ChatMessage("tool", _long_file(voice, turn), (), result.answers_call)
        ask = asker.chat(at, thread, message, tools=tools, hidden_tokens=9_000)
        tries = insist(rng, ask, scene)
        yield from tries
        if tries[-1].failure is None:
            thread.add(message, result)
        at = tries[-1].ended + rng.uniform(14, 34)


def _steps(rng: Random, task: dict[str, Any], voice: Voice, prefix: str) -> list[Step]:
    count = rng.randint(3, len(task["steps"]))
    return [_step(rng, step, voice, prefix) for step in task["steps"][:count]]


def _step(rng: Random, step: list[str], voice: Voice, prefix: str) -> Step:
    say, tool, argument, result = (voice.fill(part) for part in step)
    parameter = _parameters()[tool]
    call = ToolCall(
        id=f"{prefix}{rng.getrandbits(96):024x}",
        name=tool,
        arguments=orjson.dumps({parameter: argument}).decode(),
    )
    return ChatMessage("assistant", say, (call,)), ChatMessage("tool", result, (), call.id)


def _last(task: dict[str, Any], voice: Voice) -> ChatMessage:
    return ChatMessage("assistant", voice.fill(task["answer"]))


def _long_file(voice: Voice, turn: int) -> str:
    """A file that is longer than what LiteLLM stores of a text."""
    line = voice.fill(
        "def _legacy_{{function}}_%d(rows):\n    return [row for row in rows if row]\n"
    )
    return "".join(line % (turn * 100 + number) for number in range(110))


def _cli_body(task: dict[str, Any], thread: Thread) -> dict[str, Any]:
    block = {"type": "text", "text": task["system"], "cache_control": {"type": "ephemeral"}}
    tools = [
        {
            "name": tool["name"],
            "description": tool["description"],
            "input_schema": _schema(tool["parameter"]),
        }
        for tool in task["tools"]
    ]
    messages = list(thread.encoded)
    return {"max_tokens": 8192, "system": [block], "messages": messages, "tools": tools}


def _tools(task: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": tool["description"],
                "parameters": _schema(tool["parameter"]),
            },
        }
        for tool in task["tools"]
    ]


def _schema(parameter: str) -> dict[str, Any]:
    properties = {parameter: {"type": "string"}}
    return {"type": "object", "properties": properties, "required": [parameter]}


@cache
def _tasks() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("tasks.toml").read_text(encoding="utf-8"))


@cache
def _parameters() -> dict[str, str]:
    tasks = (task for task in _tasks().values() if "tools" in task)
    return {tool["name"]: tool["parameter"] for task in tasks for tool in task["tools"]}
