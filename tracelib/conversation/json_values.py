"""Stored JSON of any shape, read without ever failing."""

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

_MOST_DIGITS = 4_000  # Python refuses to convert integers that are not much longer
_INDENT = "  "


class Number(float):
    """A number that keeps the digits it was written with: 1e400, 0.10000000000000000555."""

    __slots__ = ("written",)
    written: str


class RepeatedKeys(dict[str, object]):
    """An object that repeats a key. As a dict it holds the last value."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def read_json(text: str) -> Any:
    """The value of this JSON text. Raises ValueError or RecursionError.

    >>> pretty(read_json('{"a": 1e400, "a": 12.50}'))
    '{\\n  "a": 1e400,\\n  "a": 12.50\\n}'
    """
    return json.loads(text, parse_float=_fraction, parse_int=_integer, object_pairs_hook=_object)


def number(written: str) -> Number:
    """The number in this text, with the text."""
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
    """JSON for people: indented, with numbers as they were written and accents unescaped.

    `shown` replaces each text in it, keys too. Raises RecursionError for a value nested a thousand
    deep.
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


EMPTY: tuple[object, ...] = (None, "", {}, [])
TOO_DEEP = "Nested too deeply to be shown"


def stored_json(column: object) -> object:
    """What does a JSON column hold?

    Text that holds an object, an array, a text or null is parsed, also if it was encoded twice; any
    other text, including malformed JSON, stays text.

    >>> stored_json('"{}"'), stored_json("hello"), stored_json('{"cut'), stored_json("7")
    ({}, 'hello', '{"cut', '7')
    """
    for _ in range(2):
        if not isinstance(column, str):
            break
        inner = _parsed(column)
        if not isinstance(inner, dict | list | str | None):
            break
        column = inner
    return column


def _parsed(text: str) -> object:
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return text


def looks_like_json(value: object) -> bool:
    """Is this a text that was meant to be an object or an array?"""
    return isinstance(value, str) and value.lstrip()[:1] in ("{", "[")


def parsed_text(text: str) -> object:
    """The object or array in this text; None if it holds anything else."""
    if not looks_like_json(text):
        return None
    value = _parsed(text)
    return value if isinstance(value, dict | list) else None


def mapping(value: object) -> Mapping[str, object]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def array(value: object) -> Sequence[object]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def objects(value: object) -> list[Mapping[str, object]]:
    """The objects of an array; its other entries are left out."""
    return [entry for entry in array(value) if isinstance(entry, dict)]


def string(value: object) -> str:
    """The value if it is text, else the empty text."""
    return value if isinstance(value, str) else ""


def counted(value: object) -> object:
    """The value with long arrays of numbers (vectors) replaced by their count.

    >>> counted({"values": [0.5] * 1536, "few": [1, 2]})
    {'values': '1,536 numbers', 'few': [1, 2]}
    """
    if isinstance(value, dict):
        return {key: counted(entry) for key, entry in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) > 32 and all(isinstance(entry, int | float) for entry in value):
        return f"{len(value):,} numbers"
    return [counted(entry) for entry in value]


def canonical(value: object) -> str:
    """One spelling for equal JSON: no spacing, sorted keys, 1.0 written as 1, composed letters.

    PostgreSQL reorders the keys of an object, JavaScript clients drop the fraction of a whole
    number, and some clients write é as two characters, so a client may send arguments in a
    different spelling than it received them.

    >>> canonical({"b": 1.0, "a": ["e\u0301"]}) == canonical({"a": ["\u00e9"], "b": 1})
    True
    """
    return json.dumps(_one_spelling(value), sort_keys=True, separators=(",", ":"), default=str)


def canonical_text(text: str) -> str:
    """One spelling for equal arguments: their canonical JSON, or the text without spaces.

    Missing arguments are an empty object, an empty text or null.

    >>> canonical_text(""), canonical_text('{ "a": 1.0 }'), canonical_text("ls -l")
    ('{}', '{"a":1}', 'ls-l')
    """
    value = parsed_text(text)
    if value is not None:
        return canonical(value)
    bare = "".join(composed(text).split())
    return "{}" if bare in ("", "null") else bare


def composed(text: str) -> str:
    """The text with each letter and its marks as one character, if Unicode has one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _one_spelling(value: object) -> object:
    if isinstance(value, dict):
        return {composed(str(key)): _one_spelling(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_one_spelling(entry) for entry in value]
    if isinstance(value, str):
        return composed(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
