"""Secrets in headers of HTTP and in the arguments of commands."""

import re
from collections.abc import Iterator, Mapping

from tracelib.redaction.named import NAME, is_harmless, is_password
from tracelib.redaction.patterns import WORDS, Searched, Span, any_of, compiled
from tracelib.redaction.values import (
    is_plain_word,
    is_random,
    is_reference,
    says_about_passwords,
    value_at,
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
_BEFORE = 300  # bytes before a flag in which its program is looked for
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
        if is_mixed or (is_password(name) and not says_about_passwords(value.text)):
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
    """Of each flag a pattern of the programs that take a secret behind it."""
    spaced = {
        flag: "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in names)
        for flag, names in WORDS[table].items()
    }
    return {
        flag: re.compile(rf"(?:^|[\s/(\x60\"'$])(?:{names})\s".encode())
        for flag, names in spaced.items()
    }


_SPACED, _JOINED, _WITH_USER = map(_programs, ("commands", "commands_joined", "commands_with_user"))
