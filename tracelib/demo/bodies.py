"""The `proxy_server_request` column: the client's body with what the proxy adds to it."""

from typing import Any

from tracelib.demo.answers import MASKED, REDACTED
from tracelib.demo.exchange import Outcome

ROUTES = {
    "acompletion": "/v1/chat/completions",
    "anthropic_messages": "/v1/messages",
    "aresponses": "/v1/responses",
    "atext_completion": "/v1/completions",
    "aembedding": "/v1/embeddings",
    "aimage_generation": "/v1/images/generations",
}


def request_body(outcome: Outcome) -> dict[str, Any]:
    """What is stored as the request? `{}` for teams that keep no prompts and for refused keys."""
    ask = outcome.ask
    if not ask.key.team.stores_prompts:
        return {}
    body: dict[str, Any] = {"model": ask.model.name, **ask.body}
    if ask.stream:
        body["stream"] = True
    if ask.end_user and ask.call_type == "acompletion":
        body["user"] = ask.end_user
    takes_metadata = ask.call_type not in ("aresponses", "anthropic_messages")
    body["metadata" if takes_metadata else "litellm_metadata"] = _added(outcome)
    if ask.names_session:
        body["litellm_session_id"] = body["litellm_trace_id"] = ask.session
    body["request_timeout"] = 600
    body["litellm_call_id"] = outcome.call_id
    if ask.stream and ask.call_type == "acompletion":
        body["stream_options"] = {"include_usage": True}
    return _redacted(body) if ask.key.redacted else body


def _redacted(body: dict[str, Any]) -> dict[str, Any]:
    hidden = [{"role": "user", "content": REDACTED}]
    return {**body, "messages": hidden, "prompt": "", "input": ""}


def _added(outcome: Outcome) -> dict[str, Any]:
    """The proxy's own additions: masked, but for `user_api_key_auth`, which it keeps as it is."""
    ask, key = outcome.ask, outcome.ask.key
    return {
        "tags": list(ask.tags),
        "headers": {"host": "llm.example.com", "user-agent": key.client},
        "requester_metadata": {"tags": list(ask.tags)},
        "user_api_key_hash": MASKED,
        "user_api_key_alias": MASKED,
        "user_api_key_spend": 0.0,
        "user_api_key_team_id": MASKED,
        "user_api_key_user_id": MASKED,
        "user_api_key_user_email": MASKED,
        "user_api_key": MASKED,
        "agent_id": key.agent,
        "user_api_key_auth": {
            "token": key.token,
            "key_alias": key.alias,
            "user_id": key.user.id,
            "team_id": key.team.id,
            "user_email": key.user.email,
            "team_alias": key.team.alias,
            "end_user_id": ask.end_user or None,
            "request_route": ROUTES[ask.call_type],
        },
        "litellm_api_version": "1.109.1",
        "endpoint": f"http://llm.example.com{ROUTES[ask.call_type]}",
        "user_agent": key.client,
        "caller_tags": list(ask.tags),
        "queue_time_seconds": 0.0021,
        "model_group": outcome.model.name,
        "attempted_fallbacks": outcome.fallbacks,
        "attempted_retries": outcome.retries,
        "deployment": outcome.deployment.model,
        "model_info": {"id": outcome.deployment.id, "db_model": False},
        "api_base": outcome.deployment.base,
    }
