"""Stored text as parts: cut marks shortened, redaction seen, unprintable characters tamed."""

from tracelib.conversation.json_values import (
    canonical,
    counted,
    mapping,
    objects,
    parsed_text,
    pretty,
    string,
)
from tracelib.conversation.markers import REDACTED_WORDS, is_redacted, without_cuts
from tracelib.conversation.messages import Kind, Part


def text_part(
    text: str, kind: Kind = "text", *, name: str | None = None, call_id: str | None = None
) -> Part:
    """The part that shows this stored text."""
    if is_redacted(text):
        return Part(kind, REDACTED_WORDS, name, call_id, is_redacted=True)
    shown, cut = without_cuts(printable(text))
    return Part(kind, shown, name, call_id, truncated_chars=cut)


def json_part(
    value: object, kind: Kind = "data", *, name: str | None = None, call_id: str | None = None
) -> Part:
    """The part that shows this value as indented JSON."""
    shown, cut = without_cuts(printable(pretty(value)))
    return Part(
        kind,
        shown,
        name,
        call_id,
        is_json=True,
        truncated_chars=cut,
        fingerprint=without_cuts(canonical(value))[0],
    )


def call_part(name: object, arguments: object, call_id: object) -> Part:
    """The part that shows a call of a tool, its arguments as text holding JSON or as JSON."""
    tool = printable(string(name)) or None
    identity = printable(string(call_id)) or None
    if isinstance(arguments, str):
        parsed = parsed_text(arguments)
        if parsed is None:
            return text_part(arguments, "tool_call", name=tool, call_id=identity)
        arguments = parsed
    value = {} if arguments is None else arguments
    return json_part(value, "tool_call", name=tool, call_id=identity)


def data_part(value: object) -> Part:
    """The part that shows a value of no known shape: text as it is, all else as JSON."""
    return text_part(value, "data") if isinstance(value, str) else json_part(counted(value))


def written(value: object) -> str:
    """The text of a field that may be text, or blocks of text, or an object with a text.

    >>> written([{"type": "summary_text", "text": "a"}, {"text": "b"}])
    'a\\n\\nb'
    """
    if isinstance(value, list):
        return "\n\n".join(filter(None, (string(block.get("text")) for block in objects(value))))
    return string(value) or string(mapping(value).get("text"))


def printable(text: str) -> str:
    """The text with nothing in it that a browser, a file or a socket refuses to carry.

    Halves of a character (unpaired surrogates) and NUL become a visible replacement.

    >>> printable("a\\ud800b\\x00")
    'a\\ufffdb␀'
    """
    if "\x00" in text:
        text = text.replace("\x00", "␀")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
