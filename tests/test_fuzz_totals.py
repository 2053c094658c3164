"""Rows with anything that PostgreSQL can store: no total is wrong.

The sums are computed a second time, in Python over the rows as they are stored.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.fuzzed import DIMENSIONS, SEEDS, Case, failing, filled
from tracelib import models, overview, sessions
from tracelib.filters import NONE, Filters
from tracelib.keys import NO_KEY, key_identity
from tracelib.permissions.access import Access, Scope
from tracelib.sessions import SessionSearch
from tracelib.window import fitting_bucket


@pytest.fixture(scope="module", params=SEEDS)
def case(request, server) -> Iterator[Case]:
    with filled(server, request.param) as made:
        yield made


def is_hit(row: dict[str, Any]) -> bool:
    return (row["cache_hit"] or "") in {"True", "true", "TRUE", "tRuE"}


def is_failed(row: dict[str, Any]) -> bool:
    return row["status"] == "failure"


def cost(row: dict[str, Any]) -> Fraction:
    spend = float(row["spend"])
    if not abs(spend) <= 1e15:
        return Fraction(0)
    exact = Decimal(f"{spend:.15g}")
    return Fraction(exact.quantize(Decimal("1e-15"), ROUND_HALF_UP, Context(prec=60)))


def started(row: dict[str, Any]) -> datetime | None:
    text = row["startTime"]
    if "infinity" in text or "BC" in text or len(text.split("-")[0]) > 4:
        return None
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def identity(row: dict[str, Any], dimension: str) -> str:
    if dimension == "model":
        names = [one for one in (row["model_group"], row["model"]) if one]
        return shown_name(names[0]) if names else "unknown"
    value = row[DIMENSIONS[dimension]]
    if dimension == "key":
        return shown_key(value) or NONE
    return value or NONE


def shown_key(key: str) -> str:
    """As stored: only a hash that stands for a key already would be hashed again."""
    if key.startswith("hashed-") and not key.startswith("hashed-jwt-"):
        return "hashed-" + hashlib.sha256(key.encode()).hexdigest()[:16]
    return "" if key in NO_KEY else key_identity(key)


def shown_name(name: str) -> str:
    length = len(name.encode())
    one_word = not any(
        c.isspace() or ord(c) < 32 or ord(c) == 127 for c in name.removeprefix("MCP: ")
    )
    if length <= 64 or (length <= 200 and one_word):
        return name
    return "long-name-" + hashlib.sha256(name.encode()).hexdigest()[:16]


def chosen(rows: list[dict[str, Any]], filters: Filters) -> list[dict[str, Any]]:
    return [
        row
        for row in rows
        if (start := started(row)) and filters.window.start <= start < filters.window.end
        if all(identity(row, one) in ids for one, ids in filters.chosen().items())
    ]


def expected(rows: list[dict[str, Any]]) -> dict[str, Any]:
    billed = [row for row in rows if not is_hit(row)]
    replayed = [row for row in rows if is_hit(row)]
    return {
        "requests": len(rows),
        "failures": sum(map(is_failed, rows)),
        "cache_hits": len(replayed),
        "cost_usd": float(sum(map(cost, rows), Fraction(0))),
        "prompt_tokens": sum(int(row["prompt_tokens"]) for row in billed),
        "completion_tokens": sum(int(row["completion_tokens"]) for row in billed),
        "total_tokens": sum(int(row["total_tokens"]) for row in billed),
        "replayed_tokens": sum(int(row["total_tokens"]) for row in replayed),
    }


def session_counts(rows: list[dict[str, Any]]) -> tuple[int, int]:
    found = Counter(
        (row["session_id"] or row["request_id"], shown_key(row["api_key"])) for row in rows
    )
    return len(found), sum(number > 1 for number in found.values())


def scopes(case: Case) -> list[Scope]:
    teams = sorted({row["team_id"] for row in case.stored if row["team_id"]})
    users = sorted({row["user"] for row in case.stored if row["user"]})
    keys = sorted({row["api_key"] for row in case.stored})
    some = case.random.sample
    return [
        Scope(is_all=True),
        Scope(),
        Scope(teams=tuple(some(teams, len(teams) // 2))),
        Scope(users=tuple(some(users, len(users) // 3)), keys=tuple(some(keys, len(keys) // 3))),
    ]


def within(rows: list[dict[str, Any]], scope: Scope) -> list[dict[str, Any]]:
    keys = {key_identity(one) for one in scope.keys} - {""}
    return [
        row
        for row in rows
        if scope.is_all
        or row["team_id"] in scope.teams
        or row["user"] in scope.users
        or shown_key(row["api_key"]) in keys
    ]


def test_totals_are_the_sums_of_the_rows(case):
    runs = [
        (f"{look} {scope}"[:400], lambda look=look, scope=scope: assert_sums(case, look, scope))
        for number, look in enumerate(case.looks)
        for scope in (scopes(case)[0], scopes(case)[1 + number % 3])
    ]
    assert not failing(runs)


def assert_sums(case: Case, look: Filters, scope: Scope) -> None:
    source = case.source.seen_by(Access(scope, "admin"))
    rows = chosen(within(case.stored, scope), look)
    sums = expected(rows)
    totals = overview.totals(source, look)
    assert {name: getattr(totals, name) for name in sums} == sums
    counted = overview.sessions(source, look)
    assert (counted.unique, counted.with_many_requests) == session_counts(rows)
    assert_adds_up(models.usage_by_model(source, look), sums)
    assert_adds_up(overview.over_time(source, look, fitting_bucket(look.window)), sums)
    assert_adds_up(sessions.found_sessions(source, look, SessionSearch(), limit=500).rows, sums)


def assert_adds_up(frame: Any, sums: dict[str, Any]) -> None:
    shown = [name for name in sums if name in frame]
    found = {name: sum(frame[name].tolist()) for name in shown}
    assert found == {name: pytest.approx(sums[name], rel=1e-12, abs=1e-9) for name in shown}
