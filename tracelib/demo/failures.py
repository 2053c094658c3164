"""Failures: the errors that LiteLLM stores, with their codes and messages."""

from random import Random
from typing import Any

from tracelib.demo.exchange import Ask, Failure

_NO_FALLBACK = (
    "\n\nLiteLLM: model group '{model}' failed with the error above and no fallback model group "
    "was found for it, so the request was not retried on another model."
)

# Only prompts of more tokens can be too long for a model; that fault is the last in the list.
_LONG_PROMPT = 1500

# error class, code, normalized_error, weight, message
_PROVIDER_FAULTS = (
    (
        "RateLimitError",
        "429",
        "429_RATE_LIMIT_EXCEEDED",
        30,
        "RateLimitError: {vendor}Exception - Rate limit reached for {plain} on tokens per min "
        "(TPM): Limit 30000, Used 29114, Requested {tokens}.",
    ),
    (
        "Timeout",
        "408",
        "408_UPSTREAM_TIMEOUT",
        16,
        "APITimeoutError - Request timed out. Error_str: Request timed out. - timeout value=60.0, "
        "time taken=60.0 seconds",
    ),
    (
        "InternalServerError",
        "500",
        "500_PROVIDER_INTERNAL_ERROR",
        14,
        "InternalServerError: {vendor}Exception - The server had an error while processing your "
        "request. Sorry about that!",
    ),
    (
        "APIConnectionError",
        "500",
        "500_PROVIDER_CONNECTION_ERROR",
        8,
        "APIConnectionError: {vendor}Exception - Cannot connect to host {host}: [Errno 104] "
        "Connection reset by peer",
    ),
    (
        "AuthenticationError",
        "401",
        "401_AUTHENTICATION_FAILED",
        4,
        "AuthenticationError: {vendor}Exception - Incorrect API key provided: sk-sa***test.",
    ),
    (
        "ContentPolicyViolationError",
        "400",
        "400_CONTENT_POLICY_VIOLATION",
        5,
        "BadRequestError: {vendor}Exception - The response was filtered due to the prompt "
        "triggering the provider's content management policy.",
    ),
    (
        "ContextWindowExceededError",
        "400",
        "400_CONTEXT_WINDOW_EXCEEDED",
        9,
        "BadRequestError: ContextWindowExceededError: {vendor}Exception - This model's maximum "
        "context length is {context} tokens. However, your messages resulted in {over} tokens.",
    ),
)

_VENDORS = {
    "openai": "OpenAI",
    "azure": "Azure",
    "anthropic": "Anthropic",
    "bedrock": "Bedrock",
    "vertex_ai": "VertexAI",
    "gemini": "Gemini",
    "mistral": "Mistral",
    "text-completion-openai": "OpenAI",
}


def provider_fault(rng: Random, ask: Ask, provider: str) -> Failure:
    """An error of the provider, drawn with realistic frequencies."""
    faults = _PROVIDER_FAULTS if ask.usage.prompt > _LONG_PROMPT else _PROVIDER_FAULTS[:-1]
    chosen = rng.choices(faults, [fault[3] for fault in faults])[0]
    error_class, code, normalized, _, message = chosen
    over = ask.model.context + 41 + ask.usage.prompt
    text = f"litellm.{error_class}: {message.format(**_words(ask, provider), over=over)}"
    extra: dict[str, Any] = {}
    if error_class == "RateLimitError":
        extra["error_rate_limit_category"] = "vendor_rate_limit"
        extra["error_provider_request_id"] = f"req_{rng.getrandbits(96):024x}"
    return Failure(
        error_class,
        code,
        text + _NO_FALLBACK.format(model=ask.model.name),
        normalized,
        extra=extra,
        tokens=over if error_class == "ContextWindowExceededError" else 0,
    )


def outage(rng: Random, ask: Ask, provider: str) -> Failure:
    """The error that a client gets while the provider is down."""
    words = _words(ask, provider)
    if rng.random() < 0.2:
        error_class, code, normalized = "Timeout", "408", "408_UPSTREAM_TIMEOUT"
        message = (
            "APITimeoutError - Request timed out. - timeout value=60.0, time taken=60.0 seconds"
        )
    elif rng.random() < 0.5:
        error_class, code = "ServiceUnavailableError", "503"
        normalized = "503_PROVIDER_UNAVAILABLE"
        message = f"ServiceUnavailableError: {words['vendor']}Exception - upstream connect error"
    else:
        error_class, code = "InternalServerError", "500"
        normalized = "500_PROVIDER_INTERNAL_ERROR"
        message = (
            f"{words['vendor']}Exception - "
            '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
        )
    text = f"litellm.{error_class}: {message}" + _NO_FALLBACK.format(model=ask.model.name)
    return Failure(error_class, code, text, normalized)


def broken_stream(provider: str) -> Failure:
    """The error of a stream that ends before its last token."""
    vendor = _VENDORS.get(provider, provider)
    text = (
        f"litellm.MidStreamFallbackError: litellm.APIConnectionError: {vendor}Exception - peer "
        "closed connection without sending complete message body (incomplete chunked read)"
    )
    return Failure("MidStreamFallbackError", "503", text, "503_STREAM_INTERRUPTED")


def disconnected() -> Failure:
    """The error of a client that disconnected before the response."""
    text = "Client disconnected the request"
    return Failure("ClientDisconnected", "499", text, "499_CLIENT_DISCONNECTED")


def over_budget(ask: Ask) -> Failure:
    """The error for a key that has spent its budget."""
    text = f"Budget has been exceeded! Key={ask.key.alias} Current cost: 25.04, Max budget: 25.0"
    extra = {
        "error_budget_entity_type": "key",
        "error_budget_entity_id": ask.key.token,
        "error_budget_limit": 25.0,
        "error_budget_spend": 25.04,
    }
    return Failure("BudgetExceededError", "422", text, "429_BUDGET_EXCEEDED", False, extra)


def unknown_model(name: str) -> Failure:
    """The error for a model that does not exist."""
    text = (
        f"400: {{'error': '/chat/completions: Invalid model name passed in model={name}. "
        "Call `/v1/models` to view available models for your key.'}"
    )
    return Failure("ProxyModelNotFoundError", "400", text, "400_MODEL_NOT_FOUND", False)


def unknown_key() -> Failure:
    """The error for a key that LiteLLM does not know."""
    text = (
        "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...9f2c. "
        "Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
    )
    return Failure("ProxyException", "401", text, "401_INVALID_PROXY_KEY", False)


def blocked_key() -> Failure:
    """The error for a key that was blocked."""
    text = "Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin."
    return Failure("ProxyException", "401", text, "401_KEY_BLOCKED", False)


def guarded() -> Failure:
    """The error for a prompt that a guardrail blocked."""
    text = "Guardrail raised an exception, Guardrail: no-card-numbers, Message: Violated policy"
    return Failure("GuardrailRaisedException", "400", text, "400_GUARDRAIL_BLOCKED", False)


def _words(ask: Ask, provider: str) -> dict[str, object]:
    deployment = ask.model.deployments[0]
    return {
        "vendor": _VENDORS.get(provider, provider),
        "plain": deployment.plain_model,
        "host": deployment.base.split("/")[2],
        "tokens": max(ask.usage.prompt, 900),
        "context": ask.model.context,
    }
