"""Items of a conversation that are neither words nor calls: compactions, approvals, references."""

from collections.abc import Callable
from dataclasses import replace

from tracelib.conversation import wording
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import mapping, parsed_text, string
from tracelib.conversation.messages import Part
from tracelib.conversation.texts import data_part, json_part, shown_name, text_part

Read = Callable[[object], tuple[Part, ...]]


def compaction(fields: Fields, read: Read) -> tuple[Part, ...]:
    """The sum of an earlier conversation, which a provider or LiteLLM made; often encrypted."""
    summary = fields.value("content", "summary")
    if summary is None:  # LiteLLM puts its own summaries into the field of encrypted ones
        encrypted = string(fields.peek("encrypted_content"))
        begin = encrypted.find("{")
        inner = mapping(parsed_text(encrypted[begin:])) if begin >= 0 else {}
        summary = inner.get("content")
    if isinstance(summary, str) or not summary:
        words = string(summary) or wording.ENCRYPTED
        return (text_part(words, "data", name=wording.COMPACTED),)
    return (Part("data", wording.SUMMED_UP, wording.COMPACTED), *read(summary))


def compaction_trigger(_: Fields) -> tuple[Part, ...]:
    """The client asks that the conversation be summed up."""
    return (Part("data", wording.COMPACTION_ASKED, wording.COMPACTED),)


def approval_request(fields: Fields) -> tuple[Part, ...]:
    """A provider asks whether it may call a tool for the model."""
    name = shown_name(fields.text("name")) or wording.A_TOOL
    given = fields.value("arguments")
    value = parsed_text(given) if isinstance(given, str) else given
    title = wording.ASKS_TO_CALL.format(name=name)
    return (data_part(given if value is None else value, name=title),)


def approval_response(fields: Fields) -> tuple[Part, ...]:
    """Whether the client lets it call the tool."""
    said = wording.APPROVED if fields.peek("approve") is True else wording.NOT_APPROVED
    reason = fields.text("reason")
    return (text_part(f"{said}: {reason}" if reason else said, "data", name=wording.APPROVAL),)


def item_reference(fields: Fields) -> tuple[Part, ...]:
    """An item that is named by its id instead of being sent again."""
    named = string(fields.peek("id"))
    told = text_part(wording.REFERS_TO.format(id=named or wording.AN_ITEM), "data")
    return (replace(told, item_id=named or None),)


def stored_prompt(fields: Fields, read: Read) -> tuple[Part, ...]:
    """A prompt that is kept elsewhere and named by its id, with what was filled into it."""
    version = fields.text("version") or fields.peek("version")
    name = string(fields.peek("id")) or wording.WITHOUT_ID
    is_known = isinstance(version, str | int | float)
    title = wording.PROMPT_VERSION if is_known else wording.PROMPT
    lines = [title.format(id=name, version=version)]
    variables = fields.inner("variables").left()
    plain = {key: value for key, value in variables.items() if not isinstance(value, dict | list)}
    lines += [f"{key}: {_variable(value)}" for key, value in plain.items()]
    blocks = (read(value) for key, value in variables.items() if key not in plain)
    return (text_part("\n".join(lines)), *(part for found in blocks for part in found))


def _variable(value: object) -> str:
    return value if isinstance(value, str) else json_part(value).text
