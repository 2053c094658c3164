"""The settings from the environment: where the database is and how to query it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from tracelib import errors, events, hosts
from tracelib.database_url import DatabaseAddress, read_address
from tracelib.permissions.people import Listed, read_people
from tracelib.permissions.tokens import Token, read_tokens
from tracelib.redaction import OwnPattern, read_own_patterns

# A header's name as HTTP allows it, and a secret that cannot be guessed.
HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
SHORTEST_SECRET = 32
# Settings are read for every page; their values are parsed again only if they have changed.
_read_people = lru_cache(maxsize=4)(read_people)
_read_tokens = lru_cache(maxsize=4)(read_tokens)
# Secrets that orchestrators mount as files: each can be set by its variable with _FILE appended.
SECRETS = (
    *("DATABASE_URL", "TRACELIB_PEOPLE", "TRACELIB_API_TOKENS", "TRACELIB_PROXY_SECRET"),
    *("TRACELIB_REPLICA_URL", "TRACELIB_WEBHOOK_URL"),
)
REPLICA = ("auto", "on", "off")
LOCAL = ("localhost", "127.0.0.1", "::1")
TICKS = {"off": 0, "10s": 10, "30s": 30, "1m": 60, "5m": 300}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of this installation. `database` is None if the sample data is shown."""

    database: DatabaseAddress | None = None
    table: str = "LiteLLM_SpendLogs"
    statement_timeout_s: float = 15.0
    pool_size: int = 4
    refresh: str = "30s"
    proxy_url: str | None = None
    sample_folder: str | None = None
    redact: tuple[OwnPattern, ...] = ()
    api_tokens: tuple[Token, ...] = ()
    people: tuple[Listed, ...] | None = None
    identity_header: str | None = None
    proxy_secret: str | None = field(default=None, repr=False)
    audit_log: str | None = None
    log_level: str = "info"
    allowed_hosts: tuple[str, ...] = ()
    replica: str = "off"
    replica_folder: str | None = None
    replica_database: DatabaseAddress | None = None
    replica_duty: float = 0.5
    replica_memory_mb: int = 768
    replica_disk_mb: int | None = None
    replica_keeps_history: bool = False
    replica_reads_bodies: bool = False
    prices: str | None = None
    keep_results: bool = False
    error_budget: float | None = 0.01
    webhook_url: str | None = field(default=None, repr=False)
    public_url: str | None = None


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in this environment. Raises BadSetting, naming the variable.

    >>> read_settings({"TRACELIB_REFRESH": "1m"}).refresh
    '1m'
    """
    environ = {**environ, **_secrets_in_files(environ)}
    return Settings(
        database=_address(environ, "DATABASE_URL"),
        table=environ.get("TRACELIB_TABLE", "").strip() or "LiteLLM_SpendLogs",
        statement_timeout_s=_number(environ, "TRACELIB_STATEMENT_TIMEOUT_S", 15.0, 1, 600),
        pool_size=int(_number(environ, "TRACELIB_POOL_SIZE", 4, 1, 50)),
        refresh=_one_of(environ, "TRACELIB_REFRESH", TICKS, "30s"),
        proxy_url=_http_url(environ, "LITELLM_PROXY_URL"),
        sample_folder=environ.get("TRACELIB_SAMPLE_FOLDER", "").strip() or None,
        redact=_own_patterns(environ),
        api_tokens=_api_tokens(environ),
        people=_people(environ),
        identity_header=_identity_header(environ),
        proxy_secret=environ.get("TRACELIB_PROXY_SECRET", "").strip() or None,
        audit_log=environ.get("TRACELIB_AUDIT_LOG", "").strip() or None,
        log_level=_one_of(environ, "TRACELIB_LOG_LEVEL", events.LEVELS, "info"),
        allowed_hosts=read_allowed_hosts(environ),
        replica=_one_of(environ, "TRACELIB_REPLICA", REPLICA),
        replica_folder=environ.get("TRACELIB_REPLICA_FOLDER", "").strip() or None,
        replica_database=_address(environ, "TRACELIB_REPLICA_URL"),
        replica_duty=_number(environ, "TRACELIB_REPLICA_DUTY", 0.5, 0.01, 1),
        replica_memory_mb=int(_number(environ, "TRACELIB_REPLICA_MEMORY_MB", 768, 256, 1_000_000)),
        replica_disk_mb=int(_number(environ, "TRACELIB_REPLICA_DISK_MB", 0, 0, 1e9)) or None,
        replica_keeps_history=_is_yes(environ, "TRACELIB_REPLICA_KEEPS_HISTORY", "no"),
        replica_reads_bodies=_is_yes(environ, "TRACELIB_REPLICA_READS_BODIES", "no"),
        prices=environ.get("TRACELIB_PRICES", "").strip() or None,
        keep_results=_is_yes(environ, "TRACELIB_KEEP_RESULTS", "yes"),
        error_budget=_error_budget(environ),
        webhook_url=_webhook_url(environ),
        public_url=_http_url(environ, "TRACELIB_PUBLIC_URL"),
    )


def read_allowed_hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The host names by which the app may be opened; none if it is not set.

    Raises BadSetting.
    """
    try:
        return hosts.read_names(environ.get("TRACELIB_ALLOWED_HOSTS", ""))
    except ValueError as error:
        raise errors.BadSetting(f"TRACELIB_ALLOWED_HOSTS: {error}") from None


def _address(environ: Mapping[str, str], name: str) -> DatabaseAddress | None:
    url = environ.get(name, "").strip()
    return read_address(url, name) if url else None


def _secrets_in_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that are in files, read again each time."""
    named = {name: environ.get(f"{name}_FILE", "").strip() for name in SECRETS}
    return {name: _content(environ, name, path) for name, path in named.items() if path}


def _content(environ: Mapping[str, str], name: str, path: str) -> str:
    if environ.get(name, "").strip():
        raise errors.BadSetting(f"{name} and {name}_FILE are both set; set only one.")
    try:
        return Path(path).read_text("utf-8")
    except (OSError, ValueError):
        raise errors.BadSetting(f"{name}_FILE is not the path of a readable file.") from None


def _number(
    environ: Mapping[str, str], name: str, default: float, least: float, most: float
) -> float:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise errors.BadSetting(f"{name} is not a number.") from None
    if not least <= value <= most:
        raise errors.BadSetting(f"{name} must be between {least:g} and {most:g}.")
    return value


def _error_budget(environ: Mapping[str, str]) -> float | None:
    """The share of requests that may fail, 1 % unless it is set; None if it is off."""
    text = environ.get("TRACELIB_ERROR_BUDGET", "").strip() or "1%"
    if text == "off":
        return None
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not (text.endswith("%") and 0.00001 <= share <= 0.5):
        raise errors.BadSetting(
            "TRACELIB_ERROR_BUDGET must be off, or a share of requests from 0.001% to 50%."
        )
    return share


def _one_of(
    environ: Mapping[str, str], name: str, allowed: Iterable[str], default: str | None = None
) -> str:
    """The value of a setting; without a default, the first of the allowed values is it."""
    words = tuple(allowed)
    text = environ.get(name, "").strip() or default or words[0]
    if text not in words:
        raise errors.BadSetting(f"{name} must be one of {', '.join(words)}.")
    return text


def _is_yes(environ: Mapping[str, str], name: str, default: str) -> bool:
    return _one_of(environ, name, ("no", "yes"), default) == "yes"


def _http_url(environ: Mapping[str, str], name: str) -> str | None:
    url = environ.get(name, "").strip().rstrip("/")
    if url and not url.startswith(("http://", "https://")):
        raise errors.BadSetting(f"{name} must start with http:// or https://.")
    return url or None


def _webhook_url(environ: Mapping[str, str]) -> str | None:
    """Where new findings are sent: whoever has it may send there, so that it is a secret.

    In clear text only to this machine.
    """
    url = environ.get("TRACELIB_WEBHOOK_URL", "").strip()
    if not url:
        return None
    try:
        parts = urlsplit(url)
        is_here = parts.hostname in LOCAL and parts.scheme == "http"
    except ValueError:
        raise errors.BadSetting("TRACELIB_WEBHOOK_URL is not an address.") from None
    if not parts.hostname or not (parts.scheme == "https" or is_here):
        raise errors.BadSetting(
            "TRACELIB_WEBHOOK_URL must start with https://, or http://localhost."
        )
    return url


def _own_patterns(environ: Mapping[str, str]) -> tuple[OwnPattern, ...]:
    text = environ.get("TRACELIB_REDACT", "").strip()
    try:
        return read_own_patterns(text) if text else ()
    except ValueError as error:
        raise errors.BadSetting(f"TRACELIB_REDACT: {error}") from None


def _people(environ: Mapping[str, str]) -> tuple[Listed, ...] | None:
    """Who may see what; None without a list."""
    text = _document(environ, "TRACELIB_PEOPLE")
    try:
        return None if text is None else _read_people(text)
    except ValueError as error:
        raise errors.BadSetting(f"TRACELIB_PEOPLE: {error}") from None


def _identity_header(environ: Mapping[str, str]) -> str | None:
    """The header that names the viewer; anyone could send it, so it requires the proxy's secret."""
    name = environ.get("TRACELIB_IDENTITY_HEADER", "").strip()
    secret = environ.get("TRACELIB_PROXY_SECRET", "").strip()
    if not name and not secret:
        return None
    if not HEADER.fullmatch(name):
        raise errors.BadSetting("TRACELIB_IDENTITY_HEADER must be the name of a header.")
    if len(secret) < SHORTEST_SECRET:
        raise errors.BadSetting(
            f"TRACELIB_PROXY_SECRET must have at least {SHORTEST_SECRET} characters if "
            "TRACELIB_IDENTITY_HEADER is set."
        )
    return name


def _api_tokens(environ: Mapping[str, str]) -> tuple[Token, ...]:
    """The tokens of programs: without a token there is no API."""
    text = _document(environ, "TRACELIB_API_TOKENS")
    try:
        return () if text is None else _read_tokens(text)
    except ValueError as error:
        raise errors.BadSetting(f"TRACELIB_API_TOKENS: {error}") from None


def _document(environ: Mapping[str, str], name: str) -> str | None:
    """JSON, or the contents of a file at this path, read again each time: changes apply at once."""
    text = environ.get(name, "").strip()
    if not text or text.startswith(("[", "{")):
        return text or None
    try:
        return Path(text).read_text("utf-8")
    except (OSError, ValueError):
        raise errors.BadSetting(
            f"{name} is neither JSON nor the path of a readable file."
        ) from None
