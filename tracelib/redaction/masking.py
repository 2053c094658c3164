"""A text with what was found in it replaced by the name of its kind."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from tracelib.redaction import commands, documents, emails, keys, named, numbers, phones
from tracelib.redaction.choice import KINDS, OwnPattern, Redaction
from tracelib.redaction.patterns import Searched, Span, compiled

Range = tuple[int, int, str]
Finder = Callable[[Searched], Iterator[Span]]

_FINDERS: dict[str, Finder] = {
    "e-mail": emails.emails,
    "key": lambda text: chain(keys.keys(text), named.named(text), commands.commands(text)),
    "card": numbers.cards,
    "phone": phones.phones,
    "iban": numbers.ibans,
    "ssn": numbers.ssns,
}
# UTF-8 has no lone surrogates. The mark for an unknown character takes as many bytes.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_UNKNOWN = "\ufffd".encode()
_RUN = re.compile(rb"([^\0])\1*", re.DOTALL)
# A replacement can expose another match beside it, so the text is searched again.
_MOST_PASSES = 4


def masked(text: str, redaction: Redaction) -> tuple[str, Counter[str]]:
    """What does this text say without what is private in it, and how much was that, by kind?

    Each find becomes its kind in brackets: `[e-mail]`, `[key]`, `[card]`, `[phone]`, `[iban]`,
    `[ssn]`, or the name of an own pattern. In JSON it stays a string, or becomes one where it
    was a number, so that JSON stays JSON. Where finds overlap the longest is named and all of
    them go. Masking what is masked changes nothing; a text without a find comes back as it is,
    with an empty count.

    >>> from tracelib.redaction import ALL
    >>> text, counts = masked("ada@example.org wrote to +49 30 1234567", ALL)
    >>> text, dict(counts)
    ('[e-mail] wrote to [phone]', {'e-mail': 1, 'phone': 1})
    >>> masked('{"card": 4111111111111111}', ALL)[0]
    '{"card": "[card]"}'
    """
    counts: Counter[str] = Counter()
    searched = text.encode("utf-8", "surrogatepass")
    for _ in range(_MOST_PASSES):
        searched, found = _masker(redaction).masked(searched)
        if not found:
            break
        counts.update(found)
    return searched.decode("utf-8", "surrogatepass") if counts else text, counts


@dataclass(frozen=True, slots=True)
class _Masker:
    """The finders of one redaction with their names, and the placeholders that are left alone."""

    finders: tuple[tuple[str, Finder], ...]
    placeholder: re.Pattern[bytes]

    def masked(self, text: bytes) -> tuple[bytes, list[str]]:
        """The text with what is found replaced, and the names of what was."""
        parts = documents.read(text)
        readable = documents.readable(parts)
        found = self._found(Searched(_without_surrogates(readable)))
        if not found:
            return text, []
        cover = documents.Cover(self._ranges(readable, found))
        return documents.written(parts, cover), cover.found

    def _found(self, searched: Searched) -> list[tuple[int, int, int]]:
        return [
            (start, end, number)
            for number, (_, find) in enumerate(self.finders, start=1)
            for start, end in find(searched)
            if start < end
        ]

    def _ranges(self, text: bytes, found: list[tuple[int, int, int]]) -> list[Range]:
        """What goes: all that was found but placeholders, under the name of its longest find."""
        cover = bytearray(len(text))
        for start, end, number in sorted(found, key=lambda span: span[1] - span[0]):
            cover[start:end] = bytes([number]) * (end - start)
        for placeholder in self.placeholder.finditer(text):
            cover[slice(*placeholder.span())] = bytes(len(placeholder[0]))
        return [(*run.span(), self.finders[run[0][0] - 1][0]) for run in _RUN.finditer(cover)]


def _without_surrogates(text: bytes) -> bytes:
    return _SURROGATE.sub(_UNKNOWN, text) if b"\xed" in text else text


@lru_cache(maxsize=64)
def _masker(redaction: Redaction) -> _Masker:
    kinds = [(kind, _FINDERS[kind]) for kind in KINDS if kind in redaction.kinds]
    own = [(one.name, _finder(one)) for one in redaction.own]
    names = {*KINDS, *redaction.names()}
    known = "|".join(re.escape(name) for name in sorted(names))
    return _Masker((*kinds, *own), re.compile(rf"\[(?:{known})\]".encode()))


def _finder(own: OwnPattern) -> Finder:
    pattern = compiled(own.pattern)
    return lambda searched: pattern.spans(searched, group=0)
