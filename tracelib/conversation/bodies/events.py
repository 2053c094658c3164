"""The events of a connection (realtime, Responses over WebSocket) as a conversation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tracelib.conversation.bodies.chat import error_ending, message, response_ending
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.items import Raw, item_messages, joined
from tracelib.conversation.bodies.messages import Message
from tracelib.conversation.bodies.texts import rest_parts
from tracelib.conversation.json_values import array, mapping, string

Event = Mapping[str, object]

_TRANSCRIBED = "conversation.item.input_audio_transcription."
# The end of an event's name, for events with deltas -> the field of the block that they fill.
_PIECES = {
    "output_text": ("output_text", "text"),
    "text": ("output_text", "text"),
    "audio_transcript": ("audio", "transcript"),
    "output_audio_transcript": ("audio", "transcript"),
    "refusal": ("refusal", "refusal"),
    "reasoning_summary_text": ("thinking", "thinking"),
    "reasoning_text": ("thinking", "thinking"),
    "function_call_arguments": ("function_call", "arguments"),
    "mcp_call_arguments": ("mcp_call", "arguments"),
    "custom_tool_call_input": ("custom_tool_call", "input"),
}
# Events that add nothing to the items: about audio, states, limits.
_SILENT = (
    *("input_audio_buffer.", "output_audio_buffer.", "rate_limits.", "response.created", "ping"),
    *("response.in_progress", "response.queued", "response.content_part.", "response.audio."),
    *("response.output_audio.", "response.reasoning_summary_part.", "conversation.created"),
    *("response.image_generation_call.", "response.web_search_call.", "response.mcp_call."),
    *("response.file_search_call.", "response.code_interpreter_call.", "response.mcp_list_tools."),
    *("conversation.item.deleted", "conversation.item.truncated", "response.create"),
    *("response.output_text.annotation", "keepalive", "response.cancel"),
)

# Events whose fields are read, or repeated by an item.
_READ = frozenset(
    {
        *("item", "response", "session", "delta", "transcript", "error", "message", "text"),
        *("arguments", "input", "instructions", "part", "code", "obfuscation", "annotation"),
    }
)
_ERROR, _EVENT = "error of a connection", "event of an unknown kind"
_UNHEARD, _OUTPUT = "speech that was not understood", "function_call_output"


class Connection:
    """The messages of a connection, collected event by event.

    Items come in the order in which they first appeared, each as in its last event. Items that came
    only in deltas, for example because the connection was interrupted, are assembled from these.
    """

    def __init__(self) -> None:
        self._items: dict[str, Event] = {}
        self._pieces: dict[str, dict[str, object]] = {}
        # The last item of each response -> how the response ended.
        self._ended: dict[str, str | None] = {}
        self._transcripts: dict[str, str] = {}

    def messages(self) -> tuple[Message, ...]:
        """The conversation, in order; tool results have the names of their tools."""
        found = tuple(self._messages())
        names = {
            part.call_id: part.name
            for one in found
            for part in one.parts
            if part.kind == "tool_call" and part.call_id
        }
        return tuple(_with_names(one, names) for one in found)

    def read(self, event: Event) -> None:
        """Read one more event."""
        kind, item, response = string(event.get("type")), event.get("item"), event.get("response")
        if kind.startswith(_TRANSCRIBED):
            self._hear(event, kind)
        elif isinstance(item, dict):
            self._put(item)
        elif isinstance(response, dict) and kind == "response.create":
            self._read_request(response)
        elif isinstance(response, dict):
            self._respond(response)
        elif isinstance(event.get("session"), dict):
            self._instruct(mapping(event["session"]))
        elif kind == "response.create":
            self._read_request(event)
        elif "delta" in event or kind.endswith(".done"):
            self._grow(event, kind)
        if kind == "error" or (event.get("error") and not kind.startswith(_TRANSCRIBED)):
            self._put({"type": _ERROR, "error": event.get("error") or event.get("message")})
        if not kind.startswith(_SILENT) and not kind.endswith(".delta"):
            self._keep({key: value for key, value in event.items() if key not in _READ})

    def _keep(self, left: Event) -> None:
        """Keep text that no reader has taken."""
        rest = Fields(left).rest()
        if rest:
            self._put({"type": _EVENT, "event": rest})

    def _put(self, item: Event) -> str:
        key = string(item.get("id")) or f"item {len(self._items)}"
        known = self._items.get(key)
        if known is None or _is_whole(item) or not _is_whole(known):
            self._items[key] = item
        return key

    def _respond(self, response: Event) -> None:
        """Read a whole response: its items, and how it ended."""
        fields = Fields(response)
        keys = [self._put(_item(entry)) for entry in fields.array("output")]
        ended = response_ending(fields)
        is_over = string(response.get("status")) not in ("in_progress", "queued")
        if is_over and keys:  # it holds the items that came in deltas before
            self._pieces.clear()
        if is_over and (keys or ended):
            self._ended[keys[-1] if keys else self._put({})] = ended

    def _instruct(self, session: Event) -> None:
        instructions = session.get("instructions")
        known = (item.get("content") for item in self._items.values())
        if instructions and instructions not in known:
            self._put({"role": "system", "content": instructions})

    def _read_request(self, request: Event) -> None:
        """Read a response that the client requests, with its instructions and items."""
        self._instruct(request)
        content = request.get("input")
        for entry in content if isinstance(content, list) else [content] if content else []:
            self._put(_item(entry, "user"))

    def _hear(self, event: Event, kind: str) -> None:
        """Read the transcript of the user's speech; complete, or as far as it came."""
        key = string(event.get("item_id")) or f"item {len(self._items)}"
        if kind.endswith("failed"):
            self._items[key] = {"type": _UNHEARD, "error": event.get("error")}
        transcript = string(event.get("transcript"))
        whole = transcript if kind.endswith("completed") else self._transcripts.get(key, "")
        text = whole or self._transcripts.get(key, "") + string(event.get("delta"))
        if text:
            self._transcripts[key] = text
            self._items.setdefault(key, {"role": "user", "type": "message"})

    def _grow(self, event: Event, kind: str) -> None:
        """Add a delta to an item that may never be sent complete."""
        name = kind.removeprefix("response.").removesuffix(".delta").removesuffix(".done")
        if name not in _PIECES:
            return
        block, field = _PIECES[name]
        key = string(event.get("item_id")) or "item"
        place = f"{key} {event.get('content_index', event.get('summary_index', 0))}"
        known = self._pieces.setdefault(key, {})
        before = mapping(known.get(place))
        whole = event.get(field)
        text = whole if isinstance(whole, str) else joined(before.get(field), event.get("delta"))
        known[place] = {**before, "type": block, field: text}
        self._items.setdefault(key, {})

    def _messages(self) -> Iterator[Message]:
        run: list[Raw] = []
        for key, item in self._items.items():
            raw = self._whole(key, item)
            is_apart = raw.get("type") in (_ERROR, _EVENT, _UNHEARD, _OUTPUT)
            if not is_apart:
                run.append(raw)
            if is_apart or key in self._ended or raw.get("role") in ("user", "system"):
                yield from _read(run, self._ended.get(key))
                run = []
            if is_apart:
                yield _apart(raw)
        yield from _read(run, None)

    def _whole(self, key: str, item: Event) -> Raw:
        transcript = self._transcripts.get(key)
        if transcript and transcript not in _words(item):
            block = {"type": "input_audio", "transcript": transcript}
            return {"role": "user", "type": "message", "content": [block]}
        if key in self._pieces and not _is_whole(item):
            blocks = [mapping(block) for block in self._pieces[key].values()]
            if string(blocks[0].get("type")).endswith("_call"):
                return {**blocks[0], **{name: value for name, value in item.items() if value}}
            return {"type": "message", "role": "assistant", "content": blocks}
        return dict(item)


def _item(entry: object, role: str = "assistant") -> Event:
    return entry if isinstance(entry, dict) else {"role": role, "content": entry}


def _read(items: Sequence[Raw], ended: str | None) -> Iterator[Message]:
    """The messages of these items; `ended` belongs to the last one."""
    shown = [item for item in items if _is_whole(item) or item.get("type") == "function_call"]
    found = [message(raw) for raw in item_messages(shown, is_response=True)]
    if ended:
        last = found.pop() if found and found[-1].role != "user" else Message("assistant", ())
        found.append(replace(last, ending=ended))
    yield from found


def _apart(item: Raw) -> Message:
    """The message of an item of its own: a tool result, an error, an event of an unknown kind."""
    if item.get("type") == _OUTPUT:
        return message({"role": "tool", "content": [item]})
    if item.get("type") == _EVENT:
        return Message("assistant", rest_parts(Fields(mapping(item.get("event")))))
    fields = Fields(mapping(item.get("error")))
    fields.drop("message", "code")
    ended = error_ending(item.get("error"))
    if item.get("type") == _UNHEARD:
        audio = message({"role": "user", "content": [{"type": "input_audio"}]})
        return replace(audio, parts=(*audio.parts, *rest_parts(fields)), ending=ended)
    return Message("assistant", rest_parts(fields), ending=ended)


def _with_names(one: Message, names: Mapping[str, str | None]) -> Message:
    parts = (
        replace(part, name=names.get(part.call_id))
        if part.kind == "tool_result" and part.call_id and not part.name
        else part
        for part in one.parts
    )
    return replace(one, parts=tuple(parts))


def _is_whole(item: Event) -> bool:
    """Does this item have content, rather than announce what follows?"""
    if item.get("type") == "message" or "role" in item or "content" in item:
        return bool(item.get("content")) and (bool(_words(item)) or _has_other_blocks(item))
    if item.get("type") == "function_call":
        return bool(item.get("arguments"))
    return bool(item.get("type"))


def _words(item: Event) -> list[str]:
    content = item.get("content")
    if isinstance(content, str):
        return [content]
    values = (value for block in array(content) for value in mapping(block).items())
    return [value for key, value in values if key != "type" and isinstance(value, str) and value]


def _has_other_blocks(item: Event) -> bool:
    """Are there blocks other than text, or content of another kind?"""
    content = item.get("content")
    if not isinstance(content, list):
        return True
    return any(len(mapping(block)) > 2 or not isinstance(block, dict) for block in content)
