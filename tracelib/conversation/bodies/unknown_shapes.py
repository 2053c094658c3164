"""Request bodies of an unknown shape: what may be shown of them, and what may not.

A body holds what the client sent and what LiteLLM added: keys, addresses, headers. LiteLLM's fields
are known by name and never shown. Of the others, a field is hidden if its name is that of a secret
or of a personal address, or if its value looks like one.
"""

import re
from dataclasses import dataclass

from tracelib.conversation.bodies import phrases
from tracelib.conversation.bodies.fields import is_label
from tracelib.conversation.bodies.items import Raw
from tracelib.conversation.bodies.messages import Message
from tracelib.conversation.bodies.parameters import SETTINGS
from tracelib.conversation.bodies.texts import data_part
from tracelib.redaction import Redaction, masked

# Fields that LiteLLM adds to a body or reads from it, and fields that identify the caller.
OWN_FIELDS = frozenset(
    {
        *("metadata", "litellm_metadata", "proxy_server_request", "secret_fields", "headers"),
        *("extra_headers", "provider_specific_header", "query_params", "request_timeout"),
        *("timeout", "stream_timeout", "client_side_timeout", "num_retries", "max_retries"),
        *("fallbacks", "context_window_fallbacks", "cache", "caching", "ttl", "tags", "guardrails"),
        *(
            "policies",
            "base_url",
            "api_base",
            "api_key",
            "api_version",
            "organization",
            "user",
            "end_user",
        ),
        *("user_id", "server_id", "agent_id", "model_group", "model_info", "deployment"),
        *("drop_params", "disable_fallbacks", "mock_response", "session_id", "trace_id"),
        *("safety_identifier", "prompt_cache_key", "extra_body", "stream_options", "jsonrpc"),
        *("custom_llm_provider", "allowed_model_region", "user_config", "method", "webhook_config"),
        *("tools", "functions", "tool_choice", "response_format", "keepalive_seconds"),
    }
)
OWN_BEGINNINGS = ("litellm_", "_litellm", "user_api_key", "x-", "aws_", "vertex_", "azure_", "_")
_PRIVATE = frozenset(
    {
        *("password", "passwd", "passphrase", "pwd", "secret", "secrets", "key", "keys", "token"),
        *("auth", "authorization", "authentication", "cookie", "cookies", "credential", "private"),
        *("credentials", "access", "certificate", "cert", "bearer", "signature", "jwt", "apikey"),
        *("email", "mail", "ip", "address", "phone", "header", "headers", "host", "referer"),
        *("fingerprint", "tenancy", "username", "login", "ssn"),
    }
)
_SEGMENT = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_LOOKS_PRIVATE = re.compile(
    r"\s*(?:sk-\S*|(?:Bearer|Basic)\s.*|\S+@\S+\.\S+|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|[0-9a-f]{64})\s*",
    re.DOTALL,
)
_SECRETS_IN_TEXT = Redaction(frozenset({"e-mail", "key"}))


@dataclass(frozen=True, slots=True)
class Unknown:
    """What may be shown of a body; `is_hidden` if there is something, all of it private."""

    messages: tuple[Raw | Message, ...]
    is_hidden: bool


def unknown_request(stored: object) -> Unknown:
    """What may be shown of this body? Its fields as data: one message or none."""
    if isinstance(stored, dict):
        stored = {key: value for key, value in stored.items() if not _is_own(key)}
    safe = _safe(stored)
    if _has_words(safe):
        return Unknown((Message("user", (data_part(safe),)),), False)
    return Unknown((), _has_words(stored))


def _is_own(key: str) -> bool:
    is_setting = key in SETTINGS or key == "model"
    return key in OWN_FIELDS or is_setting or key.startswith(OWN_BEGINNINGS)


def _safe(value: object) -> object:
    """This value with possibly private names and values hidden."""
    if isinstance(value, dict):
        return {
            _safe_key(key): phrases.HIDDEN if is_private(key) else _safe(found)
            for key, found in value.items()
        }
    if isinstance(value, list):
        return [_safe(entry) for entry in value]
    if isinstance(value, str):
        return (
            phrases.HIDDEN
            if _LOOKS_PRIVATE.fullmatch(value)
            else masked(value, _SECRETS_IN_TEXT)[0]
        )
    return value


def _safe_key(key: str) -> str:
    return phrases.HIDDEN if _LOOKS_PRIVATE.fullmatch(key) else key


def is_private(key: str) -> bool:
    """Is this the name of a secret, of an address or of other personal data?

    >>> is_private("apiKey"), is_private("user_email"), is_private("max_tokens")
    (True, True, False)
    """
    return any(found.lower() in _PRIVATE for found in _SEGMENT.findall(key))


def _has_words(value: object, key: str = "") -> bool:
    """Does this contain more than labels and hidden values?"""
    if isinstance(value, dict):
        return any(_has_words(found, str(name)) for name, found in value.items())
    if isinstance(value, list):
        return any(_has_words(entry, key) for entry in value)
    return (
        isinstance(value, str)
        and bool(value.strip())
        and value != phrases.HIDDEN
        and not is_label(key)
    )
