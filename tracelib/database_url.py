"""PostgreSQL URLs as people paste them, parsed into libpq's parameters.

Written by hand because no library parses real URLs: passwords with a bare `@`, `/`, `#` or `%` in
them, Prisma's own parameters, `postgres://`.
"""

import re
from dataclasses import dataclass, field
from itertools import chain
from urllib.parse import parse_qsl, unquote

from tracelib import errors

SCHEMES = (
    "postgresql",
    "postgres",
    "postgresql+psycopg2",
    "postgresql+psycopg",
    "postgresql+asyncpg",
    "jdbc:postgresql",
)
# Parameters of libpq that a person may set; all others are Prisma's or a pooler's and are dropped.
LIBPQ_PARAMETERS = frozenset(
    (
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslpassword",
        "sslcrl",
        "sslcompression",
        "sslsni",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "channel_binding",
        "gssencmode",
        "target_session_attrs",
        "connect_timeout",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "host",
        "hostaddr",
        "port",
        "user",
        "password",
        "dbname",
        "service",
        "passfile",
        "krbsrvname",
        "require_auth",
        "sslnegotiation",
    )
)
PASSWORDS = frozenset(("password", "sslpassword"))
# Managed services route by these start-up options; any other option would fail behind PgBouncer.
ROUTING_OPTION = re.compile(r"^(endpoint|project|reference)=", re.ASCII)
SEARCH_PATH = re.compile(r"search_path\s*=\s*\"?(\w+)")
PRISMA_SSLACCEPT = {"strict": "verify-full", "accept_invalid_certs": "require"}


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A database's address: libpq's keywords, and LiteLLM's schema if the URL names one."""

    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    schema: str | None = None

    def without_password(self) -> tuple[object, ...]:
        """Which database it is, and as whom, for a name that others may see.

        >>> read_address("postgres://ada:s3cret@db/litellm").without_password()
        ('user', 'ada', 'host', 'db', 'dbname', 'litellm', None)
        """
        known = (pair for pair in self.parameters if pair[0] not in PASSWORDS)
        return (*chain.from_iterable(known), self.schema)

    def in_words(self) -> str:
        """The database as text, without the password.

        >>> read_address("postgres://ada:s3cret@db.example.com/litellm").in_words()
        'litellm on db.example.com'
        """
        known = dict(self.parameters)
        name = known.get("dbname") or known.get("user") or "the default database"
        host = known.get("host") or known.get("hostaddr") or "this machine"
        place = "this machine" if host.startswith("/") else host
        port = known.get("port", "5432")
        return f"{name} on {place}" + (f":{port}" if port != "5432" else "")


def read_address(url: str, setting: str = "DATABASE_URL") -> DatabaseAddress:
    """Which database is this URL for? Raises BadSetting for anything but a PostgreSQL URL.

    `setting` is the name of the setting that has it.

    >>> dict(read_address("postgres://ada:p@ss/w#rd%@db:6543/l?schema=llm&pgbouncer=true").parameters)
    {'user': 'ada', 'password': 'p@ss/w#rd%', 'host': 'db', 'port': '6543', 'dbname': 'l'}
    """
    scheme, separator, rest = url.strip().strip("\"'").partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        raise errors.BadSetting(
            f"{setting} must look like postgresql://user:password@host:5432/litellm."
        )
    if "\0" in unquote(rest):
        raise errors.BadSetting(f"{setting} holds a NUL character.")
    authority, _, query = _split_query(rest)
    parameters = _user(authority) | _place(authority, setting)
    # libpq does not decode a plus.
    params = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=False))
    parameters |= {key: value for key, value in params.items() if key in LIBPQ_PARAMETERS}
    options = params.get("options", "")
    if ROUTING_OPTION.match(options):
        parameters["options"] = options
    path = SEARCH_PATH.search(options)
    schema = params.get("schema") or (path[1] if path else None)
    return DatabaseAddress(tuple((parameters | _encryption(params)).items()), schema)


def _encryption(params: dict[str, str]) -> dict[str, str]:
    """The encryption parameters of drivers and Prisma in libpq's terms."""
    encryption: dict[str, str] = {}
    if params.get("ssl") == "true" and "sslmode" not in params:
        encryption["sslmode"] = "require"
    if (accept := params.get("sslaccept")) in PRISMA_SSLACCEPT:
        encryption["sslmode"] = PRISMA_SSLACCEPT[accept]
    if "sslcert" in params and "sslkey" not in params:
        # Prisma's is the server's certificate; libpq's is of no use without its key.
        encryption |= {"sslrootcert": params.get("sslrootcert", params["sslcert"]), "sslcert": ""}
    return encryption


def _split_query(rest: str) -> tuple[str, str, str]:
    """The host and the query: it starts at the first question mark after the last `@` before it."""
    at = rest.rfind("@")
    mark = rest.find("?", at + 1)
    if mark < 0 and "?" in rest and "@" in rest.partition("?")[2]:
        mark = _query_with_at(rest)
    return (rest, "", "") if mark < 0 else (rest[:mark], "?", rest[mark + 1 :])


def _query_with_at(rest: str) -> int:
    """The start of a query with an `@` in a parameter's value: `…@host/db?application_name=a@b`."""
    found = re.search(r"\?(?=[a-z_]+=[^?]*$)", rest)
    if not found:
        return -1
    # Before it is a host with its database; else a user whose password contains a question mark.
    is_host = re.fullmatch(r"[^:/]*(:\d+)?/.*", rest[: found.start()].rpartition("@")[2])
    return found.start() if is_host else -1


def _user(authority: str) -> dict[str, str]:
    userinfo, at, _ = authority.rpartition("@")
    if not at:
        return {}
    user, colon, password = userinfo.partition(":")
    parameters = {"user": _decoded(user)} if user else {}
    return parameters | ({"password": _decoded(password)} if colon else {})


def _place(authority: str, setting: str) -> dict[str, str]:
    hosts, _, name = authority.rpartition("@")[2].partition("/")
    pairs = [_host_and_port(place, setting) for place in hosts.split(",") if place]
    parameters: dict[str, str] = {}
    if pairs:
        parameters["host"] = ",".join(host for host, _ in pairs)
        if any(port for _, port in pairs):
            parameters["port"] = ",".join(port or "5432" for _, port in pairs)
    return parameters | ({"dbname": _decoded(name)} if name else {})


def _host_and_port(place: str, setting: str) -> tuple[str, str]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = place.partition(":")
    if port and not port.isdigit():
        raise errors.BadSetting(
            f"The port in {setting} is not a number; percent-encode special characters in the "
            "password."
        )
    return _decoded(host), port


def _decoded(text: str) -> str:
    """The text decoded; a bare percent sign means that it was pasted without encoding."""
    return text if re.search(r"%(?![0-9A-Fa-f]{2})", text) else unquote(text)
