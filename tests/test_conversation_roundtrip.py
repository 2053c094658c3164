"""Any conversation, stored as LiteLLM stores it and read back, is whole and says nothing twice.

Conversations are generated as plain messages, each with a mark of its own; they branch, call
tools, fail, are resent, change their system prompt, and are written in every API that LiteLLM
stores. Long strings are cut as LiteLLM cuts.
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
CHAT, ANTHROPIC, RESPONSES, CHAINED, COMPLETION = range(5)
CALL_TYPES = (
    "acompletion",
    "anthropic_messages",
    "aresponses",
    "aresponses",
    "atext_completion",
)


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


def request_body(
    api: int, system: str, messages: Sequence[Plain], previous: str | None
) -> dict[str, Any]:
    if api == CHAT:
        told = [chat_message(said, is_resent=True) for said in messages]
        return {"messages": [{"role": "system", "content": system}, *told]}
    if api == ANTHROPIC:
        blocks = [{"type": "text", "text": system}]
        return {"system": blocks, "messages": [anthropic_message(said) for said in messages]}
    if api == COMPLETION:
        return {"prompt": "".join(said.text for said in messages)}
    items = [item for said in messages for item in response_items(said, is_resent=True)]
    named = {"previous_response_id": previous} if previous else {}
    return {"instructions": system, "input": items, **named}


def response_body(api: int, answer: Plain | None) -> dict[str, Any]:
    if answer is None:
        return {}
    if api == COMPLETION:
        return {"object": "text_completion", "choices": [{"text": answer.text}]}
    if api in (RESPONSES, CHAINED):
        return {"object": "response", "output": response_items(answer, is_resent=False)}
    message = chat_message(answer, is_resent=False)
    return {"object": "chat.completion", "choices": [{"message": message}]}


@dataclass(frozen=True)
class Sent:
    """What one request said, and what it was answered."""

    api: int
    system: str
    asked: tuple[Plain, ...]  # the history before it too
    answer: Plain | None
    parent: int | None  # the row it goes on from, where that is its newest state
    after: int | None  # the row that it names

    @property
    def state(self) -> tuple[Plain, ...]:
        return (*self.asked, self.answer) if self.answer else self.asked


@dataclass
class Client:
    """Sends requests as the steps say, and remembers what it sent. `name` begins its row ids."""

    name: str = ""
    rows: list[StoredRequest] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    marks: int = 0

    def step(self, action: str, which: int, back: int, calls: int, is_long: bool) -> None:
        if action == "start" or not self.sent:
            system = f"You are agent {'abc'[which % 3] * 3}. It is 09:00."
            return self.begin(which % 5, system, calls, is_long)
        row = which % len(self.sent) if action in ("edit", "resend") else len(self.sent) - 1
        before = self.sent[row]
        if action == "resend":
            return self.send(before.api, before.system, before.asked, None, before.after, calls)
        if before.api == COMPLETION:
            return self.begin(COMPLETION, "", calls, is_long)
        history, parent = before.state, row
        if action == "edit" and before.api != CHAINED:
            history = history[: max(1, len(history) - back)]
            parent = row if history == before.state else None
        system = before.system
        if action == "clock":
            system = f"{system.partition(' It is')[0]} It is 09:{10 + which}."
        asked = (*history, *self.next_messages(history, is_long))
        after = row if before.api == CHAINED else None
        fails = action == "fail"
        return self.send(before.api, system, asked, parent, after, calls, is_long, fails)

    def begin(self, api: int, system: str, calls: int, is_long: bool) -> None:
        self.send(api, system, (self.plain("user", is_long),), None, None, calls, is_long)

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
        after: int | None,
        calls: int,
        is_long: bool = False,
        fails: bool = False,
    ) -> None:
        calls = 0 if api == COMPLETION else calls
        answer = None if fails else self.plain("assistant", is_long, calls)
        index = len(self.rows)
        told_before = 0 if after is None else len(self.sent[after].state)
        previous = None if after is None else f"{self.name}r{after}"
        self.rows.append(
            made(
                cut(request_body(api, system, asked[told_before:], previous)),
                cut(response_body(api, answer)),
                call_type=CALL_TYPES[api],
                request_id=f"{self.name}r{index}",
                at=index,
                is_failure=fails,
            )
        )
        self.sent.append(Sent(api, system, asked, answer, parent, after))


STEPS = st.tuples(
    st.sampled_from(["start", "go on", "go on", "go on", "clock", "edit", "resend", "fail"]),
    st.integers(0, 9),
    st.integers(0, 4),
    st.integers(0, 2),
    st.booleans(),
)


def client_of(steps: Sequence[tuple[str, int, int, int, bool]], name: str = "") -> Client:
    client = Client(name)
    for step in steps:
        client.step(*step)
    return client


def marks_in(turn: Turn) -> list[str]:
    texts = [
        part.text
        for message in (*turn.new_messages, *turn.responses)
        if message.role != "system"
        for part in message.parts
    ]
    return re.findall(r"<(m[\d.m]+)>", " ".join(texts))


def expected_marks(client: Client) -> Counter[str]:
    """Each message once, whichever requests it was in; its calls, and its text if it has one."""
    seen = {said for one in client.sent for said in one.state}
    marks = [call for said in seen for call in said.calls]
    marks += [said.mark for said in seen if not said.calls or said.is_long]
    return Counter(marks)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_no_message_is_lost_and_none_is_said_twice(steps):
    client = client_of(steps)
    turns = transcript(client.rows).turns
    shown = Counter(mark for turn in turns for mark in marks_in(turn))
    # In arguments that were cut the mark stands at the beginning, before the cut.
    assert shown == expected_marks(client)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_a_request_that_goes_on_from_another_says_so(steps):
    client = client_of(steps)
    turns = transcript(client.rows).turns
    newest: dict[int, str] = {}
    for turn, one in zip(turns, client.sent, strict=True):
        if one.parent is not None:
            before = turns[one.parent]
            assert turn.parent_number == before.number
            assert turn.parent_id == before.request.request_id
            assert turn.thread == before.thread
            assert turn.starts_line == (newest[turn.thread] != turn.parent_id)
        newest[turn.thread] = turn.request.request_id


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_a_system_prompt_is_shown_where_its_thread_starts_and_where_it_changes(steps):
    client = client_of(steps)
    systems = [None if one.api == COMPLETION else one.system for one in client.sent]
    for turn in transcript(client.rows).turns:
        mine = systems[turn.number - 1]
        before = systems[turn.parent_number - 1] if turn.parent_number else None
        shown = [said.parts[0].text for said in turn.new_messages if said.role == "system"]
        changed = [said.parts[0].text for one in turn.changes for said in one.messages]
        assert shown == ([mine] if mine and before is None else [])
        assert changed == ([mine] if before is not None and mine != before else [])


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
        ("clock", 0, 0, 0, True),
        ("start", 3, 0, 1, True),
        ("go on", 0, 0, 0, True),
        ("edit", 9, 0, 0, False),
        ("start", 4, 0, 0, True),
    ]
    client = client_of(steps)
    turns = transcript(client.rows).turns
    assert [(turn.thread, turn.parent_id, turn.starts_line) for turn in turns] == [
        (0, None, False),
        (0, "r0", False),
        (0, "r0", True),
        (0, "r1", True),
        (0, "r3", False),
        (1, None, True),
        (1, "r5", False),
        (2, None, True),
        (2, "r7", False),
        (3, None, True),
        (3, "r9", False),
        (3, "r9", True),
        (4, None, False),
    ]
    assert [turn.number for turn in turns if turn.changes] == [9]
    parts = [part for turn in turns for said in turn.new_messages for part in said.parts]
    assert any(part.truncated_chars for part in parts)
    assert {part.kind for part in parts} == {"text", "tool_result"}
