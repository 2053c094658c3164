"""One message of a chat, as chat completions, Anthropic or Responses spell it."""

from collections.abc import Mapping

from tracelib.conversation.json_values import mapping, objects, string
from tracelib.conversation.media import audio
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.parts import parts_of, result_parts, tool_calls
from tracelib.conversation.texts import data_part, printable, text_part

_ROLES = {"model": "assistant", "function": "tool"}  # Gemini's word, and an old OpenAI one


def message(raw: Mapping[str, object]) -> Message:
    """What does this message say?

    Parts come in the order a person reads them: reasoning, what was said, the tools called.
    Never raises but a RecursionError on content nested a thousand deep.
    """
    stored_role = printable(string(raw.get("role"))) or "user"
    role = _ROLES.get(stored_role, stored_role)
    name = printable(string(raw.get("name"))) or None
    if role == "tool":
        call = raw.get("tool_call_id") or raw.get("call_id")
        return Message(role, _tool_message(raw.get("content"), call, name), name)
    said = parts_of(raw.get("content"))
    if role == "user" and said and all(map(_is_result, said)):
        role = "tool"  # Anthropic returns results in the user's name
    if not any(part.kind == "reasoning" for part in said):
        said = (*_reasoning(raw), *said)
    return Message(role, (*said, *_beside_content(raw)), name)


def choice_messages(choices: object) -> tuple[Message, ...]:
    """The answers in `choices`, one message each; the answer of a text completion too."""
    return tuple(_choice(entry) for entry in objects(choices))


def _is_result(part: Part) -> bool:
    return part.kind == "tool_result" or (part.call_id is not None and part.kind != "tool_call")


def answer_message(raw: Mapping[str, object]) -> Message:
    """The message of an answer, the assistant's where it does not say whose it is."""
    return message({**raw, "role": raw.get("role") or "assistant"})


def _choice(choice: Mapping[str, object]) -> Message:
    said = choice.get("message") or choice.get("delta")
    if isinstance(said, dict):
        return answer_message(said)
    if said is not None:
        return Message("assistant", (data_part(said),))
    return Message("assistant", parts_of(choice.get("text")))


def _tool_message(content: object, call_id: object, name: str | None) -> tuple[Part, ...]:
    blocks = objects(content)
    if blocks and all(block.get("type") == "tool_result" for block in blocks):
        return parts_of(content)
    return result_parts(content, call_id, name)


def _reasoning(raw: Mapping[str, object]) -> tuple[Part, ...]:
    """Stored up to three times over; the blocks go first, an empty copy of them last."""
    spare = mapping(raw.get("provider_specific_fields"))
    for blocks in (raw.get("thinking_blocks"), spare.get("thinking_blocks")):
        thought = parts_of(list(objects(blocks)))
        if any(block.get("thinking") for block in objects(blocks)):
            return thought
    for text in (
        raw.get("reasoning_content"),
        raw.get("reasoning"),
        spare.get("reasoning_content"),
    ):
        if isinstance(text, str) and text:
            return (text_part(text, "reasoning"),)
    return ()


def _beside_content(raw: Mapping[str, object]) -> tuple[Part, ...]:
    refused = parts_of(string(raw.get("refusal")))
    sound = audio(mapping(raw["audio"])) if mapping(raw.get("audio")) else ()
    images = parts_of(list(objects(raw.get("images"))))
    calls = tool_calls(raw.get("tool_calls")) or tool_calls(raw.get("function_call"))
    return (*refused, *sound, *images, *calls)
