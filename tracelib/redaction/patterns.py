"""Regular expressions that need time in proportion to the text, whatever is written in them.

They are RE2's: it never goes back in the text, so neither a pattern of ours or of an
installation nor a text made for it can keep the server busy. It has no look-around.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import re2

Span = tuple[int, int]

WORDS: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "words.toml").read_text(encoding="utf-8")
)
"""What the finders look for, by topic and list."""

# Text quoted in a tool's result often holds \\n as two characters. The n is no part of the word
# behind it, and must not hide that a word begins there.
ESCAPE = r"\\[nrtbf]|\\u[0-9a-fA-F]{4}"
WORD_BEGINS = rf"(?:{ESCAPE}|\b)"

PatternError: type[Exception] = re2.error


_NUMBER = re2.compile(r"[0-9](?:[ ().\-/]{0,3}[0-9]){6}")


class Searched:
    """A text that is searched, as UTF-8.

    `lowered` is the same in small ASCII letters, to look for words in; `has_number` whether
    there are seven digits in a row that only spaces and punctuation of numbers divide.
    """

    __slots__ = ("has_number", "lowered", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.lowered = text.lower()
        self.has_number = _NUMBER.search(text) is not None


@dataclass(frozen=True, slots=True)
class Found:
    """Where a pattern was found, with its named groups."""

    match: Any
    groups: Mapping[str, int]

    def __getitem__(self, name: str) -> bytes:
        """What a group holds, nothing where it took no part."""
        return self.match[self.groups[name]] or b""

    def span(self, name: str) -> Span:
        return self.match.span(self.groups[name])  # type: ignore[no-any-return]

    @property
    def whole(self) -> Span:
        return self.match.span()  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, and words of which one is in any text that it can be found in."""

    regexp: Any
    groups: Mapping[str, int]
    needs: tuple[bytes, ...]

    def spans(self, searched: Searched, group: int = 1) -> Iterator[Span]:
        """Where does this text hold what this group matches?"""
        if self._can_be_in(searched):
            for found in self.regexp.finditer(searched.text):
                yield found.span(group)

    def finds(self, searched: Searched) -> Iterator[Found]:
        """Where is the pattern in this text?"""
        if self._can_be_in(searched):
            for match in self.regexp.finditer(searched.text):
                yield Found(match, self.groups)

    def _can_be_in(self, searched: Searched) -> bool:
        for word in self.needs:  # any() would take twice the time
            if word in searched.lowered:
                return True
        return not self.needs


def compiled(pattern: str, *needs: str) -> Pattern:
    """The pattern, ready to use. Raises PatternError.

    `needs` are in small letters, as is what they are looked for in. To look for a word takes a
    twentieth of the time that the pattern takes.
    """
    options = re2.Options()
    options.log_errors = False
    regexp = re2.compile(pattern, options)
    return Pattern(regexp, regexp.groupindex, tuple(word.encode() for word in needs))


def any_of(words: Iterable[str]) -> str:
    """A pattern of these words; a space in one is any separator or none.

    >>> any_of(["api key", "a+b"])
    '(?:api[ _-]?key|a\\\\+b)'
    """
    written = (re2.escape(word).replace(r"\ ", "[ _-]?") for word in words)
    return f"(?:{'|'.join(written)})"
