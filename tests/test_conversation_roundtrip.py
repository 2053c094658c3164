"""Any conversation, stored as LiteLLM stores it and read back, is whole and says nothing twice.

Conversations are generated as plain messages, each with a mark of its own; they branch, call
tools, fail, are resent, and are written in three APIs. Long strings are cut as LiteLLM cuts.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stored_rows import made
from tracelib.conversation import StoredRequest, Turn, transcript

LIMIT = 300  # of LiteLLM's 2048, so that examples stay small
CHAT, ANTHROPIC, RESPONSES = range(3)


@dataclass(frozen=True)
class Plain:
    """A message as any API could send it."""

    role: str
    mark: str
    calls: tuple[str, ...] = ()  # marks of the calls it makes
    is_long: bool = False

    @property
    def text(self) -> str:
        return f"<{self.mark}> {'long ' * 120 if self.is_long else 'said'}"


def arguments(mark: str, said: Plain) -> dict[str, Any]:
    return {"path": f"<{mark}>", "line": 3.0, "patch": "p " * 300 if said.is_long else "x"}


def cut(value: Any) -> Any:
    """LiteLLM's own cut, on every string wherever it is."""
    if isinstance(value, dict):
        return {key: cut(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [cut(entry) for entry in value]
    if not isinstance(value, str) or len(value) <= LIMIT:
        return value
    head, tail = int(LIMIT * 0.35), int(LIMIT * 0.65)
    skipped = len(value) - head - tail
    return f"{value[:head]}... (litellm_truncated skipped {skipped} chars) ...{value[-tail:]}"


def chat_message(said: Plain, is_resent: bool) -> dict[str, Any]:
    if said.role == "tool":
        return {"role": "tool", "tool_call_id": said.mark.split(".")[0], "content": said.text}
    message: dict[str, Any] = {"role": said.role, "content": said.text}
    if said.calls:
        message["content"] = said.text if said.is_long else None if is_resent else ""
        message["tool_calls"] = [chat_call(mark, said, is_resent) for mark in said.calls]
    if said.role == "assistant" and not is_resent:
        message["reasoning_content"] = "Let me think."
    return message


def chat_call(mark: str, said: Plain, is_resent: bool) -> dict[str, Any]:
    spacing = (",", ":") if is_resent else None
    function = {"name": "edit", "arguments": json.dumps(arguments(mark, said), separators=spacing)}
    if said.is_long:  # text, so cut wherever its spacing puts the cut
        function["arguments"] = json.dumps(arguments(mark, said))
    return {"id": mark, "type": "function", "function": function}


def anthropic_message(said: Plain) -> dict[str, Any]:
    text = {"type": "text", "text": said.text, "cache_control": {"type": "ephemeral"}}
    if said.role == "tool":
        call = said.mark.split(".")[0]
        block = {"type": "tool_result", "tool_use_id": call, "content": said.text}
        return {"role": "user", "content": [block]}
    calls = [
        {"type": "tool_use", "id": mark, "name": "edit", "input": arguments(mark, said)}
        for mark in said.calls
    ]
    return {"role": said.role, "content": calls if calls and not said.is_long else [text, *calls]}


def response_items(said: Plain, is_resent: bool) -> list[dict[str, Any]]:
    if said.role == "tool":
        call = said.mark.split(".")[0]
        return [{"type": "function_call_output", "call_id": call, "output": said.text}]
    kind = "output_text" if said.role == "assistant" else "input_text"
    item = {"role": said.role, "type": "message", "content": [{"type": kind, "text": said.text}]}
    if said.role != "assistant":
        return [item]
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Let me think."}]}
    calls = [
        {"type": "function_call", "call_id": mark, **chat_call(mark, said, is_resent)["function"]}
        for mark in said.calls
    ]
    spoken = [item] if said.is_long or not said.calls else []
    return [*([] if is_resent else [thought]), *spoken, *calls]


def request_body(api: int, system: str, history: Sequence[Plain]) -> dict[str, Any]:
    if api == CHAT:
        told = [chat_message(said, is_resent=True) for said in history]
        return {"messages": [{"role": "system", "content": system}, *told]}
    if api == ANTHROPIC:
        blocks = [{"type": "text", "text": system}]
        return {"system": blocks, "messages": [anthropic_message(said) for said in history]}
    items = [item for said in history for item in response_items(said, is_resent=True)]
    return {"instructions": system, "input": items}


def response_body(api: int, answer: Plain | None) -> dict[str, Any]:
    if answer is None:
        return {}
    if api == RESPONSES:
        return {"object": "response", "output": response_items(answer, is_resent=False)}
    message = chat_message(answer, is_resent=False)
    return {"object": "chat.completion", "choices": [{"message": message}]}


@dataclass
class Client:
    """Sends requests as the steps say, and remembers what it sent."""

    rows: list[StoredRequest] = field(default_factory=list)
    states: list[tuple[int, str, tuple[Plain, ...]]] = field(default_factory=list)
    extended: list[int | None] = field(default_factory=list)  # per row, the row it goes on from
    asked: list[tuple[Plain, ...]] = field(default_factory=list)
    marks: int = 0

    def step(self, action: str, which: int, back: int, calls: int, is_long: bool) -> None:
        if action == "start" or not self.states:
            system = f"You are agent {'abc'[which % 3] * 3}."
            new = self.plain("user", is_long)
            return self.send(which % 3, system, (new,), None, calls, is_long, fails=False)
        row = which % len(self.states) if action in ("edit", "resend") else len(self.states) - 1
        api, system, history = self.states[row]
        if action == "resend":
            asked = self.asked[row]
            return self.send(api, system, asked, None, calls, is_long, fails=False)
        if action == "edit":
            kept = history[: max(1, len(history) - back)]
            row = row if len(kept) == len(history) else None
            history = kept
        new = self.next_messages(history, is_long)
        self.send(api, system, (*history, *new), row, calls, is_long, fails=action == "fail")
        return None

    def next_messages(self, history: Sequence[Plain], is_long: bool) -> list[Plain]:
        results = [
            Plain("tool", f"{mark}.{self.next_mark()}", is_long=is_long)
            for mark in history[-1].calls
        ]
        return results or [self.plain("user", is_long)]

    def plain(self, role: str, is_long: bool, calls: int = 0) -> Plain:
        made_calls = tuple(self.next_mark() for _ in range(calls))
        return Plain(role, self.next_mark(), made_calls, is_long)

    def next_mark(self) -> str:
        self.marks += 1
        return f"m{self.marks}"

    def send(
        self,
        api: int,
        system: str,
        asked: tuple[Plain, ...],
        parent: int | None,
        calls: int,
        is_long: bool,
        fails: bool,
    ) -> None:
        answer = None if fails else self.plain("assistant", is_long, calls)
        index = len(self.rows)
        self.rows.append(
            made(
                cut(request_body(api, system, asked)),
                cut(response_body(api, answer)),
                call_type=("acompletion", "anthropic_messages", "aresponses")[api],
                request_id=f"r{index}",
                at=index,
                is_failure=fails,
            )
        )
        self.asked.append(asked)
        self.states.append((api, system, (*asked, answer) if answer else asked))
        self.extended.append(parent)


STEPS = st.tuples(
    st.sampled_from(["start", "go on", "go on", "go on", "edit", "resend", "fail"]),
    st.integers(0, 9),
    st.integers(0, 4),
    st.integers(0, 2),
    st.booleans(),
)


def sent(steps: Sequence[tuple[str, int, int, int, bool]]) -> Client:
    client = Client()
    for step in steps:
        client.step(*step)
    return client


def marks_in(turn: Turn) -> list[str]:
    texts = [
        part.text
        for message in (*turn.asked, *turn.answered)
        if message.role != "system"
        for part in message.parts
    ]
    return re.findall(r"<(m[\d.m]+)>", " ".join(texts))


def expected_marks(client: Client) -> Counter[str]:
    """Each message once, whichever requests it was in; its calls, and its text if it has one."""
    seen = {said for _, _, history in client.states for said in history}
    marks = [call for said in seen for call in said.calls]
    marks += [said.mark for said in seen if not said.calls or said.is_long]
    return Counter(marks)


@settings(max_examples=250, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_no_message_is_lost_and_none_is_said_twice(steps):
    client = sent(steps)
    turns = transcript(client.rows).turns
    shown = Counter(mark for turn in turns for mark in marks_in(turn))
    # In arguments that were cut the mark stands at the beginning, before the cut.
    assert shown == expected_marks(client)


@settings(max_examples=250, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_a_request_that_goes_on_from_another_says_so(steps):
    client = sent(steps)
    turns = transcript(client.rows).turns
    newest: dict[int, str] = {}
    for turn, parent in zip(turns, client.extended, strict=True):
        if parent is not None:
            before = turns[parent]
            assert turn.parent_id == before.request.request_id
            assert turn.thread == before.thread
            assert turn.branches == (newest[turn.thread] != turn.parent_id)
        newest[turn.thread] = turn.request.request_id


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_a_system_prompt_is_shown_where_its_thread_starts_and_nowhere_else(steps):
    started: set[int] = set()
    for turn in transcript(sent(steps).rows).turns:
        systems = [message for message in turn.asked if message.role == "system"]
        assert len(systems) == (0 if turn.thread in started else 1)
        started.add(turn.thread)


def test_the_generated_conversations_do_branch_call_fail_and_are_cut():
    """Else the tests above would hold of nothing."""
    steps = [
        ("start", 0, 0, 2, True),
        ("go on", 0, 0, 1, False),
        ("edit", 0, 2, 0, False),
        ("resend", 1, 0, 0, False),
        ("fail", 0, 0, 0, False),
        ("start", 1, 0, 1, True),
        ("go on", 0, 0, 0, True),
        ("start", 2, 0, 1, True),
        ("go on", 0, 0, 0, True),
    ]
    client = sent(steps)
    turns = transcript(client.rows).turns
    assert [(turn.thread, turn.parent_id, turn.branches) for turn in turns] == [
        (0, None, False),
        (0, "r0", False),
        (0, "r0", True),
        (0, "r1", True),
        (0, "r3", False),
        (1, None, True),
        (1, "r5", False),
        (2, None, True),
        (2, "r7", False),
    ]
    parts = [part for turn in turns for said in turn.asked for part in said.parts]
    assert any(part.truncated_chars for part in parts)
    assert {part.kind for part in parts} == {"text", "tool_result"}
