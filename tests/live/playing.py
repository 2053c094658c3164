"""A client's habit as a value, and how it is played to a proxy."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.live.answers import Answer, Json
from tests.live.client import CHAT, MESSAGES, RESPONSES, Client, Exchange, Request
from tests.live.vendor import Vendor

MODELS = {CHAT: "gpt-4o", MESSAGES: "claude", RESPONSES: "gpt-4o"}
FAILING = "server-error"
KEY = "alice-key"


@dataclass(frozen=True)
class Turn:
    """A request: what its body holds beside the model, and the choices that it is answered.

    A turn without choices fails. `after` is the index of the turn whose response the body
    names as the one before it.
    """

    body: Json
    choices: tuple[Answer, ...] = ()
    after: int | None = None


@dataclass(frozen=True)
class Habit:
    """What a client does, and what was said. Turns in a tuple of their own go out at once.

    `said` are the messages that there are, each once, in the order in which they were first
    said, and `changed` the texts that took the place of earlier ones when they were sent again;
    `tests.live.said` describes how a line is written.
    """

    name: str
    path: str
    turns: Sequence[Turn | tuple[Turn, ...]]
    said: Sequence[str]
    changed: Sequence[str] = ()


def play(habit: Habit, client: Client, vendor: Vendor) -> None:
    """Send the turns of a habit, as a session that has its name, as long as they are taken."""
    done: list[Exchange] = []
    for step in habit.turns:
        together = step if isinstance(step, tuple) else (step,)
        requests = [_request(habit, turn, done) for turn in together]
        done += _sent(requests, together, client, vendor)
        if refused(done):
            vendor.forget_answers()
            return


def refused(exchanges: Iterable[Exchange]) -> list[object]:
    """What came back in place of an answer to the turns that should not have failed."""
    unexpected = [one for one in exchanges if one.failed and one.request.body["model"] != FAILING]
    return [one.received for one in unexpected]


def _request(habit: Habit, turn: Turn, done: Sequence[Exchange]) -> Request:
    model = MODELS[habit.path] if turn.choices else FAILING
    body = {"model": model} | ({"max_tokens": 500} if habit.path == MESSAGES else {}) | turn.body
    if turn.after is not None:
        body["previous_response_id"] = done[turn.after].received["id"]
    return Request(habit.path, body, KEY, habit.name)


def _sent(
    requests: Sequence[Request], turns: Sequence[Turn], client: Client, vendor: Vendor
) -> list[Exchange]:
    """Each has reached the vendor before the next is sent, and all have before one is answered."""
    under_way = []
    with ThreadPoolExecutor() as threads, vendor.holding():
        for request, turn in zip(requests, turns, strict=True):
            if turn.choices:
                vendor.will_answer(*turn.choices)
            under_way.append(threads.submit(client.send, request))
            if turn.choices:
                vendor.wait_for_request(or_until=under_way[-1].done)
    return [one.result() for one in under_way]
