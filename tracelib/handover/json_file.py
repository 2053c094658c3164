"""A session as JSON: keys that stay, each explained in docs/exports.md."""

import json
from datetime import UTC, datetime
from typing import Any

from tracelib.conversation import Message, ShownChange, StoredRequest, Turn
from tracelib.handover.document import SessionDocument
from tracelib.sessions import SessionSummary

FORMAT = 1  # goes up where a key is renamed, is left out, or means something else
FIGURES = (
    *("session_id", "user", "user_name", "team", "team_name", "key_name", "agent", "end_user"),
    *("tags", "models", "providers", "started_at", "ended_at", "duration_ms", "model_ms"),
    *("requests", "failures", "cache_hits", "cost_usd", "prompt_tokens", "completion_tokens"),
    *("total_tokens", "replayed_tokens", "response_ms_avg", "response_ms_p95", "ttft_ms_p50"),
)
REQUEST = (
    *("request_id", "call_type", "started_at", "ended_at", "model", "deployment", "provider"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "cached_prompt_tokens", "spend_usd"),
    *("latency_ms", "ttft_ms", "is_cache_hit", "is_failure", "error_class", "error_code"),
    *("error_message", "asked_model", "attempted_retries", "attempted_fallbacks"),
)
PART = (
    *("kind", "text", "name", "call_id", "is_json", "size_bytes", "truncated_chars"),
    *("is_redacted", "is_error"),
)


def as_json(document: SessionDocument) -> str:
    """What does the file say? One JSON object, indented."""
    return json.dumps(_whole(document), ensure_ascii=False, indent=1, default=_time)


def _whole(document: SessionDocument) -> dict[str, Any]:
    transcript = document.transcript
    return {
        "format": FORMAT,
        "exported_at": document.exported_at,
        "is_complete": document.is_complete,
        "redaction": {"masks": document.redaction.names(), "masked": document.masked},
        "figures": _chosen(document.figures, FIGURES),
        "notes": transcript.notes,
        "turns": [_turn(turn) for turn in transcript.turns],
        "rows": {
            "request_ids": [row.request_id for row in document.rows],
            "started_at": [row.started_at for row in document.rows],
            "sha256": document.sha256,
        },
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "number": turn.number,
        "parent_id": turn.parent_id,
        "parent_number": turn.parent_number,
        "branches": turn.branches,
        "thread": turn.thread,
        "request": _chosen(turn.request, REQUEST),
        "other_rows": [_chosen(one, REQUEST) for one in turn.request.rest],
        "settings": dict(turn.settings),
        "repeated": turn.repeated,
        "changes": [_change(change) for change in turn.changes],
        "asked": [_message(message) for message in turn.asked],
        "answered": [_message(message) for message in turn.answered],
        "notes": turn.notes,
    }


def _change(change: ShownChange) -> dict[str, Any]:
    messages = [_message(message) for message in change.messages]
    return {"sentence": change.sentence, "messages": messages}


def _message(message: Message) -> dict[str, Any]:
    parts = [{name: getattr(part, name) for name in PART} for part in message.parts]
    named = {name: getattr(message, name) for name in ("role", "name", "ending", "choice")}
    return {**named, "parts": parts}


def _chosen(value: SessionSummary | StoredRequest, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _time(value: object) -> str:
    """
    >>> _time(datetime(2026, 11, 23, 9, tzinfo=UTC))
    '2026-11-23T09:00:00.000Z'
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} has no JSON")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
