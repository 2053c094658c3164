"""Masking of a text: each find is replaced by the name of its kind."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from tracelib.redaction import documents, emails, keys, named, patterns, phones
from tracelib.redaction.keys import (
    is_about_passwords,
    is_plain_word,
    is_random,
    is_reference,
    value_at,
)
from tracelib.redaction.named import NAME, is_harmless, is_password
from tracelib.redaction.patterns import (
    KINDS,
    WORDS,
    OwnPattern,
    Redaction,
    Searched,
    Span,
    any_of,
    compiled,
)

_ASSIGNED = r"""["'\\]{0,4}\s{0,3}(?:=>|:=|[:=])\s{0,3}["'\\]{0,4}"""
_SCHEME = compiled(
    rf"(?P<header>(?i:authorization){_ASSIGNED})?"
    r"(?i:(?P<bearer>bearer)|basic|token|api-?key|ntlm)\s{1,3}(?P<value>[\w.~+/=:\-]{3,}[\w~+/=\-])",
    "bearer",
    "authorization",
)
_LEAST_BEARER = 16
_COOKIES = compiled(rf"(?i:cookie){_ASSIGNED}([^\r\n\"'\\]+)", "cookie")
_COOKIE = re.compile(rb"(?P<name>[\w.-]+)=(?P<value>[^;,\s]+)")
_WORTHY_COOKIE = re.compile(rf"(?i:{any_of(WORDS['secrets']['cookie'])})".encode())
_LEAST_COOKIE = 6

# `--token X`, also as two items of a list.
_NAMED_FLAG = compiled(
    rf"(?:^|[\s\"'\x60\[,(])--?(?P<name>[\w\-]*(?i:{NAME}))"
    r"(?:\s{1,3}|[\"'],\s{0,3})(?P<next>[^\s\-])"
)
_FLAG = compiled(
    r"(?:^|\s)(?P<flag>-[aAwpPU]|-[fgikLNsSv]{0,8}u|--user|--proxy-user|--auth|--creds)"
    r"(?P<gap>[ =]{1,3}|)(?P<next>[^\s\-=])"
)
_BEFORE = 300  # bytes before a flag in which its program is searched for
_SEVERAL_FLAGS = re.compile("^-(?!-).+(?=u$)")
_COMMAND_ENDS = re.compile(rb"[|;&]|(?<!\\)\n")


def commands(searched: Searched) -> Iterator[Span]:
    """Where are the secrets in headers and in arguments of commands in this text?

    >>> text = b"curl -u ada:pw1 -H 'Cookie: sid=abc123; theme=dark'; npm publish --token abc123"
    >>> [text[slice(*span)].decode() for span in commands(Searched(text))]
    ['abc123', 'abc123', 'pw1']
    """
    yield from _schemes(searched)
    for start, end in _COOKIES.spans(searched):
        yield from _cookies(searched.text, start, end)
    yield from _named_flags(searched)
    yield from _flags(searched)


def _schemes(searched: Searched) -> Iterator[Span]:
    for found in _SCHEME.finds(searched):
        value = found["value"].decode()
        is_word = value.isalpha() and value.islower()
        is_bearer = found["bearer"] and len(value) >= _LEAST_BEARER and is_random(value)
        if is_bearer or (found["header"] and not is_word):
            yield found.span("value")


def _cookies(text: bytes, start: int, end: int) -> Iterator[Span]:
    for found in _COOKIE.finditer(text, start, end):
        value = found["value"].decode("utf-8", "ignore")
        is_worth = _WORTHY_COOKIE.search(found["name"]) and len(value) >= _LEAST_COOKIE
        if (is_worth or is_random(value)) and not is_reference(value):
            yield found.span("value")


def _named_flags(searched: Searched) -> Iterator[Span]:
    for found in _NAMED_FLAG.finds(searched):
        value = value_at(searched.text, found.span("next")[0])
        name = found["name"].decode()
        if value is None or is_harmless(name) or is_reference(value.text):
            continue
        is_mixed = not (is_plain_word(value.text) or value.text.isdigit())
        if is_mixed or (is_password(name) and not is_about_passwords(value.text)):
            yield value.start, value.end


def _flags(searched: Searched) -> Iterator[Span]:
    for found in _FLAG.finds(searched):
        at, _ = found.span("flag")
        before = _COMMAND_ENDS.split(searched.text[max(at - _BEFORE, 0) : at])[-1]
        flag = _SEVERAL_FLAGS.sub("-", found["flag"].decode())
        value = value_at(searched.text, found.span("next")[0])
        if value is None or is_reference(value.text):
            continue
        programs = _SPACED if found["gap"] else _JOINED
        if flag in programs and programs[flag].search(before):
            yield value.start, value.end
        elif flag in _WITH_USER and _WITH_USER[flag].search(before):
            _, _, password = value.text.partition(":")
            if password and not is_reference(password):
                yield value.end - len(password.encode()), value.end


def _programs(table: str) -> Mapping[str, re.Pattern[bytes]]:
    """For each flag, a pattern of the programs that take a secret after it."""
    spaced = {
        flag: "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in names)
        for flag, names in WORDS[table].items()
    }
    return {
        flag: re.compile(rf"(?:^|[\s/(\x60\"'$])(?:{names})\s".encode())
        for flag, names in spaced.items()
    }


_SPACED, _JOINED, _WITH_USER = map(_programs, ("commands", "commands_joined", "commands_with_user"))

MaskedSpan = tuple[int, int, str]
Finder = Callable[[Searched], Iterator[Span]]

_FINDERS: dict[str, Finder] = {
    "e-mail": emails.emails,
    "key": lambda text: chain(keys.keys(text), named.named(text), commands(text)),
    "card": patterns.cards,
    "phone": phones.phones,
    "iban": patterns.ibans,
    "ssn": patterns.ssns,
}
# UTF-8 has no lone surrogates. The replacement character takes as many bytes.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_UNKNOWN = "\ufffd".encode()
_RUN = re.compile(rb"([^\0])\1*", re.DOTALL)
# A replacement can expose another match next to it, so the text is searched again.
_MOST_PASSES = 4


def masked(text: str, redaction: Redaction) -> tuple[str, Counter[str]]:
    """The text with its private data masked, and the number of replacements by kind.

    Each find becomes its kind in brackets: `[e-mail]`, `[key]`, `[card]`, `[phone]`, `[iban]`,
    `[ssn]`, or the name of an own pattern. In JSON it stays a string, or becomes one if it was a
    number, so that JSON stays JSON. If finds overlap, all are replaced by the kind of the longest.
    Masking is idempotent; a text without a find is returned as it is, with an empty count.

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
        """The text with all finds replaced, and their names."""
        parts = documents.read(text)
        readable = documents.readable(parts)
        found = self._found(Searched(_without_surrogates(readable)))
        if not found:
            return text, []
        cover = documents.Cover(self._spans(readable, found))
        return documents.written(parts, cover), cover.found

    def _found(self, searched: Searched) -> list[tuple[int, int, int]]:
        return [
            (start, end, number)
            for number, (_, find) in enumerate(self.finders, start=1)
            for start, end in find(searched)
            if start < end
        ]

    def _spans(self, text: bytes, found: list[tuple[int, int, int]]) -> list[MaskedSpan]:
        """The ranges to replace: all finds except placeholders, under the name of their longest."""
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
