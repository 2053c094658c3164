"""Bytes in stored text, as base64 or data URLs: found wherever they are, named by kind and size."""

import re
from base64 import b64decode
from dataclasses import dataclass
from functools import lru_cache

import filetype

from tracelib.conversation import wording
from tracelib.conversation.markers import CUT, without_marks

# Shorter runs of these characters are words, ids and keys, unless they begin like a known file.
_LONG = 200
_SHORT = 64
_LINE = 60  # base64 in mails and certificates is broken into lines this long or longer
_HEAD = 96  # characters of base64 that tell the kind of a file
# What is told from how bytes begin. Other kinds, as of programs, begin like many a word.
KINDS_OF_BYTES = frozenset(
    str(kind.mime)
    for kind in filetype.TYPES
    if kind.mime.startswith(("image/", "audio/", "video/", "application/pdf", "application/zip"))
)
_LEAST_CAPITALS = 0.1

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
    """What some bytes were: words for them, their size, and how many characters were cut out."""

    words: str
    size_bytes: int
    cut: int


def named(encoded: str, media_type: str = "", otherwise: str = "base64") -> Encoded:
    """What are these bytes? Without a media type the kind is told from how they begin.

    >>> named("iVBORw0KGgoAAAANSUhEUgAA").words, named("AAAA", "audio/wav").words
    ('image/png, 18 B', 'audio/wav, 3 B')
    """
    bare, cut = without_marks(encoded)
    size = (len(_LINE_ENDS.sub("", bare).rstrip("=")) + cut) * 3 // 4
    kind = media_type or kind_of(bare) or otherwise
    words = [kind, size_words(size)] + ([wording.STORED_CUT] if cut else [])
    return Encoded(", ".join(words), size, cut)


def without_bytes(text: str) -> tuple[str, int]:
    """What does this text say, with the bytes in it named in brackets?

    Gives the text and how many characters LiteLLM cut out of the bytes, 0 for none.

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
    """Is this run of letters, digits and signs base64, rather than a long word, a path or an id?

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
    """The media type that these bytes begin like; '' where they begin like no known file."""
    head = "".join(encoded[:_HEAD].split()).replace("-", "+").replace("_", "/").rstrip("=")
    return _kind_of(head[: len(head) // 4 * 4])


def size_words(size_bytes: int) -> str:
    """A size as words.

    >>> size_words(812), size_words(12_400), size_words(3_200_000)
    ('812 B', '12.4 kB', '3.2 MB')
    """
    if size_bytes < 1000:
        return wording.SIZES[0].format(size=size_bytes)
    if size_bytes < 1_000_000:
        return wording.SIZES[1].format(size=size_bytes / 1000)
    return wording.SIZES[2].format(size=size_bytes / 1_000_000)
