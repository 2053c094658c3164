"""The fields of an object: a reader takes those it knows, so that the rest is not lost."""

from collections.abc import Mapping
from typing import Any

from tracelib.conversation.json_values import mapping

# Fields next to the text of a message: kinds, IDs, positions, signatures. Never text.
LABELS = frozenset(
    {
        *("id", "index", "object", "type", "kind", "role", "status", "name", "model", "phase"),
        "jsonrpc",
        *("content_type", "created", "created_at", "createTime", "expires_at"),
        *("retrieved_at", "timestamp"),
        *("signature", "thoughtSignature", "thought_signature", "encrypted_content", "detail"),
        *("encrypted_index", "encrypted_stdout", "reasoning_signature", "fingerprint", "recipient"),
        *("system_fingerprint", "finish_reason", "native_finish_reason", "stop_reason", "format"),
        *("stopReason", "finishReason", "media_type", "mime_type", "mimeType", "mediaType"),
        *("server_label", "server_name", "namespace", "execution", "service_tier", "created_by"),
        *("language", "file_type", "toolset_name", "weight", "prefix", "partial", "isError"),
        *("is_error", "language_code", "mediaResolution", "media_resolution", "result_type"),
    }
)
# Objects of figures and settings; text in them is not part of a message.
FIGURES = frozenset(
    {
        *("usage", "usageMetadata", "usage_info", "cache_control", "cachePoint", "logprobs"),
        *("token_logprobs", "caller", "safetyRatings", "safety_ratings", "metrics", "container"),
        *("avgLogprobs", "logprobsResult", "tokenCount", "thought_signatures", "video_metadata"),
        *("videoMetadata", "prompt_cache_breakpoint", "input_transformations", "meta", "_meta"),
        *("partMetadata", "dimensions", "categories", "category_scores"),
        *("category_applied_input_types", "embedding"),
    }
)
# The verdicts of content filters: mostly negative.
_VERDICTS = frozenset({"content_filter_results", "content_filter_result", "prompt_filter_results"})
_ID_ENDINGS = ("_id", "Id", "_ids", "Ids", "_index", "Index")
_EMPTY: tuple[object, ...] = (None, "", [], {})


class Fields:
    """An object from which readers take the fields they know; `rest` is what is left."""

    def __init__(self, value: Mapping[str, object]) -> None:
        self._left = {key: found for key, found in value.items() if found not in _EMPTY}

    def __bool__(self) -> bool:
        return bool(self._left)

    def text(self, *names: str) -> str:
        """The first of these fields that holds text, taken out; '' if none does."""
        return self._first(names, str) or ""

    def value(self, *names: str) -> object:
        """The first of these fields that holds a value, taken out; None if none does."""
        return self._first(names, object)

    def inner(self, *names: str) -> "Fields":
        """The first of these fields that holds an object, taken out; else an empty one."""
        return Fields(self._first(names, dict) or {})

    def array(self, *names: str) -> list[object]:
        """The first of these fields that holds an array, taken out; else an empty one."""
        return self._first(names, list) or []

    def entries(self, *names: str) -> list[object]:
        """As `array`; a single object is an array of one."""
        found = self._first(names, list, dict)
        return [found] if isinstance(found, dict) else found or []

    def _first(self, names: tuple[str, ...], *kinds: type) -> Any:
        for name in names if self._left else ():
            if isinstance(self._left.get(name), kinds) and name in self._left:
                return self._left.pop(name)
        return None

    def objects(self, *names: str) -> "list[Fields]":
        """The first of these fields that holds an object or an array of objects, taken out."""
        for name in names if self._left else ():
            found = self._left.get(name)
            entries = found if isinstance(found, list) else [found]
            if found is not None and all(isinstance(entry, dict) for entry in entries):
                del self._left[name]
                return [Fields(mapping(entry)) for entry in entries]
        return []

    def texts(self, *names: str) -> list[str]:
        """The first of these fields that holds an array of nothing but texts, taken out."""
        for name in names:
            found = self._left.get(name)
            if isinstance(found, list) and all(isinstance(entry, str) for entry in found):
                del self._left[name]
                return [str(entry) for entry in found]
        return []

    def put(self, name: str, left: "Fields") -> None:
        """Put back under this name what a reader left of an object."""
        if left:
            self._left[name] = left.left()

    def peek(self, name: str) -> object:
        """The value of this field, which stays in the object."""
        return self._left.get(name)

    def drop(self, *names: str) -> None:
        """Remove these fields, which repeat other fields."""
        for name in names if self._left else ():
            self._left.pop(name, None)

    def left(self) -> dict[str, object]:
        """All fields that were not taken."""
        return dict(self._left)

    def has_more_than_figures(self) -> bool:
        """Is anything left except figures and settings?"""
        return any(key not in FIGURES for key in self._left)

    def rest(self) -> dict[str, object]:
        """The fields with text that were not taken: no labels, IDs, figures or empty values."""
        return {key: found for key, found in self._left.items() if _has_words(key, found)}


def _has_words(key: str, value: object) -> bool:
    if key in FIGURES or (key in _VERDICTS and not _is_raised(value)):
        return False
    if isinstance(value, dict):
        return any(_has_words(inner, found) for inner, found in value.items())
    if isinstance(value, list):
        return any(_has_words(key, found) for found in value)
    return isinstance(value, str) and bool(value.strip()) and not is_label(key)


def _is_raised(value: object) -> bool:
    """Did a filter find anything?"""
    if isinstance(value, dict):
        return any(
            found is True if key in ("filtered", "detected") else _is_raised(found)
            for key, found in value.items()
        )
    return isinstance(value, list) and any(map(_is_raised, value))


def is_label(key: str) -> bool:
    """Does this field hold an ID, a kind or a mark rather than text?

    >>> is_label("tool_use_id"), is_label("cited_text")
    (True, False)
    """
    return key in LABELS or key.endswith(_ID_ENDINGS)
