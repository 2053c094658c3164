"""From an outcome to a row of `LiteLLM_SpendLogs`, as LiteLLM 1.109 writes it."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson

from tracelib.demo.cast import cast
from tracelib.demo.exchange import (
    Failure,
    Outcome,
    request_body,
    response,
    usage_details,
    usage_object,
)

# The keys that LiteLLM 1.109 always writes and that stay null in this story.
_ALWAYS_NULL = (
    "actor_agent_id",
    "target_agent_id",
    "agent_execution_mode",
    "verified_human_user_id",
    "user_api_key_project_id",
    "user_api_key_project_alias",
    "spend_logs_metadata",
    "mcp_tool_call_metadata",
    "vector_store_request_metadata",
    "routing_decision",
    "internal_call_origin",
    "eval_information",
    "proxy_server_request",
    "batch_models",
    "batch_successful_requests",
    "batch_failed_requests",
    "cold_storage_object_key",
    "compression_savings",
    "litellm_gateway_injected_cache",
    "autorouter_savings",
    "autorouter_savings_estimate",
    "autorouter_baseline_observation",
    "router_metadata",
    "azure_spillover",
    "kubernetes_pod_routing",
)
_NULLS: dict[str, Any] = dict.fromkeys(_ALWAYS_NULL)
_NO_ERROR = (
    "error_provider_request_id",
    "error_rate_limit_category",
    "error_rate_limit_type",
    "error_budget_entity_type",
    "error_budget_entity_id",
    "error_budget_limit",
    "error_budget_spend",
    "error_cooldown_deployments",
)
_TRACEBACK = (
    '  File "/app/litellm/proxy/proxy_server.py", line 12927, in chat_completion\n'
    "    result: Final = await base_llm_response_processor.base_process_llm_request(\n"
    '  File "/app/litellm/proxy/common_request_processing.py", line 2986, in '
    "base_process_llm_request\n    responses = await llm_responses\n"
    '  File "/app/litellm/router.py", line 2811, in acompletion\n    raise e\n'
)


def metadata(outcome: Outcome) -> dict[str, Any]:
    """The metadata that LiteLLM logs for a request, next to its columns."""
    ask, failure = outcome.ask, outcome.failure
    details = usage_details(outcome.usage)
    plain = ask.call_type in ("aembedding", "atext_completion", "aimage_generation", "aresponses")
    reached = failure is None or failure.reached
    return {
        **_NULLS,
        **_identity(outcome),
        "billing_agent_id": ask.key.agent,
        "applied_guardrails": [],
        "guardrail_information": _guardrails(outcome),
        "used_client_oauth_token": False,
        "litellm_roi_estimator": False,
        "billed_retry_attempt": False,
        "status": None if failure is None else "failure",
        "error_information": None if failure is None else _error(failure, outcome),
        "usage_object": usage_object(outcome.usage, ask.call_type) if outcome.costs else {},
        "additional_usage_values": {} if plain or not outcome.costs else details,
        "model_map_information": _price_list(outcome) if reached else None,
        "litellm_overhead_time_ms": outcome.overhead_ms or None,
        "attempted_retries": outcome.retries if reached else None,
        "max_retries": 2 if reached else None,
        "attempted_fallbacks": outcome.fallbacks if reached else None,
        "original_model_group": ask.model.name if reached else None,
        "cost_breakdown": _costs(outcome) if outcome.costs else None,
    }


def _identity(outcome: Outcome) -> dict[str, Any]:
    key = outcome.ask.key
    return {
        "user_api_key": key.token,
        "user_api_key_alias": key.alias,
        "user_api_key_team_id": key.team.id,
        "user_api_key_team_alias": key.team.alias,
        "user_api_key_org_id": cast().organization_id,
        "user_api_key_user_id": key.user.id,
        "user_api_key_user_email": key.user.email,
        "requester_ip_address": key.address or address(key.alias),
        "user_agent": key.client,
        "litellm_call_id": outcome.call_id,
    }


def address(alias: str) -> str:
    """A private address for a key's machine.

    >>> address("ada-cli")
    '10.20.7.153'
    """
    return f"10.20.{len(alias)}.{sum(alias.encode()) % 250 + 2}"


def _error(failure: Failure, outcome: Outcome) -> dict[str, Any]:
    return {
        **dict.fromkeys(_NO_ERROR),
        "error_code": failure.code,
        "error_class": failure.error_class,
        "llm_provider": outcome.deployment.provider if failure.reached else "",
        "traceback": _TRACEBACK,
        "error_message": failure.message,
        "normalized_error": failure.normalized,
        **failure.extra,
    }


def _guardrails(outcome: Outcome) -> list[dict[str, Any]] | None:
    if outcome.failure is None or outcome.failure.error_class != "GuardrailRaisedException":
        return None
    stopped = {"guardrail_name": "no-card-numbers", "guardrail_mode": "pre_call"}
    return [{**stopped, "guardrail_status": "guardrail_intervened", "duration": 0.0003}]


def _costs(outcome: Outcome) -> dict[str, Any]:
    return {
        **outcome.costs,
        "tool_usage_cost": 0.0,
        "original_cost": outcome.spend,
        "discount_percent": 0.0,
        "discount_amount": 0.0,
        "margin_percent": 0.0,
        "margin_fixed_amount": 0.0,
        "margin_total_amount": 0.0,
    }


def _price_list(outcome: Outcome) -> dict[str, Any]:
    price, model = outcome.model.price, outcome.model
    value = {
        "key": outcome.deployment.plain_model,
        "max_tokens": model.context,
        "max_input_tokens": model.context,
        "input_cost_per_token": price.input / 1e6,
        "output_cost_per_token": price.output / 1e6,
        "cache_read_input_token_cost": price.cached / 1e6 if price.cached else None,
        "cache_creation_input_token_cost": price.written / 1e6 if price.written else None,
        "supports_function_calling": outcome.ask.call_type != "aembedding",
        "litellm_provider": outcome.deployment.provider,
        "mode": "chat",
    }
    return {"model_map_key": outcome.deployment.model, "model_map_value": value}


Row = dict[str, Any]
"""Column -> value: times as in the column (UTC, no zone), JSON columns as JSON text."""


def moment(at: float) -> datetime:
    """Seconds since 1970 as the columns hold a time: UTC without a zone, to the millisecond."""
    whole_ms = round(at * 1000)
    return datetime.fromtimestamp(whole_ms // 1000, UTC).replace(
        microsecond=whole_ms % 1000 * 1000, tzinfo=None
    )


def row(outcome: Outcome) -> Row:
    """The row that LiteLLM writes for it."""
    ask, key, failure = outcome.ask, outcome.ask.key, outcome.failure
    reached = failure is None or failure.reached
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
        "requester_ip_address": key.address or address(key.alias),
        "messages": "{}",
        "response": _json(response(outcome)),
        "proxy_server_request": _json(request_body(outcome)),
        "session_id": ask.session,
        "status": "success" if failure is None else "failure",
        "mcp_namespaced_tool_name": None,
        "organization_id": cast().organization_id,
        "agent_id": key.agent,
        "request_duration_ms": int((outcome.ended - ask.at) * 1000),
        **dict.fromkeys(("created_at", "updated_at"), moment(outcome.written)),
        "litellm_call_id": outcome.call_id,
        "billing_agent_id": key.agent,
    }


def _deployment(outcome: Outcome, reached: bool) -> Row:
    """The deployment it was sent to; empty for a request that was refused before."""
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
