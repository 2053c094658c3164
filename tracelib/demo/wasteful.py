"""Requests that cost more than they had to: sent twice, cut off, given up, or never cached."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from tracelib.demo import messages
from tracelib.demo.cast import cast, models
from tracelib.demo.exchange import Ask, Outcome, Usage
from tracelib.demo.gateway import Outage, new_id, send
from tracelib.demo.messages import ChatMessage, Thread
from tracelib.demo.rows import Row

_NEVER = Outage("", 0, 0)
_DAY_S = 86_400
# What a row shows of it, by the mark of its request.
CUT_OFF, GIVEN_UP, RETRIED, ROUTED = "cut off", "given up", "retried", "routed"
_FACTS: dict[str, dict[str, Any]] = {
    GIVEN_UP: {
        "error_information": {
            "error_class": "ClientDisconnected",
            "error_code": "499",
            "error_message": "The client disconnected before the response was complete.",
        }
    },
    RETRIED: {"billed_retry_attempt": True},
    ROUTED: {"internal_call_origin": "auto_router_classifier"},
}


def begun(seed: int, slot: float, slot_s: float, busy: float) -> Iterator[Outcome]:
    """What of this begins in a slot; `busy` is how busy the office is, 1 being a busy hour."""
    rng = Random(f"{seed} {slot:.0f} wasteful")
    at = slot + rng.uniform(0, slot_s / 2)
    if rng.random() < 0.05 * busy:
        for number in range(rng.randint(4, 8)):
            yield from _clocked(rng, at + number * rng.uniform(20, 50))
    if rng.random() < 0.3 * busy:
        yield from _the_same_again(seed, rng, at)
    if rng.random() < 0.04 * busy:
        yield from _regenerated(rng, at)
    for mark, chance in ((CUT_OFF, 0.06), (GIVEN_UP, 0.03), (RETRIED, 0.02), (ROUTED, 0.05)):
        if rng.random() < chance * busy:
            yield from _marked_once(rng, at, mark)


def marked(outcome: Outcome, row: Row) -> Row:
    """The row with what its mark means; most rows unchanged."""
    mark = outcome.ask.mark
    if not mark or outcome.failure is not None:
        return row
    if mark == CUT_OFF:
        short = row["response"].replace('"finish_reason":"stop"', '"finish_reason":"length"')
        return {**row, "response": short}
    facts = orjson.loads(row["metadata"]) | _FACTS[mark]
    return {**row, "metadata": orjson.dumps(facts).decode()}


def _clocked(rng: Random, at: float) -> Iterator[Outcome]:
    """A long system prompt that begins with the time, so that no provider finds it in its cache."""
    now = datetime.fromtimestamp(at, UTC)
    text = f"It is {now:%A, %d %B %Y, %H:%M:%S} UTC.\n\n{messages.system('data')}\n\n"
    system = ChatMessage("system", text + messages.handbook())
    question, response = messages.single(rng, "triage")
    thread = Thread()
    thread.add(system, ChatMessage("user", question))
    yield from _sent(rng, at, "sql-helper", "gpt-4.1", thread, response)


def _the_same_again(seed: int, rng: Random, at: float) -> Iterator[Outcome]:
    """A text that a program has translated again and again on one day."""
    of_day = Random(f"{seed} {at // _DAY_S:.0f} repeated")
    text, summary = messages.document(of_day, 12)
    thread = Thread()
    thread.add(ChatMessage("system", messages.system("document")), ChatMessage("user", text))
    yield from _sent(rng, at, "shop-translations", "mistral-large", thread, summary)


def _regenerated(rng: Random, at: float) -> Iterator[Outcome]:
    """A response that is asked for again until it pleases, in one session."""
    question, response = messages.single(rng, "triage")
    thread = Thread()
    thread.add(ChatMessage("system", messages.system("drafting")), ChatMessage("user", question))
    session = f"copy-desk-{rng.getrandbits(48):012x}"
    for _ in range(rng.choice((2, 3, 4))):
        yield from _sent(
            rng, at, "copy-desk", "claude-sonnet-4-5", thread, response, session=session
        )
        at += rng.uniform(25, 90)


def _marked_once(rng: Random, at: float, mark: str) -> Iterator[Outcome]:
    text, summary = messages.document(rng, 30)
    thread = Thread()
    thread.add(ChatMessage("system", messages.system("document")), ChatMessage("user", text))
    yield from _sent(rng, at, "meeting-notes", "gpt-4o", thread, summary * 2, mark=mark)


def _sent(
    rng: Random,
    at: float,
    alias: str,
    model: str,
    thread: Thread,
    response: str,
    *,
    session: str = "",
    mark: str = "",
) -> Iterator[Outcome]:
    answer = ChatMessage("assistant", response)
    ask = Ask(
        key=cast().key(alias),
        model=models()[model],
        call_type="acompletion",
        at=at,
        body={"messages": list(thread.encoded), "temperature": 0.2},
        answer=answer.as_response(),
        usage=Usage(thread.tokens, answer.tokens),
        session=session or new_id(rng),
        names_session=bool(session),
        mark=mark,
    )
    yield send(rng, replace(ask, tags=ask.key.tags), _NEVER)
