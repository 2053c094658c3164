"""Objects that came in pieces, put together: texts grow, lists are filled by index."""

from collections.abc import Mapping

# These are said again in each piece rather than in pieces.
_SAID_AGAIN = frozenset(
    {
        *("id", "type", "role", "name", "object", "model", "index", "call_id", "finish_reason"),
        *("finishReason", "stop_reason", "stopReason", "toolUseId", "done_reason", "mimeType"),
        *("created_at", "createTime", "event_type", "kind", "language", "status", "format"),
        *("artifactId", "description"),
    }
)

_WORDS = frozenset({"text", "thinking"})
_OF_A_TEXT = _WORDS | {"thought", "type", "kind"}


class Pieces:
    """An object as it grows by pieces."""

    def __init__(self) -> None:
        self._whole: dict[str, object] = {}

    def add(self, piece: Mapping[str, object], without: tuple[str, ...] = ()) -> None:
        """One more piece of it, all but some of its fields."""
        self._whole = _joined(self._whole, {k: v for k, v in piece.items() if k not in without})

    def whole(self) -> dict[str, object]:
        """What it is until now."""
        return self._whole


def joined(one: object, other: object, key: str = "") -> object:
    """A value and its next piece as one value.

    >>> joined({"text": "a", "id": "1"}, {"text": "b", "id": "1"})
    {'text': 'ab', 'id': '1'}
    """
    if other is None or one in (None, {}, []):
        return other if other is not None else one
    if isinstance(one, str) and isinstance(other, str):
        return (other or one) if key in _SAID_AGAIN else one + other
    if isinstance(one, dict) and isinstance(other, dict):
        return _joined(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return _filled(one, other)
    return other


def _joined(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    return {**one, **{key: joined(one.get(key), value, key) for key, value in other.items()}}


def _filled(one: list[object], other: list[object]) -> list[object]:
    """Entries with an index go on from those of the same index; text goes on from text."""
    whole = list(one)
    for entry in other:
        place = next((at for at, known in enumerate(whole) if _is_next(known, entry)), None)
        if place is None and whole and _goes_on(whole[-1], entry):
            place = len(whole) - 1
        if place is None:
            whole.append(entry)
        else:
            whole[place] = joined(whole[place], entry)
    return whole


def _is_next(known: object, entry: object) -> bool:
    if not (isinstance(known, dict) and isinstance(entry, dict)):
        return False
    return "index" in entry and known.get("index") == entry["index"]


def _goes_on(last: object, entry: object) -> bool:
    """Are these two pieces of one text: objects of nothing but words?"""
    if not (isinstance(last, dict) and isinstance(entry, dict)):
        return False
    kinds = [set(one) - {"thoughtSignature", "signature"} for one in (last, entry)]
    words = [{key for key in _WORDS if isinstance(one.get(key), str)} for one in (last, entry)]
    return kinds[0] == kinds[1] <= _OF_A_TEXT and words[0] == words[1] != set()
