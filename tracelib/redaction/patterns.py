"""Regular expressions that take linear time, for any pattern and text.

They are RE2's, which never backtracks, so neither a pattern of ours or of an installation nor a
text made for it can keep the server busy. It has no look-around.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import re2
from stdnum import iban, luhn
from stdnum.us import ssn

Span = tuple[int, int]

WORDS: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "words.toml").read_text(encoding="utf-8")
)
"""The words that the finders search for, by topic and list."""

# Text quoted in a tool's result often has \\n as two characters. The n is not part of the word
# after it, and must not hide that a word begins there.
ESCAPE = r"\\[nrtbf]|\\u[0-9a-fA-F]{4}"
WORD_BEGINS = rf"(?:{ESCAPE}|\b)"

PatternError: type[Exception] = re2.error


_NUMBER = re2.compile(r"[0-9](?:[ ().\-/]{0,3}[0-9]){6}")


class Searched:
    """A text that is searched, as UTF-8.

    `lowered` is the same in small ASCII letters, to search for words in; `has_number` whether it
    has seven digits in a row, separated only by spaces and punctuation of numbers.
    """

    __slots__ = ("has_number", "lowered", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.lowered = text.lower()
        self.has_number = _NUMBER.search(text) is not None


@dataclass(frozen=True, slots=True)
class Found:
    """A match of a pattern, with its named groups."""

    match: Any
    groups: Mapping[str, int]

    def __getitem__(self, name: str) -> bytes:
        """The bytes of a group, empty if it did not take part."""
        return self.match[self.groups[name]] or b""

    def span(self, name: str) -> Span:
        return self.match.span(self.groups[name])  # type: ignore[no-any-return]

    @property
    def whole(self) -> Span:
        return self.match.span()  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, and words of which any matching text contains one."""

    regexp: Any
    groups: Mapping[str, int]
    needs: tuple[bytes, ...]

    def spans(self, searched: Searched, group: int = 1) -> Iterator[Span]:
        """Where in this text does this group match?"""
        if self._can_be_in(searched):
            for found in self.regexp.finditer(searched.text):
                yield found.span(group)

    def finds(self, searched: Searched) -> Iterator[Found]:
        """Where in this text does the pattern match?"""
        if self._can_be_in(searched):
            for match in self.regexp.finditer(searched.text):
                yield Found(match, self.groups)

    def _can_be_in(self, searched: Searched) -> bool:
        for word in self.needs:  # any() would take twice the time
            if word in searched.lowered:
                return True
        return not self.needs


def compiled(pattern: str, *needs: str) -> Pattern:
    """The compiled pattern. Raises PatternError.

    `needs` are in small letters, as is the text they are searched for in. Searching for a word
    takes a twentieth of the time of the pattern.
    """
    options = re2.Options()
    options.log_errors = False
    regexp = re2.compile(pattern, options)
    return Pattern(regexp, regexp.groupindex, tuple(word.encode() for word in needs))


def any_of(words: Iterable[str]) -> str:
    """A pattern of these words; a space in one matches any separator or none.

    >>> any_of(["api key", "a+b"])
    '(?:api[ _-]?key|a\\\\+b)'
    """
    patterns = (re2.escape(word).replace(r"\ ", "[ _-]?") for word in words)
    return f"(?:{'|'.join(patterns)})"


KINDS = ("e-mail", "key", "card", "phone", "iban", "ssn")
MOST_PATTERNS = 50
LONGEST_PATTERN = 1_000
NAME = re.compile(r"[\w -]{1,30}")


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """A regular expression of this installation, and the name that replaces its matches."""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which of KINDS and which own patterns are masked; nothing by default."""

    kinds: frozenset[str] = frozenset()
    own: tuple[OwnPattern, ...] = ()

    def names(self) -> tuple[str, ...]:
        """What is masked, by name: the kinds in their order, then the own patterns."""
        kinds = (kind for kind in KINDS if kind in self.kinds)
        return (*kinds, *(own.name for own in self.own))


NONE = Redaction()
ALL = Redaction(frozenset(KINDS))


def read_own_patterns(text: str) -> tuple[OwnPattern, ...]:
    """The patterns in this setting.

    JSON: a list of regular expressions, called "own 1" and so on, or an object of names and regular
    expressions. Raises ValueError with a sentence, to follow the name of the setting and a colon.

    >>> read_own_patterns('{"employee": "EMP-[0-9]{5}"}')
    (OwnPattern(name='employee', pattern='EMP-[0-9]{5}'),)
    >>> [own.name for own in read_own_patterns('["a+", "b+"]')]
    ['own 1', 'own 2']
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not valid JSON.") from None
    if isinstance(value, list):
        value = {f"own {number}": pattern for number, pattern in enumerate(value, start=1)}
    if not isinstance(value, dict):
        raise ValueError("must be a list of patterns, or an object of names and patterns.")
    if len(value) > MOST_PATTERNS:
        raise ValueError(f"more than {MOST_PATTERNS} patterns.")
    return tuple(_own_pattern(name, pattern) for name, pattern in value.items())


def _own_pattern(name: str, pattern: object) -> OwnPattern:
    if not NAME.fullmatch(name) or name in KINDS:
        raise ValueError(
            f"pattern {name[:40]!r}: a name must have 1 to 30 letters, digits, spaces or hyphens, "
            f"and must not be one of {', '.join(KINDS)}."
        )
    if not isinstance(pattern, str) or not 0 < len(pattern) <= LONGEST_PATTERN:
        raise ValueError(f"pattern {name!r} must be text of 1 to {LONGEST_PATTERN} characters.")
    try:
        compiled(pattern)
    except (PatternError, UnicodeError):
        raise ValueError(
            f"pattern {name!r} is not a valid regular expression: the syntax is RE2, without "
            "look-around and back-references."
        ) from None
    return OwnPattern(name, pattern)


# Without spaces, or grouped as cards are printed.
_CARD = compiled(
    rf"{WORD_BEGINS}([0-9]{{14,19}}"
    r"|[0-9]{4}(?: [0-9]{4}){3}(?: [0-9]{3})?|[0-9]{4}(?:-[0-9]{4}){3}(?:-[0-9]{3})?"
    r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5})\b"
)
# Visa; Mastercard, old and new; American Express; Diners; JCB; Discover, UnionPay, Maestro.
_ISSUED = re.compile(
    r"4(?:[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|35[0-9]{14}|6[0-9]{15,18}"
)
_IBAN = compiled(rf"{WORD_BEGINS}([A-Z]{{2}}[0-9]{{2}}(?:[ -]?[A-Z0-9]){{11,30}})")
_IBAN_GROUP = re.compile(rb"[A-Z0-9]+")
_SSN = compiled(rf"{WORD_BEGINS}([0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}})\b")
_QUOTES = r"""["'\\]{0,3}"""
_NAMED_SSN = compiled(
    rf"{WORD_BEGINS}(?i:ssn|social[ _-]security(?:[ _-](?:number|no))?)\.?{_QUOTES}"
    rf"(?:\s(?:is|was))?\s{{0,2}}[:=#]?\s{{0,2}}{_QUOTES}"
    r"([0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4})\b",
    "ssn",
    "social",
)


def cards(searched: Searched) -> Iterator[Span]:
    """Where are the card numbers in this text: with an issuer's prefix and a valid check digit?

    >>> text = b"4111 1111 1111 1111 12/29, 0.4111111111111111, 4111111111111112"
    >>> [text[slice(*span)] for span in cards(Searched(text))]
    [b'4111 1111 1111 1111']
    """
    text = searched.text
    if not searched.has_number:
        return
    for start, end in _CARD.spans(searched):
        digits = text[start:end].decode().replace(" ", "").replace("-", "")
        is_fraction = text[max(start - 1, 0) : start] == b"."
        if not is_fraction and _ISSUED.fullmatch(digits) and luhn.is_valid(digits):
            yield start, end


def ibans(searched: Searched) -> Iterator[Span]:
    """Where are the bank account numbers in this text: of a country's length and checked?

    >>> text = b"DE89 3704 0044 0532 0130 00 BIC, DE00370400440532013000"
    >>> [text[slice(*span)] for span in ibans(Searched(text))]
    [b'DE89 3704 0044 0532 0130 00']
    """
    text = searched.text
    for start, end in _IBAN.spans(searched):
        ends = [group.end() for group in _IBAN_GROUP.finditer(text, start, end)]
        for last in reversed(ends):
            is_whole = not text[last : last + 1].isalnum()
            if is_whole and iban.is_valid(text[start:last].decode()):
                yield start, last
                break


def ssns(searched: Searched) -> Iterator[Span]:
    """Where are the US social security numbers in this text: by their shape, or their name?

    >>> text = b"123-45-6789, 000-45-6789, SSN 987654321"
    >>> [text[slice(*span)] for span in ssns(Searched(text))]
    [b'123-45-6789', b'987654321']
    """
    text = searched.text
    if not searched.has_number:
        return
    for start, end in _SSN.spans(searched):
        is_whole = text[max(start - 1, 0) : start] != b"-" and text[end : end + 1] != b"-"
        if is_whole and ssn.is_valid(text[start:end].decode()):
            yield start, end
    yield from _NAMED_SSN.spans(searched)
