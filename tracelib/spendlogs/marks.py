"""Marks of requests that repeat or continue an earlier one of the same day, key, team and user.

They are computed from hashes of bodies, in SQL that PostgreSQL and a replica both run. A mark
compares requests of one key, team and user alone, so a scope has both of them or none.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.types import BigInteger, Boolean, Date, Integer, Text, TypeEngine

from tracelib.spendlogs.measures import divided
from tracelib.spendlogs.types import Elapsed

MARKS: Mapping[str, TypeEngine[Any]] = {
    "repeated_after_ms": BigInteger(),
    "repeats_session": Boolean(),
    "is_loop": Boolean(),
    "resent_tokens": Integer(),
    "miss": Text(),
    "missed_tokens": Integer(),
}
# What is read of requests, in addition to the facts of their bodies.
READ = (
    *("session_group", "key", "user", "team", "start_order", "model", "deployment", "provider"),
    *("api_base", "is_failure", "is_cache_hit", "prompt_tokens", "completion_tokens"),
    "cached_prompt_tokens",
)
COMPARED = (
    *("request_hash", "messages_hash", "history_hash", "opening_hash", "system_hash"),
    *("system_shape", "tools_hash", "call_hash", "fixed_share", "wants_cache"),
)
# The calls of a loop repeat after at most this many, for the third time.
LONGEST_CYCLE = 4
# Providers cache no shorter prompts; an unused cache expires.
LEAST_CACHED = 1_024
EXPIRES_MS = 5 * 60_000
# Providers read in steps, and the end of a prompt may differ: this much is no miss.
STEP, MOST_LEFT = 128, 0.1
PER_MILLE = 1_000
# Providers that cache only what a request marks: those of Claude.
MARKED_BY_CLIENT = "claude"
TOO_SHORT, NOT_REQUESTED, EXPIRED = "too_short", "not_requested", "expired"
OTHER_DEPLOYMENT, TOOLS_CHANGED = "other_deployment", "tools_changed"
CLOCK, SYSTEM_CHANGED, UNKNOWN = "clock", "system_prompt_changed", "unknown"
MISSES = (
    *(TOO_SHORT, NOT_REQUESTED, OTHER_DEPLOYMENT, EXPIRED, TOOLS_CHANGED, CLOCK, SYSTEM_CHANGED),
    UNKNOWN,
)


def no_marks() -> list[ColumnElement[Any]]:
    """The columns of `MARKS`, all unknown."""
    return [null().cast(kind).label(name) for name, kind in MARKS.items()]


def marked(rows: FromClause, number: str) -> Select[Any]:
    """Which of these requests repeat or continue another? Those with any mark.

    The column `number`, which is different for each row and ordered as they are in doubt, and those
    of `MARKS`. `rows` has the columns of `READ` and `COMPARED`.
    """
    done = and_(~rows.c.is_failure, ~rows.c.is_cache_hit, rows.c.wants_cache.is_not(None))
    kept = (rows.c[name] for name in (number, *READ, *COMPARED))
    known = select(*kept, cast(rows.c.start_order, Date).label("day")).where(done).cte("known")
    parts = [
        _repeated(known, number).subquery("repeated"),
        _looped(known, number).subquery("looped"),
        _followed(known, number).subquery("followed"),
    ]
    joined: FromClause = known
    for part in parts:
        joined = joined.outerjoin(part, part.c[number] == known.c[number])
    found = {column.name: column for part in parts for column in part.c if column.name in MARKS}
    marks = [cast(found[name], kind).label(name) for name, kind in MARKS.items()]
    has_mark = or_(*(part.c[number].is_not(None) for part in parts))
    return select(known.c[number], *marks).select_from(joined).where(has_mark)


def _owner(known: FromClause) -> tuple[ColumnElement[Any], ...]:
    return tuple(known.c[name] for name in ("key", "team", "user", "day"))


def _order(known: FromClause, number: str) -> tuple[ColumnElement[Any], ...]:
    return known.c.start_order, known.c[number]


def _repeated(known: FromClause, number: str) -> Select[Any]:
    """The same request again: how long after, and in the same session?"""
    same = (known.c.request_hash, known.c.model, known.c.prompt_tokens, *_owner(known))
    over: dict[str, Any] = {"partition_by": same, "order_by": _order(known, number)}
    pairs = (
        select(
            known.c[number],
            known.c.start_order,
            known.c.session_group,
            func.lag(known.c.start_order).over(**over).label("before"),
            func.lag(known.c.session_group).over(**over).label("session_before"),
        )
        .where(known.c.request_hash.is_not(None))
        .subquery("pairs")
    )
    after = Elapsed(pairs.c.before, pairs.c.start_order)
    return select(
        pairs.c[number],
        after.label("repeated_after_ms"),
        (pairs.c.session_before == pairs.c.session_group).label("repeats_session"),
    ).where(pairs.c.before.is_not(None))


def _looped(known: FromClause, number: str) -> Select[Any]:
    """The same calls of tools for the third time, each cycle of a few calls right after another."""
    of_session = (known.c.session_group, *_owner(known))
    over: dict[str, Any] = {"partition_by": of_session, "order_by": _order(known, number)}
    cycles = range(1, LONGEST_CYCLE + 1)
    called = (
        select(
            known.c[number],
            known.c.start_order,
            *of_session,
            *(
                case(
                    (func.lag(known.c.call_hash, n).over(**over) == known.c.call_hash, 1), else_=0
                ).label(f"is_same_{n}")
                for n in cycles
            ),
        )
        .where(known.c.call_hash.is_not(None))
        .subquery("called")
    )
    within = tuple(called.c[one.name] for one in of_session)
    order = _order(called, number)
    counts = [
        func.sum(called.c[f"is_same_{n}"])
        .over(partition_by=within, order_by=order, rows=(1 - 2 * n, 0))
        .label(f"same_{n}")
        for n in cycles
    ]
    counted = select(called.c[number], *counts).subquery("counted")
    is_loop = or_(*(counted.c[f"same_{n}"] == 2 * n for n in cycles))
    return select(counted.c[number], is_loop.label("is_loop")).where(is_loop)


def _followed(known: FromClause, number: str) -> Select[Any]:
    """What is sent again of the request before, and what the provider's cache did not serve."""
    pairs = _pairs(known, number)
    columns = pairs.c
    is_next = columns.messages_before.in_([columns.history_hash, columns.messages_hash])
    # Where the history is known, all of the request before is at the beginning of this one.
    again = case((is_next, func.least(columns.prompt_before, columns.prompt_tokens)))
    fixed = divided(columns.prompt_tokens, PER_MILLE) * columns.fixed_share
    expected = func.coalesce(
        again, case((columns.shape_start.is_not(None), cast(func.floor(fixed), Integer)))
    )
    missed = expected - func.coalesce(columns.cached_prompt_tokens, 0)
    known_pairs = select(
        *columns,
        is_next.label("is_next"),
        again.label("resent_tokens"),
        expected.label("expected"),
        missed.label("missed"),
    ).subquery("expected")
    return _causes(known_pairs, number)


def _pairs(known: FromClause, number: str) -> Subquery:
    """Each request with the one before in its conversation, and with its system prompt."""
    compared = {
        "start": known.c.start_order,
        "system": known.c.system_hash,
        "shape": known.c.system_shape,
        "tools": known.c.tools_hash,
        "deployment": known.c.deployment,
        "base": known.c.api_base,
    }
    own = {"messages_before": known.c.messages_hash, "prompt_before": known.c.prompt_tokens}
    talk = _before(known, number, known.c.opening_hash)
    shaped = _before(known, number, known.c.system_shape)
    return (
        select(
            *known.c,
            *(func.lag(one).over(**talk).label(name) for name, one in own.items()),
            *(func.lag(one).over(**talk).label(f"talk_{name}") for name, one in compared.items()),
            *(
                case((known.c.system_shape.is_not(None), func.lag(one).over(**shaped))).label(
                    f"shape_{name}"
                )
                for name, one in compared.items()
            ),
        )
        .where(known.c.opening_hash.is_not(None), known.c.completion_tokens > 0)
        .subquery("pairs")
    )


def _before(known: FromClause, number: str, same: ColumnElement[Any]) -> dict[str, Any]:
    return {"partition_by": (same, *_owner(known)), "order_by": _order(known, number)}


def _causes(pairs: Subquery, number: str) -> Select[Any]:
    columns = pairs.c

    def before(name: str) -> ColumnElement[Any]:
        """Of the request that this one continues, else of the last with this system prompt."""
        return case((columns.is_next, columns[f"talk_{name}"]), else_=columns[f"shape_{name}"])

    is_miss = and_(columns.missed > STEP, columns.missed > MOST_LEFT * columns.expected)
    needs_mark = func.lower(columns.deployment).contains(MARKED_BY_CLIENT)
    is_elsewhere = or_(
        columns.deployment.is_distinct_from(before("deployment")),
        columns.api_base.is_distinct_from(before("base")),
    )
    has_other_system = columns.system_hash.is_distinct_from(before("system"))
    cause = case(
        (columns.expected < LEAST_CACHED, TOO_SHORT),
        (and_(needs_mark, ~columns.wants_cache), NOT_REQUESTED),
        (is_elsewhere, OTHER_DEPLOYMENT),
        (Elapsed(before("start"), columns.start_order) > EXPIRES_MS, EXPIRED),
        (columns.tools_hash.is_distinct_from(before("tools")), TOOLS_CHANGED),
        (and_(has_other_system, columns.system_shape == before("shape")), CLOCK),
        (has_other_system, SYSTEM_CHANGED),
        else_=UNKNOWN,
    )
    return select(
        columns[number],
        columns.resent_tokens,
        case((is_miss, cause)).label("miss"),
        case((is_miss, columns.missed)).label("missed_tokens"),
    ).where(or_(columns.resent_tokens.is_not(None), is_miss))
