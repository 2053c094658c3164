"""JSON read and written without changing what was sent: digits of numbers, repeated keys."""

import json
from collections.abc import Callable, Iterator
from json.encoder import encode_basestring
from typing import Any

_MOST_DIGITS = 4_000  # Python refuses to convert integers not much longer
_INDENT = "  "


class Number(float):
    """A number that remembers the digits it was written with: 1e400, 0.10000000000000000555."""

    __slots__ = ("written",)
    written: str


class RepeatedKeys(dict[str, object]):
    """An object in which a key stands more than once. As a dict it holds the last value."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def read_json(text: str) -> Any:
    """The value that this JSON holds. Raises ValueError or RecursionError.

    >>> pretty(read_json('{"a": 1e400, "a": 12.50}'))
    '{\\n  "a": 1e400,\\n  "a": 12.50\\n}'
    """
    return json.loads(text, parse_float=_fraction, parse_int=_integer, object_pairs_hook=_object)


def number(written: str) -> Number:
    """The number that this text stands for, with the text."""
    made = Number(written)
    made.written = written
    return made


def _fraction(written: str) -> float:
    plain = float(written)
    return plain if repr(plain) == written else number(written)


def _integer(digits: str) -> int | Number:
    return number(digits) if len(digits) > _MOST_DIGITS or digits == "-0" else int(digits)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    whole = dict(pairs)
    return whole if len(whole) == len(pairs) else RepeatedKeys(pairs)


def pretty(value: object, shown: Callable[[str], str] = str) -> str:
    """JSON as a person reads it: indented, numbers as they were written, accents as they are.

    `shown` gives what is written for each text in it, keys too. Raises RecursionError where it
    is nested a thousand deep.
    """
    return "".join(_written(value, "\n", shown))


def _written(value: object, line: str, shown: Callable[[str], str]) -> Iterator[str]:
    if isinstance(value, str):
        yield encode_basestring(shown(value))
    elif isinstance(value, dict):
        pairs = value.pairs if isinstance(value, RepeatedKeys) else list(value.items())
        keyed = [(_key(key, shown), entry) for key, entry in pairs]
        yield from _listed("{", "}", keyed, line, shown)
    elif isinstance(value, list | tuple):
        yield from _listed("[", "]", [("", entry) for entry in value], line, shown)
    else:
        yield _scalar(value, shown)


def _listed(
    opening: str,
    closing: str,
    entries: list[tuple[str, object]],
    line: str,
    shown: Callable[[str], str],
) -> Iterator[str]:
    if not entries:
        yield opening + closing
        return
    for position, (key, entry) in enumerate(entries):
        yield ("," if position else opening) + line + _INDENT + key
        yield from _written(entry, line + _INDENT, shown)
    yield line + closing


def _key(key: object, shown: Callable[[str], str]) -> str:
    return encode_basestring(shown(str(key))) + ": "


def _scalar(value: object, shown: Callable[[str], str]) -> str:
    if isinstance(value, Number):
        return value.written
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return encode_basestring(shown(str(value)))
