r"""JSON in a text, parsed as a program would parse it.

A secret in JSON may be a number, may be escaped, and may be in JSON within a JSON string. So
finders get the text with the strings of its JSON unescaped, at any depth, and each find is replaced
at its place: in the string, with the escapes that JSON needs, or as a string in place of the
number. JSON stays JSON.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracelib.redaction.patterns import compiled

# With possessive repeats no backtracking positions are stored or used.
_SPACE = r"[ \t\n\r]*+"
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_SCALAR = rf"(?:{_STRING}|{_NUMBER}|true|false|null){_SPACE}"
_NAME = rf"{_SPACE}{_STRING}{_SPACE}:{_SPACE}"


def _pattern(expression: str) -> re.Pattern[bytes]:
    return re.compile(expression.encode())


# Where JSON may begin.
_OPENING = compiled(r'\{\s*["}]|\[\s*(?:[]"{\[\d-]|true|false|null)').regexp
# What may follow a bracket or a comma, up to the next bracket, and what follows a closing one.
_INSIDE = {
    b"{": _pattern(
        rf"(?:{_NAME}{_SCALAR},)*+{_NAME}(?:(?P<opened>[{{\[])|{_SCALAR}(?P<closed>}}))"
    ),
    b"[": _pattern(
        rf"(?:{_SPACE}{_SCALAR},)*+{_SPACE}(?:(?P<opened>[{{\[])|{_SCALAR}(?P<closed>\]))"
    ),
}
_EMPTY = {b"{": _pattern(rf"{_SPACE}(?P<closed>}})"), b"[": _pattern(rf"{_SPACE}(?P<closed>\])")}
_BEHIND = {
    b"{": _pattern(rf"{_SPACE}(?:,|(?P<closed>}}))"),
    b"[": _pattern(rf"{_SPACE}(?:,|(?P<closed>\]))"),
}
_WHOLE_STRING = _pattern(rf"({_SPACE})({_STRING}){_SPACE}")
_ESCAPED = _pattern('(?:[^"]*+"[^"\\\\]*+")*+[^"]*+("[^"\\\\]*+(?:\\\\.[^"\\\\]*+)++")')
_TOKEN = _pattern(rf"(?P<string>{_STRING})|{_NUMBER}")


class Cover:
    """What is masked in a readable text: ordered ranges that do not overlap, and their names.

    `found` gets the name of each replacement when the text is written.
    """

    __slots__ = ("_ends", "_ranges", "found")

    def __init__(self, ranges: Sequence[tuple[int, int, str]]) -> None:
        self._ranges = ranges
        self._ends = [end for _, end, _ in ranges]
        self.found: list[str] = []

    def within(self, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        """The ranges between start and end, cut at both."""
        for index in range(bisect_right(self._ends, start), len(self._ends)):
            first, last, name = self._ranges[index]
            if first >= end or start >= end:
                return
            yield max(first, start), min(last, end), name

    def is_in(self, start: int, end: int) -> bool:
        """Whether anything is masked between start and end."""
        return next(self.within(start, end), None) is not None


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text, outside JSON or in a string of it."""

    readable: bytes

    def written(self, at: int, cover: Cover) -> bytes:
        pieces, last = [], 0
        for start, end, name in cover.within(at, at + len(self.readable)):
            pieces += [self.readable[last : start - at], _placeholder(name, cover)]
            last = end - at
        return b"".join([*pieces, self.readable[last:]])


@dataclass(frozen=True, slots=True)
class Json:
    """JSON without those of its strings that have escapes: these are parts of their own."""

    readable: bytes

    def written(self, at: int, cover: Cover) -> bytes:
        if not cover.is_in(at, at + len(self.readable)):
            return self.readable
        pieces, last = [], 0
        for token in _TOKEN.finditer(self.readable):
            start, end = token.span()
            for _, _, name in cover.within(at + start, at + end):
                if token["string"]:
                    replacement = _string(token[0]).written(at + start, cover)
                else:
                    replacement = b'"' + _placeholder(name, cover) + b'"'
                pieces += [self.readable[last:start], replacement]
                last = end
                break
        return b"".join([*pieces, self.readable[last:]])


@dataclass(frozen=True, slots=True)
class String:
    """A string in JSON with its quotes; unescaped it may hold JSON again."""

    raw: bytes
    parts: "Parts"
    readable: bytes

    def written(self, at: int, cover: Cover) -> bytes:
        if not cover.is_in(at + 1, at + len(self.readable) - 1):
            return self.raw
        value = written(self.parts, cover, at + 1).decode("utf-8", "surrogatepass")
        has_half = any("\ud800" <= character <= "\udfff" for character in value)
        return json.dumps(value, ensure_ascii=has_half or self.raw.isascii()).encode()


def _placeholder(name: str, cover: Cover) -> bytes:
    cover.found.append(name)
    return f"[{name}]".encode()


Parts = list["Text | Json | String"]


def read(text: bytes) -> Parts:
    """The parts of a text in order: complete JSON documents, and the text between them.

    An incomplete document is plain text up to where it breaks. Takes linear time.
    """
    whole = _WHOLE_STRING.fullmatch(text)
    if whole:
        return [Text(whole[1]), _string(whole[2]), Text(text[whole.end(2) :])]
    parts: Parts = []
    done = at = 0
    while opening := _OPENING.search(text, at):
        start = opening.start()
        is_whole, at = _end_of_document(text, start)
        if is_whole:
            parts += [Text(text[done:start]), *_document(text[start:at])]
            done = at
    return [*parts, Text(text[done:])]


def readable(parts: Parts) -> bytes:
    """The text in the form that finders search."""
    return b"".join([part.readable for part in parts])


def written(parts: Parts, cover: Cover, at: int = 0) -> bytes:
    """The original text, with the covered ranges replaced; `at` is the start of its first part."""
    pieces = []
    for part in parts:
        pieces.append(part.written(at, cover))
        at += len(part.readable)
    return b"".join(pieces)


def _end_of_document(text: bytes, start: int) -> tuple[bool, int]:
    """Whether the JSON that begins here is complete, and where it ends or breaks."""
    opened = [text[start : start + 1]]
    at = start + 1
    while opened:
        kind = opened[-1]
        found = _EMPTY[kind].match(text, at) or _INSIDE[kind].match(text, at)
        while found and found.lastgroup == "closed":
            at = found.end()
            opened.pop()
            if not opened:
                return True, at
            found = _BEHIND[opened[-1]].match(text, at)
        if found is None:
            return False, at
        at = found.end()
        if found.lastgroup == "opened":
            opened.append(found["opened"])
    return True, at


def _document(text: bytes) -> Parts:
    parts: Parts = []
    done = 0
    while found := _ESCAPED.match(text, done):
        start, end = found.span(1)
        parts += [Json(text[done:start]), _string(found[1])]
        done = end
    return [*parts, Json(text[done:])]


def _string(raw: bytes) -> String:
    value = raw[1:-1]
    if b"\\" in value:
        value = json.loads(raw).encode("utf-8", "surrogatepass")
    parts: Parts = read(value) if b"{" in value or b"[" in value else [Text(value)]
    return String(raw, parts, b'"' + readable(parts) + b'"')
