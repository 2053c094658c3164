"""What was said as lines of text, of a client's records and of the app's own reading.

    user: Weather in Paris?
    assistant: (They want the weather.) Let me see. {weather {"city": "Paris"}}
    tool: [21 degrees]

`(…)` is reasoning, `{…}` a call, `[…]` a tool's result, `<…>` an image or a file, `#…#` data.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.live.answers import Answer, Json
from tests.live.client import EMBEDDINGS, Exchange
from tests.live.living import Live
from tests.live.playing import KEY, Habit, refused
from tracelib.conversation import Message, Part, Reading, Turn
from tracelib.conversation import turns as turns_of
from tracelib.selection import Selection

FRAMES = {"text": "%s", "reasoning": "(%s)", "tool_result": "[%s]", "data": "#%s#"}
LONGEST_STORED = 2_048
HEAD, TAIL = int(0.35 * LONGEST_STORED), int(0.65 * LONGEST_STORED)
"""How many characters of a text LiteLLM stores; of a longer one, so many at both ends."""


def said_by(read: Sequence[Turn]) -> list[str]:
    """The messages of these turns, in order."""
    return [_line(message) for turn in read for message in (*turn.new_messages, *turn.responses)]


def changed_by(read: Sequence[Turn]) -> list[str]:
    """The messages that these turns tell as changes of earlier ones, in order."""
    changes = [change for turn in read for change in turn.changes]
    return [_line(message) for change in changes for message in change.messages]


def session_turns(live: Live, selection: Selection) -> tuple[Turn, ...]:
    """The turns of a session, as the app reads them."""
    return turns_of(live.source, Reading(selection), count=200).turns


def _line(message: Message) -> str:
    return f"{message.role}: {' '.join(map(_part, message.parts))}"


def _part(part: Part) -> str:
    if part.kind == "tool_call":
        return called(part.name or "", part.text)
    return FRAMES.get(part.kind, "<%s>") % part.text


def called(name: str, arguments: str) -> str:
    """A call, its arguments in one spelling."""
    return f"{{{name} {json.dumps(json.loads(arguments), sort_keys=True)}}}"


def sent_and_received(exchange: Exchange) -> list[str]:
    """What the client asked and was answered in a request of one question."""
    body = exchange.request.body
    if exchange.request.path == EMBEDDINGS:
        vectors = len(exchange.received["data"])
        return [f"user: {' '.join(body['input'])}", f"assistant: #{vectors} vectors of 8 numbers#"]
    asked = body.get("messages") or [{"role": "user", "content": body["input"]}]
    return [*map(_asked, asked), *answered(exchange.answers)]


def _asked(message: Json) -> str:
    return f"{message['role']}: {_as_stored(message['content'])}"


def _as_stored(text: str) -> str:
    """The text as the app shows it once LiteLLM has cut it."""
    if len(text) <= LONGEST_STORED:
        return text
    cut = f" … [{len(text) - HEAD - TAIL:,} characters cut by LiteLLM] … "
    return text[:HEAD] + cut + text[-TAIL:]


def assert_habit(live: Live, habit: Habit) -> None:
    """The session of this habit says what was said in it, and as answers what came back."""
    sent = live.sent_in(habit.name)
    assert refused(sent) == []
    read = session_turns(live, live.session(habit.name, KEY))
    assert said_by(read) == list(habit.said)
    assert changed_by(read) == list(habit.changed)
    came_back = Counter(line for one in sent for line in answered(one.answers))
    assert Counter(_line(message) for turn in read for message in turn.responses) == came_back


def assert_all_was_said(live: Live, habits: Iterable[Habit]) -> None:
    """Each turn of each session says what was sent in it and what came back.

    Those of habits are left out: their requests repeat what was said before.
    """
    names = {habit.name for habit in habits}
    for selection, exchanges in live.sessions().items():
        if selection.session_ids[0] not in names:
            sent = Counter((one.failed, *sent_and_received(one)) for one in exchanges)
            turns = session_turns(live, selection)
            assert Counter((one.request.is_failure, *said_by([one])) for one in turns) == sent


def answered(choices: Iterable[Answer]) -> list[str]:
    """The lines of an answer, one for each choice."""
    return [f"assistant: {_answer(one)}" for one in choices]


def _answer(answer: Answer) -> str:
    thinking = [f"({answer.thinking})"] * bool(answer.thinking)
    text = [answer.text] * bool(answer.text)
    calls = [called(one.name, one.arguments) for one in answer.calls]
    return " ".join([*thinking, *text, *calls])
