"""From an outcome to a row of `LiteLLM_SpendLogs`, as LiteLLM 1.109 writes it."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson

from tracelib.demo.answers import response
from tracelib.demo.bodies import request_body
from tracelib.demo.cast import cast
from tracelib.demo.exchange import Outcome
from tracelib.demo.metadata import address, metadata

Row = dict[str, Any]
"""Column -> value: times as the column holds them (UTC, no zone), JSON columns as JSON text."""


def moment(at: float) -> datetime:
    """Seconds since 1970 as the columns hold a time: UTC without a zone, to the millisecond."""
    whole_ms = round(at * 1000)
    return datetime.fromtimestamp(whole_ms // 1000, UTC).replace(
        microsecond=whole_ms % 1000 * 1000, tzinfo=None
    )


def row(outcome: Outcome) -> Row:
    """Which row does LiteLLM write for it?"""
    ask, key, failure = outcome.ask, outcome.ask.key, outcome.failure
    reached = failure is None or failure.reached
    written = moment(outcome.written)
    return {
        "request_id": outcome.request_id,
        "call_type": ask.call_type,
        "api_key": key.token,
        "spend": outcome.spend,
        "total_tokens": outcome.usage.total,
        "prompt_tokens": outcome.usage.prompt,
        "completion_tokens": outcome.usage.completion,
        "startTime": moment(ask.at),
        "endTime": moment(outcome.ended),
        "completionStartTime": moment(outcome.first_token),
        "model": outcome.deployment.model,
        "model_group": outcome.model.name,
        **_deployment(outcome, reached),
        "user": key.user.id,
        "metadata": _json(metadata(outcome)),
        "cache_hit": _cache_hit(outcome),
        "cache_key": hashlib.sha256(outcome.call_id.encode()).hexdigest(),
        "request_tags": _json(_tags(outcome) if reached else []),
        "team_id": key.team.id,
        "end_user": ask.end_user,
        "requester_ip_address": address(key.alias),
        "messages": "{}",
        "response": _json(response(outcome)),
        "proxy_server_request": _json(request_body(outcome)),
        "session_id": ask.session,
        "status": "success" if failure is None else "failure",
        "mcp_namespaced_tool_name": None,
        "organization_id": cast().organization_id,
        "agent_id": key.agent,
        "request_duration_ms": int((outcome.ended - ask.at) * 1000),
        "created_at": written,
        "updated_at": written,
        "litellm_call_id": outcome.call_id,
        "billing_agent_id": key.agent,
    }


def _deployment(outcome: Outcome, reached: bool) -> Row:
    """Where it was sent; empty for what was refused before."""
    deployment = outcome.deployment
    return {
        "model_id": deployment.id if reached else "",
        "custom_llm_provider": deployment.provider if reached else "",
        "api_base": deployment.base if reached else "",
    }


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _cache_hit(outcome: Outcome) -> str:
    if outcome.is_cache_hit:
        return "True"
    return "False" if outcome.ask.stream or outcome.failure else "None"


def _tags(outcome: Outcome) -> list[str]:
    client = outcome.ask.key.client
    product = client.rpartition("/")[0]
    return [*outcome.ask.tags, f"User-Agent: {product}", f"User-Agent: {client}"]
