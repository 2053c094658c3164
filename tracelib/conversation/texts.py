"""Stored text as parts. All that becomes visible passes through `shown`."""

from dataclasses import dataclass
from hashlib import blake2b

from tracelib.conversation.encoded import without_bytes
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_text import pretty
from tracelib.conversation.json_values import (
    canonical,
    counted,
    parsed_text,
)
from tracelib.conversation.markers import REDACTED_WORDS, is_redacted, without_cuts
from tracelib.conversation.messages import Kind, Part

LONGEST_NAME = 200
_THOUGHT = "__thought__"  # LiteLLM appends the signature of a thought to the id of a call


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored text as it may be shown, and what LiteLLM did to it."""

    text: str
    truncated_chars: int = 0
    is_redacted: bool = False


def shown(text: str) -> Shown:
    """What may be shown of this stored text?

    Unprintable characters are replaced, bytes named by kind and size, and LiteLLM's marks put
    shortly.
    """
    if is_redacted(text):
        return Shown(REDACTED_WORDS, is_redacted=True)
    without, cut_bytes = without_bytes(printable(text))
    put_shortly, cut = without_cuts(without)
    return Shown(put_shortly, cut_bytes + cut)


def shown_name(value: object) -> str | None:
    """A name on one line, at most 200 characters; None where there is none."""
    if not isinstance(value, str) or not value.strip():
        return None
    return shown(value[: 10 * LONGEST_NAME]).text[:LONGEST_NAME]


def shown_id(value: object) -> str | None:
    """The id of a call, the same wherever it is sent; None where there is none.

    >>> shown_id("call_1__thought__EroHCkYIBxgC"), shown_id("")
    ('call_1', None)
    """
    if not isinstance(value, str) or not value:
        return None
    whole = printable(value.split(_THOUGHT)[0] or value)
    if len(whole) <= LONGEST_NAME:
        return whole
    digest = blake2b(whole.encode(), digest_size=8).hexdigest()
    return f"{whole[: LONGEST_NAME // 4]}…{digest}"


def text_part(
    text: str, kind: Kind = "text", *, name: str | None = None, call_id: str | None = None
) -> Part:
    """The part that shows this stored text."""
    seen = shown(text)
    return Part(
        kind,
        seen.text,
        name,
        call_id,
        truncated_chars=seen.truncated_chars,
        is_redacted=seen.is_redacted,
    )


def json_part(
    value: object, kind: Kind = "data", *, name: str | None = None, call_id: str | None = None
) -> Part:
    """The part that shows this value as indented JSON, each text in it as it may be shown."""
    cuts: list[int] = []

    def leaf(text: str) -> str:
        seen = shown(text)
        cuts.append(seen.truncated_chars)
        return seen.text

    return Part(
        kind,
        pretty(value, leaf),
        name,
        call_id,
        is_json=True,
        truncated_chars=sum(cuts),
        fingerprint=without_cuts(canonical(value))[0],
    )


def call_part(name: object, arguments: object, call_id: object) -> Part:
    """The part that shows a call of a tool, its arguments as text holding JSON or as JSON."""
    tool, identity = shown_name(name), shown_id(call_id)
    if isinstance(arguments, str):
        parsed = parsed_text(arguments)
        if parsed is None:
            return text_part(arguments, "tool_call", name=tool, call_id=identity)
        arguments = parsed
    value = {} if arguments is None else arguments
    return json_part(value, "tool_call", name=tool, call_id=identity)


def data_part(value: object, name: str | None = None) -> Part:
    """The part that shows a value of no known shape: text as it is, all else as JSON."""
    if isinstance(value, str):
        return text_part(value, "data", name=name)
    return json_part(counted(value), name=name)


def rest_parts(*left: Fields) -> tuple[Part, ...]:
    """The part that shows what words no reader took from these objects; none where none is left."""
    rests = [rest for fields in left if (rest := fields.rest())]
    if not rests:
        return ()
    whole = {key: value for rest in rests for key, value in rest.items()}
    is_apart = len(whole) < sum(map(len, rests))  # several have words under one name
    return (json_part(rests if is_apart else whole),)


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
