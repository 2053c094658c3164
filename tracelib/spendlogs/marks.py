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
# The calls of a loop repeat after one of these numbers of calls, for the third time.
CYCLES = (1, 2, 3, 4)
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


def marked(rows: FromClause, number: str, *more: str) -> Select[Any]:
    """Which of these requests repeat or continue another?

    A row per request: the column `number`, which is different for each row and ordered as they are
    in doubt, `more` columns, and those of `MARKS`. `rows` has the columns of `READ` and `COMPARED`.
    All is computed in windows over one pass, without a join: a planner that knows nothing of the
    rows would compute one side of it again for each row of the other.
    """
    done = and_(~rows.c.is_failure, ~rows.c.is_cache_hit, rows.c.wants_cache.is_not(None))
    names = dict.fromkeys((number, *READ, *COMPARED, *more))
    known = select(
        *(rows.c[name] for name in names),
        cast(rows.c.start_order, Date).label("day"),
        done.label("is_done"),
        and_(done, rows.c.request_hash.is_not(None)).label("is_repeatable"),
        and_(done, rows.c.call_hash.is_not(None)).label("is_calling"),
        and_(done, rows.c.opening_hash.is_not(None), rows.c.completion_tokens > 0).label("is_talk"),
    ).subquery("known")
    pairs = _expected(_cycles(_pairs(known, number), number))
    marks = {**_repeated(pairs), **_looped(pairs), **_followed(pairs)}
    kept = (pairs.c[name] for name in dict.fromkeys((number, *more)))
    return select(*kept, *(cast(marks[name], kind).label(name) for name, kind in MARKS.items()))


def _near(known: FromClause, number: str, kind: str, *same: str) -> dict[str, Any]:
    """The window of the requests of this kind that are the same in these, in their order."""
    names = (kind, *same, "key", "team", "user", "day")
    order = (known.c.start_order, known.c[number])
    return {"partition_by": tuple(known.c[name] for name in names), "order_by": order}


def _pairs(known: Subquery, number: str) -> Subquery:
    """Each request with the one before: of the same request, calls, conversation and system prompt.

    Of another kind than is compared, they are of no meaning.
    """
    same = ("request_hash", "model", "prompt_tokens")
    again = _near(known, number, "is_repeatable", *same)
    calls = _near(known, number, "is_calling", "session_group")
    talk = _near(known, number, "is_talk", "opening_hash")
    shaped = _near(known, number, "is_talk", "system_shape")
    columns = known.c
    before = {
        "start": columns.start_order,
        "system": columns.system_hash,
        "shape": columns.system_shape,
        "tools": columns.tools_hash,
        "deployment": columns.deployment,
        "base": columns.api_base,
    }
    return select(
        *columns,
        func.lag(columns.start_order).over(**again).label("start_before"),
        func.lag(columns.session_group).over(**again).label("session_before"),
        *(
            case(
                (func.lag(columns.call_hash, n).over(**calls) == columns.call_hash, 1), else_=0
            ).label(f"is_same_{n}")
            for n in CYCLES
        ),
        func.lag(columns.messages_hash).over(**talk).label("messages_before"),
        func.lag(columns.prompt_tokens).over(**talk).label("prompt_before"),
        *(func.lag(one).over(**talk).label(f"talk_{name}") for name, one in before.items()),
        *(func.lag(one).over(**shaped).label(f"shape_{name}") for name, one in before.items()),
    ).subquery("pairs")


def _cycles(pairs: Subquery, number: str) -> Subquery:
    """For each length of a cycle: how many of the last calls are those of the cycle before?"""
    calls = _near(pairs, number, "is_calling", "session_group")
    counts = (
        func.sum(pairs.c[f"is_same_{n}"]).over(**calls, rows=(1 - 2 * n, 0)).label(f"same_{n}")
        for n in CYCLES
    )
    return select(*pairs.c, *counts).subquery("cycles")


def _expected(pairs: Subquery) -> Subquery:
    """What the provider's cache could serve of each request, and what it did not."""
    columns = pairs.c
    is_next = and_(
        columns.is_talk, columns.messages_before.in_([columns.history_hash, columns.messages_hash])
    )
    # Where the history is known, all of the request before is at the beginning of this one.
    again = case((is_next, func.least(columns.prompt_before, columns.prompt_tokens)))
    fixed = divided(columns.prompt_tokens, PER_MILLE) * columns.fixed_share
    has_shape = and_(
        columns.is_talk, columns.system_shape.is_not(None), columns.shape_start.is_not(None)
    )
    expected = func.coalesce(again, case((has_shape, cast(func.floor(fixed), Integer))))
    return select(
        *columns,
        func.coalesce(is_next, False, type_=Boolean()).label("is_next"),
        again.label("again"),
        expected.label("expected"),
        (expected - func.coalesce(columns.cached_prompt_tokens, 0)).label("missed"),
    ).subquery("expected")


def _repeated(pairs: Subquery) -> dict[str, ColumnElement[Any]]:
    """The same request again: how long after, and in the same session?"""
    columns = pairs.c
    is_again = and_(columns.is_repeatable, columns.start_before.is_not(None))
    return {
        "repeated_after_ms": case((is_again, Elapsed(columns.start_before, columns.start_order))),
        "repeats_session": case((is_again, columns.session_before == columns.session_group)),
    }


def _looped(pairs: Subquery) -> dict[str, ColumnElement[Any]]:
    """The same calls of tools for the third time, each cycle of a few calls right after another."""
    is_loop = or_(*(pairs.c[f"same_{n}"] == 2 * n for n in CYCLES))
    return {"is_loop": case((and_(pairs.c.is_calling, is_loop), True))}


def _followed(pairs: Subquery) -> dict[str, ColumnElement[Any]]:
    """What is sent again of the request before, and what the provider's cache did not serve."""
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
    return {
        "resent_tokens": columns.again,
        "miss": case((is_miss, cause)),
        "missed_tokens": case((is_miss, columns.missed)),
    }
