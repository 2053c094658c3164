"""The relation as a replica holds it: what is copied there, and how it is read again.

The columns are those of `relation.requests` without bodies and documents: the facts of documents
are columns, a key is its identity, and a session is a number. Names are in a table of their own.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    MetaData,
    Select,
    Subquery,
    Table,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.types import BigInteger, Boolean, DateTime, Double, Integer, Text, TypeEngine

from tracelib.filters import Filters
from tracelib.keys import key_identity
from tracelib.permissions.access import Scope
from tracelib.schema import NAMED_BY
from tracelib.spendlogs.body_facts import FACTS
from tracelib.spendlogs.conditions import chosen_ids
from tracelib.spendlogs.marks import MARKS
from tracelib.spendlogs.names import shown_as
from tracelib.spendlogs.types import MONEY, Aware, Identity, Later, Tags
from tracelib.window import TimeWindow

# The columns of the replica, in their order. Of requests that did not fail no question reads the
# ID, and IDs are half of all bytes. `other_ms` is the latency where there is no response time,
# `elapsed_ms` the time from start to end, which takes less room than the end.
COLUMNS: Mapping[str, TypeEngine[Any]] = {
    "session_number": BigInteger(),
    "session_id": Text(),
    "failed_request_id": Text(),
    "key": Identity(),
    "user": Text(),
    "team": Text(),
    "end_user": Text(),
    "organization": Text(),
    "agent": Text(),
    "start_order": DateTime(),
    "elapsed_ms": BigInteger(),
    "response_ms": BigInteger(),
    "other_ms": BigInteger(),
    "ttft_ms": BigInteger(),
    "model": Text(),
    "deployment": Text(),
    "provider": Text(),
    "tool": Text(),
    "api_base": Text(),
    "call_type": Text(),
    "is_cache_hit": Boolean(),
    "is_failure": Boolean(),
    "spend_usd": MONEY,
    "prompt_tokens": Integer(),
    "completion_tokens": Integer(),
    "total_tokens": Integer(),
    "request_tags": Tags(),
    "agent_version": Text(),
    "error_class": Text(),
    "error_code": Text(),
    "error_message": Text(),
    "cached_prompt_tokens": Integer(),
    "cache_write_tokens": Integer(),
    "asked_model": Text(),
    "attempted_retries": Integer(),
    "attempted_fallbacks": Integer(),
    "key_alias": Text(),
    "team_alias": Text(),
    "internal_origin": Text(),
    "is_billed_retry": Boolean(),
    **FACTS,
    **MARKS,
}
# Those that come from the log; the others are computed when rows are written.
COPIED = tuple(name for name in COLUMNS if name != "session_number" and name not in MARKS)
NAMES: Mapping[str, TypeEngine[Any]] = {
    "dimension": Text(),
    "id": Text(),
    "name": Text(),
    "searched": Text(),
}


def session_number(session_key: str) -> int:
    """The number of the session with this key: 63 bits of a hash of it, as DuckDB computes it.

    >>> session_number("abc")
    4125280303191149419
    """
    digest = md5(session_key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") >> 1


def stored_table(name: str, schema_name: str | None = None) -> Table:
    """The table of requests with this name in a replica."""
    columns = (Column(one, kind) for one, kind in COLUMNS.items())
    return Table(name, MetaData(), *columns, schema=schema_name)


def names_table(name: str, schema_name: str | None = None) -> Table:
    """The table of names with this name in a replica."""
    columns = (Column(one, kind) for one, kind in NAMES.items())
    return Table(name, MetaData(), *columns, schema=schema_name)


def requests(
    tables: Sequence[FromClause],
    scope: Scope,
    window: TimeWindow | None,
    filters: Filters | None,
    milliseconds: Double[float],
    reads_bodies: bool,
) -> Subquery:
    """Which requests in these tables are within the scope, the window and the filters?

    The columns of `relation.requests` but bodies, documents and IDs of other requests; the facts of
    `facts.with_facts` instead. `session_group` is the session's number, and `request_id` is known
    of failures. `milliseconds` is the type of response times, by which percentiles are computed.
    Facts of bodies are left out unless it `reads_bodies`.
    """
    every = union_all(*(select(*one.c) for one in tables)).subquery("stored")
    known = _shown(every, milliseconds)
    chosen = [*within(every, scope)]
    if window is not None:
        chosen += [every.c.start_order >= _stored(window.start)]
        chosen += [every.c.start_order < _stored(window.end)]
    if filters is not None:
        chosen += chosen_ids(known, filters)
    hidden = () if reads_bodies else (*FACTS, *MARKS)
    columns = (one.label(name) for name, one in known.items() if name not in hidden)
    return select(*columns).where(*chosen).subquery("requests")


def _stored(moment: datetime) -> ColumnElement[datetime]:
    return literal(moment.astimezone(UTC).replace(tzinfo=None), DateTime())


def within(stored: FromClause, scope: Scope) -> list[ColumnElement[bool]]:
    """Which of these rows are of the scope?"""
    if scope.is_all:
        return []
    keys = [one for one in map(key_identity, scope.keys) if one]
    named = {"key": keys, "team": scope.teams, "user": scope.users}
    return [or_(*(stored.c[name].in_(list(ids)) for name, ids in named.items()))]


def _shown(stored: FromClause, milliseconds: Double[float]) -> dict[str, ColumnElement[Any]]:
    api_key = func.coalesce(stored.c.key, "", type_=Identity())
    session_id = stored.c.session_id
    end = Later(stored.c.start_order, stored.c.elapsed_ms)
    return dict(stored.c) | {
        "request_id": stored.c.failed_request_id,
        "session_key": session_id.concat(":").concat(api_key),
        "session_group": stored.c.session_number,
        "api_key": api_key,
        "key_group": api_key,
        "stored_key": api_key,
        "started_at": Aware(stored.c.start_order),
        "end_order": end,
        "ended_at": Aware(end),
        "response_ms": type_coerce(stored.c.response_ms, milliseconds),
        "ttft_ms": type_coerce(stored.c.ttft_ms, milliseconds),
        "latency_ms": type_coerce(func.coalesce(stored.c.response_ms, stored.c.other_ms), Double()),
        "spend_order": cast(stored.c.spend_usd, Double),
        "cold_storage_key": null().cast(Text()),
    }


def name_of(names: FromClause, dimension: str, identity: ColumnElement[str]) -> ColumnElement[str]:
    """What is the name of this ID, in the replica's table of names? As `names.name_of`."""
    if dimension not in NAMED_BY:
        return identity
    one = names.alias()
    known = select(func.max(one.c.name, type_=Text())).where(
        one.c.dimension == dimension, one.c.id == identity
    )
    return shown_as(dimension, identity, known.scalar_subquery())


def ids_called(names: FromClause, dimension: str, text: str) -> list[Select[Any]]:
    """Which IDs of a dimension have this text in a name? As `names.ids_called`."""
    found = names.c.searched.icontains(text, autoescape=True)
    return [select(names.c.id).where(names.c.dimension == dimension, found)]
