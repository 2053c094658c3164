"""Telephone numbers in text.

What people say to models is full of digits, so a number alone is no telephone number. It is
one with a `+` or `00` before it, where the country's plan allows it; grouped as in North
America, where that plan does; or behind a word such as "phone".
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from tracelib.redaction.patterns import WORD_BEGINS, compiled, finds

_ABROAD = compiled(
    r"(?:^|[^\w+.]|\\[nrt]|\\u[0-9a-fA-F]{4})"
    r"((?:\+[1-9]|00[1-9][0-9]{0,2}[ .\-/(])[0-9 ().\-/]{6,22})"
)
_AMERICAN = compiled(
    rf"{WORD_BEGINS}((?:1[-. ])?"
    r"[2-9][0-9]{2}(?:\) ?|[-. ])[2-9][0-9]{2}[-.][0-9]{4})\b"
)
_NAMED = compiled(
    rf"{WORD_BEGINS}(?i:(?:tele)?phone|tel|mobile|whatsapp|fax)(?:[ _-]?(?i:number|no|nr))?"
    r"""["'\\]{0,3}\s{0,2}[:=.]?\s{0,2}["'\\]{0,3}"""
    r"([+(]?[0-9][0-9 ().\-/]{5,20}[0-9])\b"
)
_GROUP = re.compile(r"[0-9]+")
_LEAST, _MOST = 7, 15  # digits; no country has longer numbers


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Where are the telephone numbers of this text?

    >>> text = "+49 30 1234567 or 89, 1732620000, 3.14159265, tel. 030/1234567"
    >>> [text[slice(*span)] for span in phones(text)]
    ['+49 30 1234567', '030/1234567']
    """
    for start, end in finds(_ABROAD, text):
        last = _end_of_number(text, start, end)
        if last is not None:
            yield start, last
    for start, end in finds(_AMERICAN, text):
        if _is_allowed(text[start:end], "US"):
            yield start, end
    for start, end in finds(_NAMED, text):
        if _LEAST <= _digits(text[start:end]) <= _MOST:
            yield start, end


def _end_of_number(text: str, start: int, end: int) -> int | None:
    """Where does the longest number that begins here end? None where none is allowed."""
    ends = [group.end() for group in _GROUP.finditer(text, start, end)]
    for last in reversed(ends):
        number = text[start:last]
        if _digits(number) < _LEAST:
            return None
        if not text[last : last + 1].isalnum() and _is_allowed(_from_abroad(number)):
            return last
    return None


def _from_abroad(number: str) -> str:
    return number if number.startswith("+") else "+" + number.removeprefix("00")


def _digits(number: str) -> int:
    return sum(sign.isdecimal() for sign in number)


@lru_cache(maxsize=10_000)  # a conversation sends its numbers again with every turn
def _is_allowed(number: str, region: str | None = None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
