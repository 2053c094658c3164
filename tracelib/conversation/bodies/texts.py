"""Stored text as parts. Everything that becomes visible passes through `shown`."""

import re
from base64 import b64decode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import filetype

from tracelib.conversation.bodies import phrases
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.messages import (
    CUT,
    REDACTED_WORDS,
    Kind,
    Part,
    is_redacted,
    without_cuts,
    without_marks,
)
from tracelib.conversation.json_values import (
    canonical,
    counted,
    parsed_text,
    pretty,
)

# Shorter runs of these characters are text, IDs and keys, unless they begin like a known file.
_LONG = 200
_SHORT = 64
_LINE = 60  # base64 in e-mails and certificates is broken into lines of at least this length
_HEAD = 96  # characters of base64 that are enough to recognise a file type
# Types that are recognised by their first bytes. Others, such as programs, begin like ordinary
# words.
KINDS_OF_BYTES = frozenset(
    str(kind.mime)
    for kind in filetype.TYPES
    if kind.mime.startswith(("image/", "audio/", "video/", "application/pdf", "application/zip"))
)
_LEAST_CAPITALS = 0.1
# A short text without these is shown as it is.
_MARKS = ("\x00", "data:", "truncated ")

_LINE_ENDS = re.compile(r"\s|\\[rn]")
_CHAR = "[A-Za-z0-9+/_-]"
_BREAK = r"(?:\s|\\[rn]){1,4}"
_RUN = (
    rf"{_CHAR}+(?:(?<={_CHAR}{{{_LINE}}}){_BREAK}{_CHAR}{{24,}})*"
    rf"(?:(?<={_CHAR}{{{_LINE}}}){_BREAK}{_CHAR}{{1,80}}(?==))?={{0,2}}"
)
_AND_CUT = rf"(?:{CUT}(?:{_RUN})?)?"
_BYTES = re.compile(
    rf"data:(?P<type>[\w.+-]{{0,80}}/?[\w.+-]{{0,80}})(?:;[\w.=\"+-]{{1,80}}){{0,5}};base64,"
    rf"(?P<encoded>{_RUN}{_AND_CUT})"
    r"|data:(?P<other>[\w.+-]{1,80}/[\w.+-]{1,80})(?:;[\w.=\"+-]{1,80}){0,5},"
    r"(?P<text>[^\s\"'<>()\\]+)"
    rf"|(?<!{_CHAR})(?={_CHAR}{{{_SHORT}}})(?P<bare>{_RUN}{_AND_CUT})"
)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What some bytes are: a description, their size, and how many characters were cut out."""

    words: str
    size_bytes: int
    cut: int


def named(encoded: str, media_type: str = "", otherwise: str = "base64") -> Encoded:
    """What are these bytes? Without a media type, the type is recognised by the first bytes.

    >>> named("iVBORw0KGgoAAAANSUhEUgAA").words, named("AAAA", "audio/wav").words
    ('image/png, 18 B', 'audio/wav, 3 B')
    """
    bare, cut = without_marks(encoded)
    size = (len(_LINE_ENDS.sub("", bare).rstrip("=")) + cut) * 3 // 4
    kind = media_type or kind_of(bare) or otherwise
    words = [kind, size_words(size)] + ([phrases.STORED_CUT] if cut else [])
    return Encoded(", ".join(words), size, cut)


def without_bytes(text: str) -> tuple[str, int]:
    """The text with the bytes in it replaced by a description in brackets.

    Returns the text and how many characters LiteLLM cut out of the bytes, 0 for none.

    >>> without_bytes("a dot: data:image/gif;base64,R0lGODlhAQABAAAAACw= and more")
    ('a dot: [image/gif, 14 B] and more', 0)
    """
    if "data:" not in text and max(map(len, text.split()), default=0) < _SHORT:
        return text, 0
    cuts: list[int] = []

    def replaced(found: re.Match[str]) -> str:
        if found["bare"] and not is_encoded(found["bare"]):
            return found[0]
        if found["other"]:
            return f"[{found['other']}, {size_words(len(found['text']))}]"
        what = named(found["encoded"] or found["bare"], found["type"] or "")
        cuts.append(what.cut)
        return f"[{what.words}]"

    return _BYTES.sub(replaced, text), sum(cuts)


def is_encoded(run: str) -> bool:
    """Is this run of letters, digits and signs base64, rather than a long word, a path or an ID?

    >>> is_encoded("longword" * 40), is_encoded("ACGT" * 100), is_encoded("Zm9vYmFy" * 40)
    (False, False, True)
    """
    bare = without_marks(run)[0]
    if kind_of(bare):
        return True
    if len(bare) < _LONG or (set("+/") & set(bare) and set("-_") & set(bare)):
        return False
    if bare.count("A") > len(bare) / 2:  # bytes that are mostly zero
        return True
    capitals = sum(map(str.isupper, bare))
    return capitals >= len(bare) * _LEAST_CAPITALS and any(map(str.islower, bare))


def begins_encoded(text: str) -> bool:
    """Does this text, which should be bytes, begin with base64?"""
    return bool(_ONLY_BASE64.match(text))


_ONLY_BASE64 = re.compile(rf"(?:{_CHAR}{{{_SHORT}}}|\s*{_CHAR}+={{0,2}}\s*\Z|\s*{_CHAR}+{CUT})")


@lru_cache(maxsize=256)
def _kind_of(head: str) -> str:
    try:
        found = filetype.guess(b64decode(head, validate=True))
    except ValueError:
        return ""
    kind = str(found.mime) if found else ""
    return kind if kind in KINDS_OF_BYTES else ""


def kind_of(encoded: str) -> str:
    """The media type that these bytes begin like; '' for an unknown type."""
    head = "".join(encoded[:_HEAD].split()).replace("-", "+").replace("_", "/").rstrip("=")
    return _kind_of(head[: len(head) // 4 * 4])


def size_words(size_bytes: int) -> str:
    """A size as text.

    >>> size_words(812), size_words(12_400), size_words(3_200_000)
    ('812 B', '12.4 kB', '3.2 MB')
    """
    if size_bytes < 1000:
        return phrases.SIZES[0].format(size=size_bytes)
    if size_bytes < 1_000_000:
        return phrases.SIZES[1].format(size=size_bytes / 1000)
    return phrases.SIZES[2].format(size=size_bytes / 1_000_000)


LONGEST_NAME = 200
_THOUGHT = "__thought__"  # LiteLLM appends the signature of a reasoning block to the ID of a call


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored text as it may be shown, and what LiteLLM did to it."""

    text: str
    truncated_chars: int = 0
    is_redacted: bool = False


def shown(text: str) -> Shown:
    """What may be shown of this stored text?

    Unprintable characters are replaced, bytes described by type and size, and LiteLLM's marks
    shortened.
    """
    if is_redacted(text):
        return Shown(REDACTED_WORDS, is_redacted=True)
    if len(text) < _SHORT and text.isascii() and not any(mark in text for mark in _MARKS):
        return Shown(text)  # most texts
    without, cut_bytes = without_bytes(printable(text))
    put_shortly, cut = without_cuts(without)
    return Shown(put_shortly, cut_bytes + cut)


def shown_name(value: object) -> str | None:
    """A name on one line, at most 200 characters; None if there is none."""
    return _shown_name(value[: 10 * LONGEST_NAME]) if isinstance(value, str) else None


@lru_cache(maxsize=2_000)
def _shown_name(text: str) -> str | None:
    return shown(text).text[:LONGEST_NAME] if text.strip() else None


def shown_id(value: object) -> str | None:
    """The ID of a call, the same in every request that sends it; None if there is none.

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
    """The part that shows a tool call, its arguments as text that holds JSON or as JSON."""
    tool, identity = shown_name(name), shown_id(call_id)
    if isinstance(arguments, str):
        parsed = parsed_text(arguments)
        if parsed is None:
            return text_part(arguments, "tool_call", name=tool, call_id=identity)
        arguments = parsed
    value = {} if arguments is None else arguments
    return json_part(value, "tool_call", name=tool, call_id=identity)


def data_part(value: object, name: str | None = None) -> Part:
    """The part that shows a value of an unknown shape: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return text_part(value, "data", name=name)
    return json_part(counted(value), name=name)


def rest_parts(*left: Fields) -> tuple[Part, ...]:
    """The part that shows the text in these objects that no reader took; none if none is left."""
    rests = [rest for fields in left if (rest := fields.rest())]
    if not rests:
        return ()
    whole = {key: value for rest in rests for key, value in rest.items()}
    is_apart = len(whole) < sum(map(len, rests))  # several have text under the same name
    return (json_part(rests if is_apart else whole),)


def printable(text: str) -> str:
    """The text without anything that a browser, a file or a socket cannot carry.

    Unpaired surrogates and NUL become a visible replacement character.

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
