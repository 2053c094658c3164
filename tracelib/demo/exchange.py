"""One request with its outcome and its bodies, before it becomes a LiteLLM row."""

from dataclasses import dataclass, field, replace
from typing import Any

from tracelib.demo.cast import Deployment, Key, Model, Price


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as LiteLLM counts them: `prompt` includes what the provider read from its cache."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    written: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    def cost(self, price: Price) -> dict[str, float]:
        """Their cost in US dollars, under the names of LiteLLM's cost_breakdown."""
        plain = self.prompt - self.cached - self.written
        read = price.input if price.cached is None else price.cached
        cached = self.cached * read / 1e6
        written = self.written * (price.written or price.input) / 1e6
        parts = {"input_cost": plain * price.input / 1e6 + cached + written}
        if self.cached or self.written:
            parts |= {"cache_read_cost": cached, "cache_creation_cost": written}
        parts["output_cost"] = self.completion * price.output / 1e6
        parts["total_cost"] = parts["input_cost"] + parts["output_cost"]
        return parts


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of a client. `body` is the JSON body, `answer` the response of a model to it.

    at       seconds since 1970
    session  the session ID that LiteLLM stores; `names_session` is True if the client sent it
    answer   the stored `response` without the fields that all responses of its kind share
    """

    key: Key
    model: Model
    call_type: str
    at: float
    body: dict[str, Any]
    answer: dict[str, Any]
    usage: Usage
    session: str
    names_session: bool = False
    stream: bool = False
    end_user: str = ""
    tags: tuple[str, ...] = ()
    # A pause of the model itself, in addition to its speed.
    extra_s: float = 0.0
    # What `wasteful.marked` makes of its row.
    mark: str = ""

    def again(self, at: float) -> "Ask":
        """The same request sent once more."""
        return replace(self, at=at)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request was refused or failed.

    reached  whether a provider was called at all
    extra    more of error_information
    tokens   of the prompt, if the error contains them
    """

    error_class: str
    code: str
    message: str
    normalized: str
    reached: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a request. Times are seconds since 1970, `spend` is US dollars."""

    ask: Ask
    model: Model
    deployment: Deployment
    call_id: str
    request_id: str
    ended: float
    first_token: float
    written: float
    usage: Usage
    spend: float
    costs: dict[str, float]
    failure: Failure | None = None
    fallbacks: int = 0
    retries: int = 0
    is_cache_hit: bool = False
    overhead_ms: float = 0.0


REDACTED = "redacted-by-litellm"
MASKED = "REDACTED_BY_LITELM"  # LiteLLM's own spelling


def response(outcome: Outcome) -> dict[str, Any]:
    """The stored response: `{}` for failures and for teams that store no prompts."""
    key = outcome.ask.key
    if outcome.failure is not None or not key.team.stores_prompts:
        return {}
    shape = _SHAPES[outcome.ask.call_type]
    return shape(outcome)


def usage_object(usage: Usage, call_type: str) -> dict[str, Any]:
    """The usage block as LiteLLM stores it, in the response and in the metadata."""
    counts: dict[str, Any] = {
        "completion_tokens": usage.completion,
        "prompt_tokens": usage.prompt,
        "total_tokens": usage.total,
    }
    if call_type in ("aembedding", "atext_completion"):
        return counts
    return counts | usage_details(usage)


def usage_details(usage: Usage) -> dict[str, Any]:
    """The details of the usage, with the provider cache if it was used."""
    details: dict[str, Any] = {
        "completion_tokens_details": {"audio_tokens": 0, "reasoning_tokens": usage.reasoning},
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": usage.cached},
    }
    if usage.cached or usage.written:
        details["cache_read_input_tokens"] = usage.cached
    if usage.written:
        details["prompt_tokens_details"]["cache_creation_tokens"] = usage.written
        details["cache_creation_input_tokens"] = usage.written
    return details


def _chat(outcome: Outcome) -> dict[str, Any]:
    message = outcome.ask.answer
    if outcome.ask.key.redacted:
        message = {**message, "content": REDACTED}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"finish_reason": reason, "index": 0, "message": message}
    return {
        "id": outcome.request_id.partition("_cache_hit")[0],
        "created": int(outcome.ended),
        "model": outcome.model.name,
        "object": "chat.completion",
        "system_fingerprint": MASKED,
        "choices": [{**choice, "provider_specific_fields": {}, "logprobs": None}],
        "usage": usage_object(outcome.usage, outcome.ask.call_type),
        "service_tier": "default",
    }


def _responses(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.request_id,
        "created_at": int(outcome.ask.at),
        "error": None,
        "incomplete_details": None,
        "instructions": outcome.ask.body.get("instructions"),
        "metadata": {},
        "model": outcome.model.name,
        "object": "response",
        **outcome.ask.answer,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "status": "completed",
        "text": {"format": {"type": "text"}},
        "usage": usage_object(outcome.usage, outcome.ask.call_type),
        "store": True,
    }


def _text_completion(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.request_id,
        "object": "text_completion",
        "created": int(outcome.ended),
        "model": outcome.model.name,
        "choices": [{"finish_reason": "stop", "index": 0, **outcome.ask.answer}],
        "usage": usage_object(outcome.usage, outcome.ask.call_type),
    }


def _embedding(outcome: Outcome) -> dict[str, Any]:
    usage = usage_object(outcome.usage, outcome.ask.call_type)
    return {"model": outcome.model.name, **outcome.ask.answer, "object": "list", "usage": usage}


def _image(outcome: Outcome) -> dict[str, Any]:
    usage = {
        "total_tokens": outcome.usage.total,
        "input_tokens": outcome.usage.prompt,
        "output_tokens": outcome.usage.completion,
    }
    return {"created": int(outcome.ended), **outcome.ask.answer, "size": None, "usage": usage}


_SHAPES = {
    "acompletion": _chat,
    "anthropic_messages": _chat,
    "aresponses": _responses,
    "atext_completion": _text_completion,
    "aembedding": _embedding,
    "aimage_generation": _image,
}

ROUTES = {
    "acompletion": "/v1/chat/completions",
    "anthropic_messages": "/v1/messages",
    "aresponses": "/v1/responses",
    "atext_completion": "/v1/completions",
    "aembedding": "/v1/embeddings",
    "aimage_generation": "/v1/images/generations",
}


def request_body(outcome: Outcome) -> dict[str, Any]:
    """The stored request: `{}` for teams that store no prompts and for refused keys."""
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
    """The proxy's own additions: masked, except for `user_api_key_auth`."""
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
