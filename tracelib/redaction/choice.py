"""What to mask: kinds of private data, and patterns of an installation's own."""

import json
import re
from dataclasses import dataclass

from tracelib.redaction.patterns import PatternError, compiled

KINDS = ("e-mail", "key", "card", "phone", "iban", "ssn")
MOST_PATTERNS = 50
LONGEST_PATTERN = 1_000
NAME = re.compile(r"[\w -]{1,30}")


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """A regular expression of this installation, and the name that replaces what it finds."""

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


def read_own_patterns(written: str) -> tuple[OwnPattern, ...]:
    """Which patterns does this setting name?

    JSON: a list of regular expressions, called "own 1" and so on, or an object of names and
    regular expressions. Raises ValueError with a sentence, to follow the name of the setting
    and a colon.

    >>> read_own_patterns('{"employee": "EMP-[0-9]{5}"}')
    (OwnPattern(name='employee', pattern='EMP-[0-9]{5}'),)
    >>> [own.name for own in read_own_patterns('["a+", "b+"]')]
    ['own 1', 'own 2']
    """
    try:
        value = json.loads(written)
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
