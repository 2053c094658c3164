"""Secrets that are recognised by their name, in assignments of any language, markup and sentences.

The name decides how much its value must look like a secret. After "password" nearly anything is
one; after "token" and "key" a random value; after the name of a page's or a form's token nothing.
"""

import re
from collections.abc import Iterator
from itertools import chain

from tracelib.redaction.keys import (
    Value,
    is_about_passwords,
    is_code,
    is_plain_word,
    is_random,
    is_reference,
    value_at,
)
from tracelib.redaction.patterns import WORDS, Found, Searched, Span, any_of, compiled

_SECRETS = WORDS["secrets"]
NAME = any_of([*_SECRETS["password"], *_SECRETS["short_password"], *_SECRETS["key"]])
"""A pattern of the names of secrets."""

_ENDING = r"(?:[_-]?(?:hash|id|text|string|base|value))?[0-9]?"
_PASSWORDS = any_of(_SECRETS["password"])
_PASSWORD = re.compile(rf"(?i:{_PASSWORDS}){_ENDING}$")
_SHORT_PASSWORD = re.compile(rf"(?i:{any_of(_SECRETS['short_password'])})$")
_HARMLESS = frozenset(_SECRETS["harmless_token"])
_HARMLESS_PASS = tuple(_SECRETS["harmless_pass"])
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# The name of an environment variable that holds a key, whatever the key looks like.
_SETTING_NAME = re.compile(r"[A-Z0-9_]*(?:TOKEN|SECRET|KEY)")
_SECRET = re.compile(r"(?i:secret)$")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[0-9])(?=.*[!@#$%^&*?]).+")
_CALL = re.compile(r"[(\[]")
_LEAST_PASSWORD, _LEAST_NUMBER, _LEAST_SECRET, _LEAST_SPOKEN = 3, 4, 8, 12
_LONGEST_LABEL = 40

_QUOTES = r"""["'\x60\\]{0,4}"""
_NAMED = compiled(
    rf"(?P<name>[\w.\-]*(?i:{NAME}{_ENDING}))"
    rf"(?:(?P<sign>{_QUOTES}\]?\s{{0,3}}(?:=>|:=|={{1,3}}|[:：＝])\s{{0,3}})"
    rf"|(?P<pair>{_QUOTES}[,\s]{{1,20}}{_QUOTES}(?i:value){_QUOTES}\s{{0,3}}[:=]\s{{0,3}})"
    rf"|(?P<markup>{_QUOTES}>)|(?P<call>\(\s{{0,3}})"
    rf"|(?P<is>(?:\s(?i:for|of)\s[\w .@\-]{{1,40}})?\s{{1,3}}(?i:{any_of(_SECRETS['is'])})"
    r"[\s:：]\s{0,3}|[是为為は]))"
)
_IN_MARKUP = re.compile(rb"([^<>\s]{1,300})</")
# A password in an SQL statement, and one in a list of machines with logins for programs.
_IN_STATEMENT = compiled(
    r"(?:PASSWORD|IDENTIFIED\s{1,3}BY|(?i:with|encrypted)\s{1,3}(?i:password)"
    r"|(?i:create|alter)\s{1,3}(?i:user|role|login)\s{1,3}\S{1,64}\s{1,3}"
    r"(?i:(?:with\s{1,3})?password|identified\s{1,3}by))"
    r"\s{1,3}(?P<next>['\"])",
    "password",
    "identified",
)
_LISTED = compiled(
    r"(?i:login|user|account)\s{1,3}\S{1,64}\s{1,3}(?i:password)\s{1,3}(?P<next>\S)", "password"
)
_IN_IMAGE = compiled(
    rf"(?m:^)\s*(?:ENV|ARG)\s{{1,3}}\w*(?i:{NAME})\s{{1,3}}(?P<next>\S)", "env", "arg"
)
_IN_SENTENCES = compiled(
    r"(?:(?P<before>[\w-]+)\s|^|[^\w\-])(?i:key|token|secret)[:=]?\s{1,3}(?P<value>[\w.+/=\-]{20,})"
    r"|\b(?i:password|passwd|passphrase)\s{1,3}(?P<password>[\w.+/=\-!@#$%^&*?]{8,})",
    "key",
    "token",
    "secret",
    "pass",
)
_LOOKED_UP = frozenset(word.encode() for word in _SECRETS["harmless_key"])
_SETTING = re.compile(rb"\s*(?:- )?[\w.-]+:(?: [^\n]*[^\s,;{])?\s*")
_NEAR = 300  # bytes around a line in which its neighbours are searched for
_BEFORE_NAME = re.compile(rb"\s*(?:- )?[\"']?$")


def named(searched: Searched) -> Iterator[Span]:
    """Where are the values in this text that are named as secrets?

    >>> text = b"password: P@ssw0rd!, max_tokens=4096, page_token: CAUQAA123456, Pwd={x1;y};"
    >>> [text[slice(*span)].decode() for span in named(Searched(text))]
    ['P@ssw0rd!', 'x1;y']
    """
    text = searched.text
    for found in _NAMED.finds(searched):
        value = _value(text, found)
        if value and not is_reference(value.text) and _is_secret(text, found, value):
            yield value.start, value.end
    for found in chain(*(one.finds(searched) for one in (_IN_STATEMENT, _LISTED, _IN_IMAGE))):
        value = value_at(text, found.span("next")[0])
        if value and not is_reference(value.text) and " " not in value.text:
            yield value.start, value.end
    for found in _IN_SENTENCES.finds(searched):
        password = found["password"].decode()
        if password and (is_random(password) or _MIXED.fullmatch(password)):
            yield found.span("password")
        if is_random(found["value"].decode()) and found["before"].lower() not in _LOOKED_UP:
            yield found.span("value")


def _value(text: bytes, found: Found) -> Value | None:
    _, end = found.whole
    if not found["markup"]:
        value = value_at(text, end)
        return value if value and (value.is_quoted or not found["call"]) else None
    inner = _IN_MARKUP.match(text, end)
    return (
        Value(*inner.span(1), inner[1].decode("utf-8", "ignore"), is_quoted=True) if inner else None
    )


def _is_secret(text: bytes, found: Found, value: Value) -> bool:
    name = found["name"].decode()
    if is_harmless(name) or is_about_passwords(value.text):
        return False
    is_set = _is_set_outside_code(text, found, value)
    if is_password(name):
        is_itself = name.lower() == value.text.lower()
        return not is_itself and _is_any_password(value, is_set, bool(found["is"]))
    if _SHORT_PASSWORD.search(name):
        return is_set or not (
            is_plain_word(value.text) or value.text.isdigit() or is_code(value.text)
        )
    if is_set and _SETTING_NAME.fullmatch(name):
        return True
    return not found["call"] and _is_any_key(name, value, bool(found["is"]))


def _is_any_key(name: str, value: Value, is_spoken: bool) -> bool:
    key = value.text
    if " " in key or (not value.is_quoted and _CALL.search(key)):
        return False
    if value.is_quoted and _SECRET.search(name) and len(key) >= _LEAST_SECRET:
        return not (is_plain_word(key) or key.isdigit())
    return is_random(key) and len(key) >= (_LEAST_SPOKEN if is_spoken else 1)


def is_harmless(name: str) -> bool:
    """Whether this is not a secret's name: a page's or a form's token, or a word like bypass."""
    words = {word.lower().removesuffix("token") for word in _NAME_WORD.findall(name)}
    is_token = name.lower().endswith("token")
    return (is_token and not words.isdisjoint(_HARMLESS)) or name.lower().endswith(_HARMLESS_PASS)


def is_password(name: str) -> bool:
    """Whether the name means a password and nothing else: also `db_pass`, but not `pass`."""
    short = _SHORT_PASSWORD.search(name)
    return bool(_PASSWORD.search(name)) or bool(short and short.start() > 0)


def _is_any_password(value: Value, is_set: bool, is_spoken: bool) -> bool:
    password = value.text
    label = password.rstrip(" :*?!.").replace(" ", "")
    is_label = is_plain_word(label) and bool(_PASSWORD.search(label[-_LONGEST_LABEL:]))
    if len(password) < _LEAST_PASSWORD or (password.isdigit() and len(password) < _LEAST_NUMBER):
        return False
    if value.is_quoted and not is_spoken:
        return not is_label
    is_several = len(re.split("[;,]", password)[0]) < _LEAST_PASSWORD
    if is_several or is_code(password) or " " in password:
        return False
    return is_set or not is_plain_word(password)


def _is_set_outside_code(text: bytes, found: Found, value: Value) -> bool:
    """Whether a plain word is a value here, as in settings, and not a name, as in code.

    It is one directly after `=` if a line, a setting or a query ends with it, and in a document of
    lines like `name: value`.
    """
    if value.is_quoted or not found["sign"] or is_code(value.text):
        return False
    if found["sign"] == b"=":
        return text[value.end : value.end + 1] not in (b",", b")", b".")
    if found["sign"].strip() != b":":
        return False
    start, _ = found.whole
    before = text[max(start - _NEAR, 0) : start].split(b"\n")
    behind = text[value.end : value.end + _NEAR].split(b"\n")
    is_line = _BEFORE_NAME.fullmatch(before[-1]) and not behind[0].strip()
    is_one_of_several = any(map(_SETTING.fullmatch, (*before[-2:-1], *behind[1:2])))
    return bool(is_line) and (found["name"].isupper() or is_one_of_several)
