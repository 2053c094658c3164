"""Every session of several requests, in the true rows and in the sample traffic, told whole.

What should be told is found here by plain means, from the rows alone: of each request the
messages beyond the longest run that it shares with an earlier one, that one's answer included.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests import rows
from tests.database import Database
from tests.server import Server
from tests.sources import source_of
from tracelib import demo
from tracelib.conversation import Message, Reading, Turn, turns
from tracelib.demo.gateway import scene
from tracelib.selection import session

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
TURNS_A_PAGE = 9
CUT = re.compile(r"\.\.\. \(litellm_truncated skipped (\d+) chars[^)]*(?:\([^)]*\)[^)]*)?\) \.\.\.")
REDACTED = "redacted-by-litellm"
REDACTED_SHOWN = "Redacted by LiteLLM before it was stored"

Row = dict[str, Any]


@dataclass(frozen=True)
class Spoken:
    """A message in plain values. Calls as (name, arguments), a result as (tool, text)."""

    role: str
    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    result: tuple[str, str] | None = None


@dataclass(frozen=True)
class Told:
    """A turn in plain values: what was new in it, what was answered, and its metrics."""

    number: int
    request_id: str
    new: tuple[Spoken, ...]
    repeated: int
    answers: tuple[Spoken, ...]
    metrics: dict[str, Any]


# ---------------------------------------------------------------- what the rows say


def expected(session_rows: Iterable[Row]) -> list[Told]:
    ordered = sorted(session_rows, key=lambda row: (moment(row["startTime"]), row["request_id"]))
    before: list[list[Spoken]] = []
    told = []
    for number, row in enumerate(ordered, start=1):
        asked, answers = asked_in(row), answers_in(row)
        is_hidden = any(said.text == REDACTED_SHOWN for said in asked)
        new = asked if is_hidden else fewest([news(asked, other) for other in before], asked)
        metrics, id_ = metrics_of(row), row["request_id"]
        told.append(Told(number, id_, tuple(new), len(asked) - len(new), tuple(answers), metrics))
        if not is_hidden:
            before.append([*asked, *answers])
    return told


def fewest(several: Iterable[list[Spoken]], asked: list[Spoken]) -> list[Spoken]:
    return min(several, key=len, default=asked)


def news(asked: list[Spoken], other: list[Spoken]) -> list[Spoken]:
    """What of these messages is not in the other conversation, from its beginning on?

    A system prompt alone is nothing in common, unless the first message sums the other up.
    """
    prompts, rest = divided(asked)
    prompts_before, rest_before = divided(other)
    pairs = zip(rest, rest_before, strict=False)
    known = next((n for n, (one, two) in enumerate(pairs) if key(one) != key(two)), None)
    known = min(len(rest), len(rest_before)) if known is None else known
    # Under another system prompt a shared question may be that of another agent.
    is_quoted = prompts == prompts_before or any(said.role == "assistant" for said in rest[:known])
    if not (known and is_quoted) and not is_summary(rest, other):
        return asked
    return [said for said in prompts if said not in prompts_before] + rest[known:]


def divided(asked: list[Spoken]) -> tuple[list[Spoken], list[Spoken]]:
    """The system prompts at the beginning, and what follows them."""
    count = next((n for n, said in enumerate(asked) if said.role != "system"), len(asked))
    return asked[:count], asked[count:]


def is_summary(rest: list[Spoken], other: list[Spoken]) -> bool:
    summed_up = rest[0].text if rest else ""
    return "Summary: " in summed_up and other[0].text.startswith("You are a coding agent")


def key(said: Spoken) -> Spoken:
    """Clients send an answer back without the blanks around it."""
    return replace(said, text=said.text.strip())


def asked_in(row: Row) -> list[Spoken]:
    body = json.loads(row["proxy_server_request"])
    messages = body.get("messages", [])
    if "system" in body:
        messages = [{"role": "system", "content": body["system"]}, *messages]
    names = {
        call["id"]: call.get("name") or call["function"]["name"]
        for message in messages
        for call in calls_in(message)
    }
    return [spoken(message, names) for message in messages]


def answers_in(row: Row) -> list[Spoken]:
    choices = json.loads(row["response"]).get("choices", [])
    return [spoken(choice["message"], {}) for choice in choices]


def spoken(message: Row, names: dict[str, str]) -> Spoken:
    content = message["content"] or ""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results = [block for block in blocks if block["type"] == "tool_result"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = tuple(called(call) for call in calls_in(message))
    if results:
        (result,) = results
        return Spoken("tool", result=(names[result["tool_use_id"]], shortened(result["content"])))
    if message["role"] == "tool":
        return Spoken("tool", result=(names[message["tool_call_id"]], shortened(text)))
    return Spoken(message["role"], shortened(text), calls)


def calls_in(message: Row) -> list[Row]:
    content = message["content"] if isinstance(message["content"], list) else []
    used = [block for block in content if block["type"] == "tool_use"]
    return [*used, *(message.get("tool_calls") or [])]


def called(call: Row) -> tuple[str, str]:
    if "function" in call:
        function = call["function"]
        return function["name"], same_json(json.loads(shortened(function["arguments"])))
    return call["name"], same_json(call["input"])


def same_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def shortened(text: str) -> str:
    """As a person reads it: LiteLLM's cut in few words, its redaction in a sentence."""
    if text == REDACTED:
        return REDACTED_SHOWN
    return CUT.sub(lambda found: f" … [{int(found[1]):,} characters cut by LiteLLM] … ", text)


def metrics_of(row: Row) -> dict[str, Any]:
    about = json.loads(row["metadata"])
    error = about.get("error_information") or {}
    usage = about.get("additional_usage_values") or {}
    details = usage.get("prompt_tokens_details") or {}
    started, ended = moment(row["startTime"]), moment(row["endTime"])
    duration_ms = row.get("request_duration_ms")
    if duration_ms is None:
        duration_ms = round((ended - started) / timedelta(milliseconds=1))
    return {
        "started_at": started,
        "ended_at": ended,
        "model": row["model_group"] or row["model"] or "unknown",
        "prompt_tokens": row["prompt_tokens"],
        "completion_tokens": row["completion_tokens"],
        "total_tokens": row["total_tokens"],
        "cached_prompt_tokens": usage.get("cache_read_input_tokens", details.get("cached_tokens")),
        "spend_usd": float(f"{row['spend']:.15g}"),  # as many digits as a sum is exact in
        "latency_ms": duration_ms if duration_ms >= 0 else None,  # a clock that was set back
        "is_cache_hit": row["cache_hit"] == "True",
        "is_failure": row["status"] == "failure",
        "error_class": error.get("error_class"),
        "error_code": error.get("error_code") or None,
    }


def moment(stored: str | datetime) -> datetime:
    """A time as the column keeps it: to the millisecond."""
    value = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    whole_ms = round(value.microsecond / 1000)
    return value.replace(microsecond=0, tzinfo=UTC) + timedelta(milliseconds=whole_ms)


# ---------------------------------------------------------------- what is told


def told_by(turn: Turn) -> Told:
    known = {name: getattr(turn.request, name) for name in METRICS}
    return Told(
        turn.number,
        turn.request.request_id,
        tuple(map(plain, turn.new_messages)),
        turn.repeated,
        tuple(map(plain, turn.responses)),
        known,
    )


METRICS = (
    "started_at",
    "ended_at",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_prompt_tokens",
    "spend_usd",
    "latency_ms",
    "is_cache_hit",
    "is_failure",
    "error_class",
    "error_code",
)


def plain(message: Message) -> Spoken:
    assert {part.kind for part in message.parts} <= {"text", "tool_call", "tool_result"}
    text = "".join(part.text for part in message.parts if part.kind == "text")
    calls = [part for part in message.parts if part.kind == "tool_call"]
    results = [(part.name, part.text) for part in message.parts if part.kind == "tool_result"]
    return Spoken(
        message.role,
        text,
        tuple((call.name, same_json(json.loads(call.text))) for call in calls),
        results[0] if results else None,
    )


def whole_sessions(logs: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """The sessions of several requests, by their id and key."""
    grouped = defaultdict(list)
    for row in logs:
        grouped[row["session_id"] or row["request_id"], row["api_key"]].append(row)
    return {named: found for named, found in grouped.items() if len(found) > 1}


def assert_all_told(source, logs: Iterable[Row]) -> dict[tuple[str, str], list[Told]]:
    """Each session, read a few turns at a time, is what its rows say; what they say."""
    said = {}
    for named, found in whole_sessions(logs).items():
        said[named] = expected(found)
        reading, told = Reading(session(*named)), []
        for first in range(1, len(found) + 1, TURNS_A_PAGE):
            page = turns(source, reading, first, TURNS_A_PAGE)
            assert (page.total, page.is_compared) == (len(found), True)
            told += map(told_by, page.turns)
        assert len(told) == len(found)
        for turn, wanted in zip(told, said[named], strict=True):
            assert turn.metrics == wanted.metrics
            assert turn == wanted
    return said


# ---------------------------------------------------------------- the sessions


@pytest.fixture
def sample(server: Server) -> Iterator[Database]:
    made = Database(server)
    yield made
    made.drop()


def test_each_session_of_the_real_rows_is_told_whole(real_rows_database):
    source = source_of(real_rows_database)
    said = assert_all_told(source, rows.real_rows())
    assert sorted(map(len, said.values())) == [2, 2, 2, 3, 3, 5, 25]


def test_each_session_of_an_afternoon_of_the_sample_is_told_whole(sample):
    logs = list(demo.requests(demo.SEED, NOW - timedelta(hours=7), NOW))
    sample.insert(logs)
    said = assert_all_told(source_of(sample), logs)
    told = [turn for whole in said.values() for turn in whole]
    shown = [message for turn in told for message in (*turn.new, *turn.answers)]
    assert len(said) > 60
    assert {message.role for message in shown} == {"system", "user", "assistant", "tool"}
    assert any(turn.metrics["is_failure"] for turn in told)
    assert any(turn.repeated and not turn.new for turn in told)  # sent again after a failure
    assert any("characters cut by LiteLLM" in message.text for message in shown)
    assert any(not turn.new and not turn.answers for turn in told)  # of a team that stores none


def test_the_agent_of_the_sample_that_goes_round_in_circles_is_told_whole(sample):
    begun = datetime.fromtimestamp(scene(NOW).runaway_at, UTC)
    night = demo.requests(demo.SEED, begun, begun + timedelta(hours=1), anchor=NOW)
    longest = max(whole_sessions(night).values(), key=len)
    sample.insert(longest)
    (told,) = assert_all_told(source_of(sample), longest).values()
    begun_anew = [turn for one, turn in pairwise(told) if turn.repeated < one.repeated]
    assert len(told) > 100
    assert len(begun_anew) > 1  # from a summary, each time after 45 requests
