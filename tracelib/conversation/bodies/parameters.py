"""The settings of a request, from a list of fields that may be shown."""

from collections.abc import Iterable, Mapping

from tracelib.conversation.bodies.messages import Message
from tracelib.conversation.bodies.texts import shown
from tracelib.conversation.json_values import Number, mapping, objects, string

Body = Mapping[str, object]

_LONGEST = 200

# No other field of proxy_server_request is read: they include keys and headers.
SETTINGS = (
    "model",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "seed",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "stream",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "parallel_tool_calls",
    "dimensions",
    "encoding_format",
    "size",
    "quality",
    "style",
    "voice",
    "language",
    "top_n",
    "background",
    "store",
    "truncation",
    "modalities",
    "output_format",
    "max_tool_calls",
)
# Objects that hold settings, of Bedrock and Gemini.
_OF_SETTINGS = ("inferenceConfig", "generationConfig", "generation_config")


def settings(body: Body, responses: Iterable[Message]) -> tuple[tuple[str, str], ...]:
    """Which settings did this request have? Pairs of name and value, in a fixed order.

    Sampling parameters first, then the names of the tools offered and of those called. Parameters
    that were not sent are left out.
    """
    plain = [(name, _scalar(body.get(name))) for name in SETTINGS]
    offered = ", ".join(_tool_names(body))
    called = ", ".join(
        part.name or "unnamed"
        for response in responses
        for part in response.parts
        if part.kind == "tool_call"
    )
    rest = [*_nested(body), ("tools offered", offered), ("tools called", called)]
    return tuple((name, value) for name, value in plain + rest if value)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Number):
        return value.written[:_LONGEST]
    if isinstance(value, int | float | str):
        return shown(str(value)).text[:_LONGEST]
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return shown(", ".join(value)).text[:_LONGEST]
    return ""


def _nested(body: Body) -> list[tuple[str, str]]:
    choice = body.get("tool_choice")
    chosen = mapping(choice)
    chosen_name = string(mapping(chosen.get("function")).get("name")) or string(chosen.get("name"))
    form = mapping(body.get("response_format")) or mapping(mapping(body.get("text")).get("format"))
    thinking = mapping(body.get("thinking"))
    talk = body.get("conversation")
    inner = [
        (f"{name}.{key}", _scalar(value))
        for name in _OF_SETTINGS
        for key, value in mapping(body.get(name)).items()
    ]
    return [
        *inner,
        ("conversation", _scalar(string(talk) or mapping(talk).get("id"))),
        ("tool_choice", _scalar(choice) or _scalar(chosen_name or string(chosen.get("type")))),
        ("response_format", _scalar(form.get("type"))),
        ("reasoning.effort", _scalar(mapping(body.get("reasoning")).get("effort"))),
        ("thinking", _scalar(thinking.get("type"))),
        ("thinking.budget_tokens", _scalar(thinking.get("budget_tokens"))),
    ]


def _tool_names(body: Body) -> list[str]:
    bedrock = mapping(body.get("toolConfig")).get("tools")
    return [name for tool in objects(body.get("tools") or bedrock) for name in _names_of(tool)]


def _names_of(tool: Body) -> list[str]:
    declared = objects(tool.get("functionDeclarations") or tool.get("function_declarations"))
    if declared:  # Gemini's own API
        return [_scalar(entry.get("name")) for entry in declared if entry.get("name")]
    inner = mapping(tool.get("function") or tool.get("toolSpec"))
    name = inner.get("name") or tool.get("name") or tool.get("type")
    return [_scalar(name)] if isinstance(name, str) else []
