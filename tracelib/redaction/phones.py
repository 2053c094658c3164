"""Telephone numbers in text.

Conversations are full of digits, so a number alone is not a telephone number. It is one

- with a `+` or `00` before it, if the plan of that country allows it;
- grouped as a country writes its own, with a separate area code, if its plan allows it;
- after a word such as "phone".
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import phonenumbers

from tracelib.redaction.patterns import (
    ESCAPE,
    WORD_BEGINS,
    WORDS,
    Found,
    Searched,
    Span,
    any_of,
    compiled,
)

_LEAST, _MOST = 7, 15  # digits; no country has longer numbers
_LEAST_NATIONAL = 9
# After "phone" without punctuation between, and after "mobile".
_LEAST_OF_PHONE, _LEAST_OF_DEVICE = 9, 10

_ABROAD = compiled(
    rf"(?:^|[^\w+.]|{ESCAPE})((?:\+[1-9]|00[1-9][0-9]{{0,2}}[ .\-/(])[0-9 ().\-/]{{6,22}})",
    "+",
    "00",
)
_AMERICAN = compiled(
    rf"{WORD_BEGINS}(\(?(?:1[-. ]\(?)?[2-9][0-9]{{2}}(?:\) ?|[-. ])[2-9][0-9]{{2}}[-.][0-9]{{4}})\b"
)
_AMERICAN_SHAPE = compiled(r"(?:^|[^\w(])(\([0-9]{3}\) ?[0-9]{3}[-.][0-9]{4})\b")
# An area code with its 0, or in brackets, and groups of digits.
_NATIONAL = compiled(
    rf"(?:^|[^\w.,:+\-/(]|{ESCAPE})"
    r"((?:0[0-9]{1,5}[ \-/]|\([0-9]{2,5}\)[ \-/]?)[0-9]{2,8}(?:[ \-][0-9]{2,4}){0,4})"
)
_SEPARATED = r"""["'\\]{0,3}\s{0,2}[:=.：]\s{0,2}["'\\]{0,3}"""
_NAMED = compiled(
    rf"(?:^|{WORD_BEGINS}|[^a-zA-Z])(?i:(?P<word>{any_of(WORDS['phones']['word'])})"
    rf"|(?P<device>{any_of(WORDS['phones']['device'])}))"
    rf"(?:[ _-]?(?i:(?P<number>{any_of(WORDS['phones']['number'])})))?"
    rf"(?:(?P<sign>{_SEPARATED})|\s{{0,2}})(?P<digits>[+(]?[0-9][0-9 ().\-/]{{5,20}}[0-9])"
)
_GROUP = re.compile(rb"[0-9]+")
_DATE = re.compile(
    rb"(?<![0-9])(?:(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}"
    rb"|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:19|20)[0-9]{2})(?![0-9])"
)
_HOST = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
# An added line of a diff; there the plus is not part of the number.
_ADDED = re.compile(rb"^(?:@@ |\+\+\+ |diff --git)|^-[0-9]", re.MULTILINE)
# Countries that write a 0 before the area code, or put it in brackets.
_COUNTRIES = (
    *("GB", "DE", "FR", "IT", "NL", "BE", "CH", "AT", "SE", "FI", "IE", "TR", "UA", "RO", "ZA"),
    *("NG", "KE", "EG", "MA", "IL", "AE", "SA", "PK", "IN", "BD", "TH", "VN", "ID", "MY", "PH"),
    *("JP", "KR", "CN", "TW", "AU", "NZ", "BR", "AR", "MX", "RU"),
)


def phones(searched: Searched) -> Iterator[Span]:
    """Where are the telephone numbers in this text?

    >>> text = b"+49 30 1234567 or 89, 1732620000, 020 7946 0958, tel. 030/1234567, 3.14159265"
    >>> sorted({text[slice(*span)].decode() for span in phones(Searched(text))})
    ['+49 30 1234567', '020 7946 0958', '030/1234567']
    """
    text = searched.text
    if not searched.has_number:
        return
    yield from _abroad(searched)
    for start, end in _AMERICAN.spans(searched):
        if _is_valid(text[start:end].decode(), "US"):
            yield start, end
    yield from _AMERICAN_SHAPE.spans(searched)
    for start, end in _NATIONAL.spans(searched):
        if not _is_part_of_a_table(text, start, end) and _is_national(text[start:end].decode()):
            yield start, end
    for found in _NAMED.finds(searched):
        last = _named_end(text, found)
        if last is not None:
            yield found.span("digits")[0], last


def _abroad(searched: Searched) -> Iterator[Span]:
    text = searched.text
    is_change = _ADDED.search(text) is not None
    for start, end in _ABROAD.spans(searched):
        begins_line = start == 0 or text[start - 1 : start] == b"\n"
        if (
            begins_line
            and text[start : start + 1] == b"+"
            and (is_change or _joins_codes(text[start:end]))
        ):
            continue
        last = _end_of_number(text, start, end)
        if last is not None:
            yield start, last


def _joins_codes(number: bytes) -> bool:
    """Whether groups follow, but the country's code is not one: added lines look like this."""
    first, *others = _GROUP.findall(number)
    return bool(others) and len(first) > 3 and len(first) < _LEAST


def _end_of_number(text: bytes, start: int, end: int) -> int | None:
    """Where does the longest valid number that begins here end? None if there is none."""
    ends = [group.end() for group in _GROUP.finditer(text, start, end)]
    for last in reversed(ends):
        number = text[start:last].decode()
        if _digits(number) < _LEAST:
            return None
        if not text[last : last + 1].isalnum() and _is_valid(_from_abroad(number)):
            return last
    return None


def _from_abroad(number: str) -> str:
    return number if number.startswith("+") else "+" + number.removeprefix("00")


def _digits(number: str) -> int:
    return sum(character.isdecimal() for character in number)


def _named_end(text: bytes, found: Found) -> int | None:
    """Where does the number after a word end? None if it is a date, a host or a count."""
    start, end = found.span("digits")
    number = text[start:end]
    if _HOST.match(number):
        return None
    is_dialled = number.startswith((b"+", b"0", b"("))
    is_named = bool(found["number"] or (found["word"] and found["sign"]))
    least = (
        _LEAST if is_dialled or is_named else _LEAST_OF_PHONE if found["word"] else _LEAST_OF_DEVICE
    )
    for last in reversed([group.end() for group in _GROUP.finditer(text, start, end)]):
        digits = _digits(text[start:last].decode())
        if least <= digits <= _MOST and not _DATE.search(text, start, last):
            return last
    return None


def _is_part_of_a_table(text: bytes, start: int, end: int) -> bool:
    """Whether more numbers come before or after, or this is a date or a host."""
    before, behind = text[max(start - 6, 0) : start], text[end : end + 6]
    return bool(
        re.search(rb"[0-9][0-9A-Fa-f]{0,3}[ ,;/\-]$", before)
        or re.match(rb"[\w.:/\-]*[0-9]|[ ][0-9]|[0-9A-Za-z_]", behind)
        or _DATE.search(text, start, end)
    )


@lru_cache(maxsize=10_000)
def _is_national(number: str) -> bool:
    """Whether a country writes this as one of its numbers: area code, then the rest."""
    groups = [group.decode() for group in _GROUP.findall(number.encode())]
    if _digits(number) < _LEAST_NATIONAL or _counts_up(groups):
        return False
    return any(_begins_with_area_code(number, groups[0], country) for country in _COUNTRIES)


def _counts_up(groups: list[str]) -> bool:
    steps = {int(second) - int(first) for first, second in pairwise(groups)}
    return len(groups) > 2 and len(steps) == 1


def _begins_with_area_code(number: str, first: str, country: str) -> bool:
    parsed = _parsed(number, country)
    if parsed is None or not phonenumbers.is_valid_number_for_region(parsed, country):
        return False
    length = phonenumbers.length_of_national_destination_code(parsed)
    significant = phonenumbers.national_significant_number(parsed)
    return length > 0 and first.removeprefix("0") == significant[:length].removeprefix("0")


@lru_cache(maxsize=10_000)  # a conversation sends its numbers again with every turn
def _is_valid(number: str, country: str | None = None) -> bool:
    parsed = _parsed(number, country)
    return parsed is not None and phonenumbers.is_valid_number(parsed)


def _parsed(number: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
