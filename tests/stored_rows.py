"""Rows that LiteLLM itself wrote, as the stored requests that a conversation is made of."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tracelib.conversation import Message, Part, StoredRequest, Transcript, Turn

DATA = Path(__file__).parent / "data"
NEW, MORE, OLD = "litellm_rows", "litellm_rows_more", "litellm_rows_1_80"


@cache
def _rows(file: str) -> tuple[dict[str, Any], ...]:
    lines = (DATA / f"{file}.jsonl").read_text().splitlines()
    return tuple(json.loads(line) for line in lines)


def scenario(name: str, file: str = NEW) -> StoredRequest:
    """The one row of this scenario."""
    (found,) = (row for row in _rows(file) if row["_scenario"] == name)
    return stored_request(found)


def session(*beginnings: str, file: str = NEW) -> list[StoredRequest]:
    """The rows whose scenario begins like this, as LiteLLM wrote them."""
    return [stored_request(row) for row in _rows(file) if row["_scenario"].startswith(beginnings)]


def every_row() -> Iterator[tuple[str, StoredRequest]]:
    """All rows of all files, each with the name of its scenario."""
    for file in (NEW, MORE, OLD):
        for row in _rows(file):
            yield f"{file}:{row['_scenario']}", stored_request(row)


def scenario_names(file: str) -> dict[str, str]:
    """Request ids and the scenarios they are of."""
    return {row["request_id"]: row["_scenario"] for row in _rows(file)}


def stored_request(row: dict[str, Any]) -> StoredRequest:
    """A row of the files as the database gives it: bodies as JSON text, times aware."""
    facts = json.loads(row["metadata"])
    error = facts.get("error_information") or {}
    usage = facts.get("additional_usage_values") or {}
    started = datetime.fromisoformat(row["startTime"])
    ended = datetime.fromisoformat(row["endTime"])
    first = datetime.fromisoformat(row["completionStartTime"] or row["endTime"])
    asked_model = facts.get("original_model_group")
    model = row["model_group"] or row["model"] or "unknown"
    return StoredRequest(
        request_id=row["request_id"],
        call_type=row["call_type"],
        started_at=started,
        ended_at=ended,
        model=model,
        deployment=row["model"] or None,
        provider=row["custom_llm_provider"] or None,
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        total_tokens=row["total_tokens"],
        cached_prompt_tokens=usage.get("cache_read_input_tokens"),
        spend_usd=row["spend"],
        latency_ms=(ended - started).total_seconds() * 1000,
        ttft_ms=None if first == ended else (first - started).total_seconds() * 1000,
        is_cache_hit=(row["cache_hit"] or "").lower() == "true",
        is_failure=row["status"] == "failure",
        error_class=error.get("error_class"),
        error_code=error.get("error_code"),
        error_message=error.get("error_message"),
        asked_model=asked_model if asked_model != model else None,
        attempted_retries=facts.get("attempted_retries"),
        attempted_fallbacks=facts.get("attempted_fallbacks"),
        cold_storage_key=facts.get("cold_storage_object_key"),
        request_body=row["proxy_server_request"],
        response_body=row["response"],
        messages_body=row["messages"],
    )


def made(
    asked: object,
    answered: object = None,
    *,
    call_type: str = "acompletion",
    request_id: str = "r",
    at: int = 0,
    **changes: Any,
) -> StoredRequest:
    """A request with these bodies, started `at` seconds after a fixed moment."""
    moment = datetime(2026, 11, 23, 9, tzinfo=UTC) + timedelta(seconds=at)
    plain = replace(scenario("chat_success"), started_at=moment, ended_at=moment)
    facts = {"call_type": call_type, "request_id": request_id, "messages_body": {}, **changes}
    return replace(plain, request_body=asked, response_body=answered, **facts)


@cache
def shape(case: str, file: str = "shapes") -> tuple[StoredRequest, ...]:
    """The rows of this case of a shape, a second apart."""
    found = [row for row in _rows(file) if row["case"] == case]
    return tuple(
        made(
            row["proxy_server_request"],
            row["response"],
            call_type=row["call_type"],
            messages_body=row.get("messages"),
            request_id=f"r{number}",
            at=number,
        )
        for number, row in enumerate(found, start=1)
    )


def shape_names(file: str = "shapes") -> list[str]:
    """All cases of shapes."""
    return list(dict.fromkeys(row["case"] for row in _rows(file)))


def choice(*contents: str | None, **beside: object) -> dict[str, object]:
    """The answer of a chat completion, one choice per content."""
    messages = [{"role": "assistant", "content": content, **beside} for content in contents]
    return {"object": "chat.completion", "choices": [{"message": one} for one in messages]}


def told(whole: Transcript, names: dict[str, str] | None = None) -> str:
    """A transcript in few words, a block per turn, to compare with what it should be.

        agent_03 in thread 1 after agent_02, 3 repeated
            tool: [run_tests: FAILED test_parser.py …]
         => assistant: {spawn_agent: { "task": "find callers" }}

    A `*` marks a branch, `-` a change of the history, `~` what LiteLLM cut, `(…)` reasoning,
    `{…}` a call, `[…]` a result, `[!…]` one that is an error, `<…>` media, `«…»` a citation,
    `#…#` data, `/…/` how an answer ended.
    """
    blocks = [f"note: {_few_words(note)}" for note in whole.notes]
    blocks += [_turn(turn, names or {}) for turn in whole.turns]
    return "\n".join(blocks)


def _turn(turn: Turn, names: dict[str, str]) -> str:
    name = names.get(turn.request.request_id, turn.request.request_id)
    parent = names.get(turn.parent_id or "", turn.parent_id)
    head = f"{name} in thread {turn.thread}"
    head += f" after {parent}" if parent else ""
    head += f", {turn.repeated} repeated" if turn.repeated else ""
    lines = ["* " * turn.starts_line + head]
    lines += [f"    - {change.sentence}" for change in turn.changes]
    lines += [f"    {_message(message)}" for message in turn.new_messages]
    lines += [f" => {_message(message)}" for message in turn.responses]
    lines += [f"    note: {_few_words(note)}" for note in turn.notes]
    return "\n".join(lines)


def _message(message: Message) -> str:
    parts = list(map(_part, message.parts))
    said = " ".join(parts) if sum(map(len, parts)) < 64 else "\n        ".join(parts)
    name = f" {message.name}" if message.name else ""
    ended = f" /{message.ending}/" if message.ending else ""
    return f"{message.role}{name}: {said}".rstrip() + ended


def _part(part: Part) -> str:
    marks = {
        "reasoning": "()",
        "tool_call": "{}",
        "tool_result": "[]",
        "image": "<>",
        "audio": "<>",
        "file": "<>",
        "data": "##",
        "citation": "«»",
    }
    opening, closing = marks.get(part.kind, ("", ""))
    opening += "!" if part.is_error else ""
    name = f"{part.name}: " if part.name else ""
    return f"{opening}{name}{_few_words(part.text)}{'~' * bool(part.truncated_chars)}{closing}"


def _few_words(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 48 else f"{words[:48].rstrip()} …"
