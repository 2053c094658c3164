"""Which requests a search is asked of, and which of them carry the text that is sought."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, literal, or_, select, union_all
from sqlalchemy.types import Boolean, Text

from tracelib.filters import Filters
from tracelib.keys import HIDDEN, NAMES
from tracelib.schema import Schema
from tracelib.sessions.search import SessionSearch
from tracelib.source import Source
from tracelib.spendlogs import conditions
from tracelib.spendlogs.names import NAMED_BY, ids_called

# What a page shows of a request besides its key; one text, so that it is searched in one go.
SEARCHED = ("model", "deployment", "end_user", "agent", "user", "team")
# A character that no name holds, so that no match reaches from one name into the next.
BETWEEN = "\x1f"
# The identity costs more to work out: only of the keys that begin so themselves.
KEY_AND_IDENTITY = ("stored_key", "key")
# Of a hash the first eight digits are shown; fewer than six of them would match by chance.
LEAST_OF_HASH = 6
MOST_BY_ID = 1_000


def searched_requests(source: Source, filters: Filters, search: SessionSearch) -> Subquery:
    """Which requests decide whether a session is found? `is_match` marks those with the text.

    Without an id those that the filters choose; with one, all of the sessions it leads to.
    """
    if not search.id:
        requests = source.requests(filters)
        return _marked(requests, _carries(source.schema, requests, search.text))
    keys = source.rows(_sessions_by_any_id(source, filters, search.id))
    requests = source.by_id("session_id", sorted({key.session_id for key in keys}))
    is_one = requests.c.session_key.in_([key.session_key for key in keys])
    return _marked(requests, literal(True), is_one)


def requests_in(
    source: Source, filters: Filters, search: SessionSearch, session_ids: Sequence[str]
) -> Subquery:
    """Which requests do the filters choose, of sessions of these ids? `is_match` as above.

    Without an index on the session id all that the filters choose: no worse than a scan.
    """
    requests = source.requests(filters)
    if source.schema.is_indexed("session_id") or not source.schema.has("session_id"):
        whole = source.by_id("session_id", session_ids)
        requests = select(*whole.c).where(*conditions.passes(whole, filters)).subquery("chosen")
    return _marked(requests, _carries(source.schema, requests, search.text))


def _marked(
    requests: Subquery, is_match: ColumnElement[bool], *only: ColumnElement[bool]
) -> Subquery:
    return select(*requests.c, is_match.label("is_match")).where(*only).subquery("searched")


def _sessions_by_any_id(source: Source, filters: Filters, identity: str) -> Select[Any]:
    """Which sessions are called so, or have a request that is? Rows of session key and id."""
    found = [source.by_id("session_id", [identity]), source.by_id("request_id", [identity])]
    calls = _by_call_id(source, filters, identity)
    ids = union_all(
        *(select(one.c.session_key, one.c.session_id) for one in found), calls
    ).subquery()
    return (
        select(ids.c.session_key, ids.c.session_id)
        .distinct()
        .order_by(ids.c.session_key)
        .limit(MOST_BY_ID)
    )


def _by_call_id(source: Source, filters: Filters, identity: str) -> Select[Any]:
    """LiteLLM builds the call id's index late or never; without it only the window is read."""
    if source.schema.is_indexed("litellm_call_id") or not source.schema.has("litellm_call_id"):
        requests = source.by_id("call_id", [identity])
        return select(requests.c.session_key, requests.c.session_id)
    requests = source.requests(Filters(filters.window))
    return select(requests.c.session_key, requests.c.session_id).where(
        requests.c.call_id == identity
    )


def _carries(schema: Schema, requests: Subquery, text: str) -> ColumnElement[bool]:
    if not text or BETWEEN in text:
        return literal(not text)
    shown = func.concat_ws(BETWEEN, *(requests.c[name] for name in SEARCHED), type_=Text())
    named = [shown.icontains(text, autoescape=True), *_by_key(requests, text)]
    for dimension in NAMED_BY:
        ids = requests.c["stored_key" if dimension == "key" else dimension]
        named += [ids.in_(called) for called in ids_called(schema, dimension, text)]
    return func.coalesce(or_(*named), False, type_=Boolean())


def _by_key(requests: Subquery, text: str) -> list[ColumnElement[bool]]:
    """Only by its identity: else a key that is stored itself could be guessed sign by sign."""
    special = [one for one, name in NAMES.items() if text.lower() in name.lower()]
    named: list[ColumnElement[bool]] = [requests.c.stored_key.in_(special)]
    digits = text.lower().rstrip("…")
    if digits.startswith(HIDDEN):
        named.append(requests.c.key.startswith(digits, autoescape=True))
    elif len(digits) >= LEAST_OF_HASH:
        begins = (requests.c[one].startswith(digits, autoescape=True) for one in KEY_AND_IDENTITY)
        named.append(and_(*begins))
    return named
