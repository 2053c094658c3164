"""The database of this installation: the configured one, or its own sample."""

import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from sqlalchemy import QueuePool
from streamlit.errors import StreamlitSecretNotFoundError

from tracelib import demo, errors, events
from tracelib.database_url import DatabaseAddress, read_address
from tracelib.hosts import HostNames
from tracelib.permissions.access import FULL, Access
from tracelib.querying.once import MadeOnce
from tracelib.querying.workers import threads
from tracelib.settings import Settings, read_allowed_hosts, read_settings
from tracelib.source import Postgres, deadline, pool, source_over

API_TOKENS = "TRACELIB_API_TOKENS"
SIGN_IN_SETTINGS = ("TRACELIB_PEOPLE", "TRACELIB_IDENTITY_HEADER", "TRACELIB_PROXY_SECRET")
REREAD_SCHEMA_AFTER_S = 600
REREAD_AT_MOST_EVERY_S = 10.0
SAMPLE_LOCK, REREAD_LOCK = threading.Lock(), threading.Lock()


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections of this process to the database: open, in use, and at most."""

    open: int
    in_use: int
    most: int


@dataclass(frozen=True, slots=True)
class Installation:
    """The settings, the database, and the access to it: full, unless a viewer's is limited.

    It is part of every key of a stored result, so that no one gets the result of another access.
    """

    settings: Settings
    address: DatabaseAddress
    is_sample: bool
    access: Access = FULL

    def in_words(self) -> str:
        """The database as text, without the password."""
        return "sample traffic" if self.is_sample else self.address.in_words()


def installation(for_programs: bool = False) -> Installation:
    """The installation. Starts the sample if no database is configured. Raises TraceError.

    The tokens of programs are read only for them: a mistake in those does not affect the pages.
    """
    try:
        environment = _environment()
        if not for_programs:
            environment.pop(API_TOKENS, None)
        settings = read_settings(environment)
    except errors.BadSetting as error:
        events.begin()
        log_once(error.detail)
        raise
    events.begin(settings.log_level)
    if settings.database:
        return Installation(settings, settings.database, is_sample=False)
    return Installation(settings, _sample(settings.sample_folder), is_sample=True)


def begin_log() -> None:
    """Begin the app's log as it is configured; a setting that is not valid is its first line."""
    with suppress(errors.TraceError):
        installation(for_programs=True)


def shared(installed: Installation) -> Installation:
    """The installation without per-user access: the key for shared results and connections."""
    settings = replace(installed.settings, people=None, api_tokens=())
    return replace(installed, settings=settings, access=FULL)


def source(installed: Installation) -> Postgres:
    """The connection to the database with the viewer's access. Raises TraceError if it is down."""
    # One connection for all viewers: the statements limit what they see.
    return _shared_source(shared(installed)).seen_by(installed.access)


def silent_s(installed: Installation) -> float:
    """For how many seconds has the database not responded? 0 if nothing waits for it."""
    return deadline.silent_s(_pool(installed.address, threads(installed.settings.pool_size)))


def connections(installed: Installation) -> Connections:
    """How many connections does this process have to the database?"""
    found = _pool(installed.address, threads(installed.settings.pool_size)).pool
    if not isinstance(found, QueuePool):
        raise TypeError("The pool of a database is a queue.")
    in_use = found.checkedout()
    return Connections(in_use + found.checkedin(), in_use, found.size())


def has_sign_in_settings() -> bool:
    """Is any setting for sign-in present, valid or not?"""
    try:
        return any(map(is_set, SIGN_IN_SETTINGS))
    except errors.BadSetting:
        return False


def is_set(name: str) -> bool:
    """Is this setting present, valid or not, also as a file?"""
    names = _environment()
    return name in names or f"{name}_FILE" in names


def host_names() -> HostNames:
    """The names by which the app may be opened. Raises BadSetting."""
    is_set = read_allowed_hosts(_environment()) or tuple(st.get_option("server.allowedHosts"))
    origins = (urlsplit(one).hostname for one in st.get_option("server.corsAllowedOrigins"))
    known = (st.get_option("browser.serverAddress"), *origins)
    return HostNames(is_set, tuple(name.lower() for name in known if name))


def reread_schema() -> None:
    """Let the next query read the schema again, over the same connections."""
    _shared_source.clear()


def reread_schema_of(installed: Installation, since: float) -> bool:
    """Has the schema been read again since this moment? Reads it, but not every few seconds.

    The moment is on the monotonic clock.
    """
    with REREAD_LOCK:
        last = _REREAD_AT.get(installed.address, -math.inf)
        if last < since and time.monotonic() - last > REREAD_AT_MOST_EVERY_S:
            reread_schema()
            last = _REREAD_AT[installed.address] = time.monotonic()
            events.log("info", "schema_reread", database=installed.in_words())
    return last >= since


_REREAD_AT: dict[DatabaseAddress, float] = {}


@st.cache_resource(
    ttl=REREAD_SCHEMA_AFTER_S,
    max_entries=4,
    show_spinner=False,
    hash_funcs={Installation: hash},
)
def _shared_source(installed: Installation) -> Postgres:
    # Read again every ten minutes, so that an upgrade of LiteLLM shows without a restart.
    settings = installed.settings
    connections = _pool(installed.address, threads(settings.pool_size))
    return source_over(connections, settings, installed.address)


# One for the life of the process: a second one would hold as many connections again, and its
# silence would not be noticed.
_pool = MadeOnce(pool)


@st.cache_resource(show_spinner="Preparing the sample traffic: 30 days, about 10 seconds, once.")
def _sample(folder: str | None) -> DatabaseAddress:
    with SAMPLE_LOCK:
        return _sample_once(folder)


@cache
def _sample_once(folder: str | None) -> DatabaseAddress:
    """Once per process, however often Streamlit's caches are cleared."""
    sample = demo.start(Path(folder) if folder else None)
    demo.keep_arriving(sample, threading.Event())
    return read_address(sample.url)


@lru_cache(maxsize=20)
def log_once(complaint: str) -> None:
    """Log what is wrong, once, if not every viewer may know it."""
    events.log("error", "setting_refused", reason=complaint)


def _environment() -> dict[str, str]:
    """The environment, with the secrets as defaults."""
    return _secrets() | {name: value for name, value in os.environ.items() if value}


def _secrets() -> dict[str, str]:
    """The values in the secrets. A file that cannot be read is an error, not a missing file."""
    try:
        secrets = st.secrets.to_dict()
    except (StreamlitSecretNotFoundError, FileNotFoundError) as error:
        if "parsing" in str(error):
            # Its text may quote a secret, so none of it is passed on.
            raise errors.BadSetting("secrets.toml is not valid TOML.") from None
        return {}
    flat = {name: str(value) for name, value in secrets.items() if not isinstance(value, dict)}
    url = _nested(secrets, "connections", "litellm", "url")
    return flat | ({"DATABASE_URL": str(url)} if url else {})


def _nested(document: object, *path: str) -> object:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document
