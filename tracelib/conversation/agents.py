"""What agents say to each other by A2A, a JSON-RPC protocol."""

from collections.abc import Mapping
from dataclasses import replace

from tracelib.conversation.chat import answer_message, message
from tracelib.conversation.endings import ending
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import mapping, string
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.parts import parts_of
from tracelib.conversation.texts import rest_parts, shown_name, text_part

_WRAPPED = ("task", "message", "statusUpdate", "artifactUpdate")


def answer(fields: Fields) -> tuple[Message, ...]:
    """What an agent answered: a message, or a task with its state and what it made.

    None where `result` is of no such kind. What was said before in the task comes first.
    """
    result = unwrapped(mapping(fields.peek("result")))
    if "parts" in result:
        fields.drop("result")
        return (answer_message(result),)
    if not (mapping(result.get("status")) or result.get("artifacts")):
        return ()
    fields.drop("result", "jsonrpc")
    task = Fields(result)
    status = task.inner("status")
    said = answer_message(status.inner("message").left())
    made = [part for one in task.objects("artifacts") for part in _artifact(one)]
    before = [message(one.left()) for one in task.objects("history")]
    ended = ending(status.text("state"))
    rest = rest_parts(task, status)
    last = Message("assistant", (*said.parts, *made, *rest), ending=ended)
    return (*before, last) if last.parts or ended else tuple(before)


def unwrapped(result: Mapping[str, object]) -> Mapping[str, object]:
    """The task, message or update itself, which newer versions of A2A put into a field."""
    inner = (result.get(name) for name in _WRAPPED if len(result) == 1)
    return next((one for one in inner if isinstance(one, dict)), result)


def _artifact(fields: Fields) -> tuple[Part, ...]:
    """What a task made, by its name."""
    name = shown_name(fields.text("name"))
    about = fields.text("description")
    told = (text_part(about),) if about else ()
    parts = parts_of(fields.array("parts"))
    named = tuple(replace(part, name=part.name or name) for part in parts)
    return (*told, *named, *rest_parts(fields))


def kind_of(event: Mapping[str, object]) -> str:
    """Which kind of event is this, of the stream of an agent's answer? '' for none."""
    result = mapping(event.get("result"))
    return string(result.get("kind")) or next((name for name in _WRAPPED if name in result), "")
