"""A conversation without what is private in it: in its words, names, notes and errors."""

from collections import Counter
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from tracelib.conversation.session_rows import BODIES
from tracelib.redaction import NONE, Redaction, masked
from tracelib.selection import RowId

T = TypeVar("T")
# What rows are found by, and calls paired by. None of it is a person's word.
IDS = frozenset(
    {
        *("request_id", "call_id", "background_id", "called_in", "answered_in"),
        *("api_key", "reference"),
    }
)
# Stored bodies, and what keeps arguments or images apart by holding them as they came.
LEFT_OUT: dict[str, Any] = {**dict.fromkeys(BODIES), "fingerprint": ""}
SHORT = 200


def redacted(value: T, redaction: Redaction) -> tuple[T, Counter[str]]:
    """What is this without what is private in it, and how much was masked, by kind?

    `value` is a turn, a page of them, a message, a summary or a tuple of such: every text in
    it is masked but ids. Bodies as they were stored are left out, whatever the redaction.
    A text that stands twice counts twice.
    """
    counts: Counter[str] = Counter()
    return _without(value, redaction, counts), counts


def _without(value: Any, redaction: Redaction, counts: Counter[str]) -> Any:
    if isinstance(value, str):
        return _masked(value, redaction, counts)
    if isinstance(value, RowId):
        return value
    if isinstance(value, tuple):
        return tuple(_without(one, redaction, counts) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        masked_ones = {
            name: _without(one, redaction, counts)
            for name, one in named.items()
            if name not in IDS and name not in LEFT_OUT
        }
        left_out = {name: LEFT_OUT[name] for name in named if name in LEFT_OUT}
        return replace(value, **masked_ones, **left_out)
    return value


def _masked(text: str, redaction: Redaction, counts: Counter[str]) -> str:
    if redaction == NONE:
        return text
    without, found = (masked_name if len(text) <= SHORT else masked)(text, redaction)
    counts.update(found)
    return without


@lru_cache(maxsize=4_096)
def masked_name(text: str, redaction: Redaction) -> tuple[str, Counter[str]]:
    """`masked`, remembered: roles, names and notes stand in row after row."""
    return masked(text, redaction)
