"""Faults: requests that were not served at once, although their client did nothing wrong.

A fault is a failure that is not the client's own, or a hidden one: a success after retries or
fallbacks, which no failure of the log shows.
"""

from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Subquery, and_, case, func, literal, or_, select
from sqlalchemy.types import Boolean, Text

from tracelib.keys import HEALTH_CHECK
from tracelib.spendlogs import facts
from tracelib.spendlogs.types import are_columns

# What LiteLLM raises for a request that no deployment could have served.
OF_CLIENTS = (
    *("BadRequestError", "BlockedPiiEntityError", "BudgetExceededError", facts.DISCONNECTED),
    *("ContentPolicyViolationError", "ContextWindowExceededError", "GuardrailRaisedException"),
    *("ImageFetchError", "InvalidRequestError", "ModifyResponseException"),
    *("ProxyModelNotFoundError", "RejectedRequestError", "UnprocessableEntityError"),
    "UnsupportedParamsError",
)
# What the proxy itself raises: a server error is its own fault, anything else the client's.
OF_PROXY = ("HTTPException", "ProxyException")
HEALTH_CHECKS = (HEALTH_CHECK, sha256(HEALTH_CHECK.encode()).hexdigest())
# Of a message that is made into a signature, and of the signature.
LONGEST_MESSAGE, LONGEST_SIGNATURE = 1_000, 300
HOLE = "#"
# IDs (a digit, and eight or more of their signs), numbers, and digits in a word. In the part that
# PostgreSQL's regular expressions and DuckDB's have in common.
TAKEN_OUT = (
    (r"[A-Za-z_]{0,20}[-_]?[0-9a-fA-F]*[0-9][0-9A-Za-z_-]{7,}", HOLE),
    (r"[0-9a-fA-F]{16,}", HOLE),
    (r"(^|[^A-Za-z0-9_-])[0-9][0-9A-Za-z_-]*([.,:][0-9][0-9A-Za-z_-]*)*", rf"\1{HOLE}"),
    (r"[0-9]{3,}", HOLE),
)


def counting(requests: FromClause) -> ColumnElement[bool]:
    """Which requests say whether deployments work? Neither cache hits nor health checks do."""
    return and_(~requests.c.is_cache_hit, requests.c.key_group.not_in(HEALTH_CHECKS))


def with_faults(requests: Subquery, reads_hidden: bool, *columns: str) -> Subquery:
    """Which of these requests are faults, next to the named columns?

    Adds to each row:

        is_hidden         bool   a success after retries or fallbacks
        fell_back_from    text   the model group that was requested, if another one responded
        error_class, error_code, error_message     text

    Without `reads_hidden` only failures: outside a replica, retries are in a document of each row.
    """
    wanted = ("is_failure", "is_cache_hit", "key_group", "model", *columns)
    read = facts.with_facts(requests, *dict.fromkeys(wanted))
    if not reads_hidden:
        read = read.where(requests.c.is_failure)
    known = read.subquery("known")
    is_hidden = _is_hidden(known)
    kept = [known.c[name] for name in dict.fromkeys(columns)]
    more = [known.c[name] for name in ("error_class", "error_code", "error_message")]
    is_fault = or_(and_(known.c.is_failure, ~is_of_client(known)), is_hidden)
    return (
        select(
            *kept,
            is_hidden.label("is_hidden"),
            _fell_back_from(known).label("fell_back_from"),
            *more,
        )
        # What is quick to compare first: of ten million rows few are left for the others.
        .where(or_(known.c.is_failure, is_hidden), counting(known), is_fault)
        .subquery("faults")
    )


def is_of_client(failures: FromClause) -> ColumnElement[bool]:
    """Is the failure the client's own: too long, refused, over its budget? Unknown ones are not."""
    error_class = func.coalesce(failures.c.error_class, "", type_=Text())
    is_servers = func.coalesce(failures.c.error_code, "", type_=Text()).startswith("5")
    return or_(error_class.in_(OF_CLIENTS), and_(error_class.in_(OF_PROXY), ~is_servers))


def can_read_hidden(requests: FromClause) -> bool:
    """Are retries and fallbacks columns, so that those of any number of requests can be read?"""
    return are_columns(requests)


def signature(message: ColumnElement[str]) -> ColumnElement[str]:
    """The error message without numbers and IDs, so that equal errors have equal signatures.

    None for no message.
    """
    text: ColumnElement[str] = func.left(message, LONGEST_MESSAGE, type_=Text())
    for pattern, instead in TAKEN_OUT:
        text = func.regexp_replace(text, pattern, instead, "g", type_=Text())
    return func.left(text, LONGEST_SIGNATURE, type_=Text())


def _is_hidden(known: FromClause) -> ColumnElement[bool]:
    tried = or_(_some(known.c.attempted_retries), _some(known.c.attempted_fallbacks))
    return and_(~known.c.is_failure, tried)


def _fell_back_from(known: FromClause) -> ColumnElement[str]:
    """LiteLLM names the requested group after each request, also without a fallback."""
    is_other = and_(_some(known.c.attempted_fallbacks), known.c.asked_model != known.c.model)
    return case((and_(_is_hidden(known), is_other), known.c.asked_model))


def _some(attempts: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.coalesce(attempts > literal(0), False, type_=Boolean())
