"""The rows that a file was made from, added up, so that it can be held against the database."""

import hashlib
import json
from collections.abc import Iterable

from tracelib.conversation import StoredRequest

TOO_DEEP = "nested too deeply"


def rows_sha256(requests: Iterable[StoredRequest]) -> str:
    """Which SHA-256 do these rows have, in this order? Hexadecimal; that of nothing for none.

    It is taken over the `row_line` of each. docs/exports.md computes it from the table.
    """
    digest = hashlib.sha256()
    for request in requests:
        digest.update(row_line(request))
    return digest.hexdigest()


def row_line(request: StoredRequest) -> bytes:
    r"""What of this row is added up? One line of JSON, before anything is masked.

    Sorted keys, no spaces, all but ASCII as \u escapes, a line feed at the end: id, start and
    end in UTC to the microsecond, LiteLLM's model column, spend to 15 digits, tokens, whether
    it failed, and the three bodies.
    """
    facts = {
        "request_id": request.request_id,
        "startTime": request.started_at.isoformat(timespec="microseconds"),
        "endTime": request.ended_at.isoformat(timespec="microseconds"),
        "model": request.deployment or "",
        "spend": request.spend_usd,
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": request.completion_tokens,
        "is_failure": request.is_failure,
        "proxy_server_request": request.request_body,
        "response": request.response_body,
        "messages": request.messages_body,
    }
    try:
        return _line(facts)
    except RecursionError:
        bodies = dict.fromkeys(("proxy_server_request", "response", "messages"), TOO_DEEP)
        return _line(facts | bodies)


def _line(facts: dict[str, object]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode() + b"\n"
