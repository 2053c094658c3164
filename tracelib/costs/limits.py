"""The limits of budgets and what is spent of them, as LiteLLM's own tables hold them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    and_,
    case,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.types import DateTime, Text

from tracelib.costs.kinds import KINDS, LINKED, TYPES, Kind, linked_budgets, owners_of, unreadable
from tracelib.permissions.access import Scope
from tracelib.running_totals import (
    PSEUDO_USER,
    WindowSpend,
    amount,
    length_of,
    whose,
    window_spends,
)
from tracelib.source import Postgres
from tracelib.spendlogs import names
from tracelib.spendlogs.conditions import can_be_stored, shown_key
from tracelib.spendlogs.types import GREATEST_AMOUNT, utc

MOST_LIMITS = 2_000
INCREASE = ("temp_budget_increase", "temp_budget_expiry")
MONEY_NAMES = ("spend", "max_budget", "soft_budget", "temp_budget_increase")


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget in exact US dollars, and what LiteLLM has counted of it since its last reset.

    `id` identifies its owner: of a key its identity, of a team member the user in `team_id`.
    `limit_usd` is None if only a soft limit is set. It is raised by `increase_usd` up to
    `increase_until`. `duration` is LiteLLM's, such as 30d. Times are aware UTC.
    """

    kind: Kind
    id: str
    name: str
    team_id: str | None
    user_id: str | None
    spent_usd: Decimal
    limit_usd: Decimal | None
    soft_usd: Decimal | None = None
    increase_usd: Decimal | None = None
    increase_until: datetime | None = None
    duration: str | None = None
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The budgets that may be seen, and in sentences what is unknown of them.

    Of each kind at most `MOST_LIMITS`, those with the largest spent share; `unread` are the others.
    """

    rows: tuple[Limit, ...]
    unread: int
    unknown: tuple[str, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Whose budgets are there?"""
        return tuple(dict.fromkeys(one.kind for one in self.rows))


def limits(source: Postgres) -> Limits:
    """Which budgets are set, and what is spent of each?

    Of keys, teams, users, team members, end users, organizations and tags, as far as their tables
    may be read. A viewer of a part sees those whose requests are all in it. None gives no rows.
    """
    windows = window_spends(source)
    found: list[Limit] = []
    unread = 0
    for kind in KINDS:
        owners = owners_of(source.schema, kind)
        statement = None if owners is None else _statement(source, kind, owners)
        rows = [] if statement is None else source.rows(statement)
        unread += max(rows[0].total - len(rows), 0) if rows else 0
        for row in rows:
            found += _limits_of(kind, row, windows.get((kind, row.id), ()))
    unknown = tuple(unreadable(source.schema)) if source.schema.scope.is_all else ()
    return Limits(tuple(found), unread, unknown)


def _statement(source: Postgres, kind: Kind, owners: FromClause) -> Select[Any] | None:
    linked = linked_budgets(source.schema)
    own = owners.c[KINDS[kind].id]
    columns = {name: _known(owners, linked, name) for name in LINKED}
    spent, limit = amount(owners.c.spend), amount(columns["max_budget"])
    has_limit = or_(limit.is_not(None), amount(columns["soft_budget"]).is_not(None))
    windowed = _column(owners, "budget_limits")
    shares = spent / func.nullif(limit, 0)
    return (
        select(
            (shown_key(own) if kind == "key" else own).label("id"),
            _name(source, kind, owners).label("name"),
            _column(owners, "team_id").label("team_id"),
            _column(owners, "user_id").label("user_id"),
            *_values(owners, columns),
            windowed.label("windows"),
            func.count().over().label("total"),
        )
        .select_from(_joined(owners, linked))
        .where(own != PSEUDO_USER, _is_seen(kind, owners, source.schema.scope))
        .where(or_(has_limit, func.jsonb_typeof(windowed) == "array"))
        .order_by(shares.desc().nulls_last(), own.collate("C"), *_second(kind, owners))
        .limit(MOST_LIMITS)
    )


def _joined(owners: FromClause, linked: FromClause) -> FromClause:
    if "budget_id" not in owners.c:
        return owners.outerjoin(linked, null().is_not(None))
    return owners.outerjoin(linked, owners.c.budget_id == linked.c.budget_id)


def _known(owners: FromClause, linked: FromClause, name: str) -> ColumnElement[Any]:
    """The owner's own value, else that of the linked budget."""
    return func.coalesce(owners.c[name], linked.c[name], type_=owners.c[name].type)


def _values(
    owners: FromClause, columns: Mapping[str, ColumnElement[Any]]
) -> Iterator[ColumnElement[Any]]:
    """Money as exact amounts, times as aware ones, and the key's own increase as it is stored."""
    yield amount(owners.c.spend).label("spend")
    for name, value in columns.items():
        if name in MONEY_NAMES:
            yield amount(value).label(name)
        else:
            yield (utc(value) if isinstance(value.type, DateTime) else value).label(name)
    for name in INCREASE:
        own = _column(owners, "metadata")
        text = own.op("->>", return_type=Text())(name)
        yield case((func.jsonb_typeof(own) == "object", text)).label(f"own_{name}")


def _column(owners: FromClause, name: str) -> ColumnElement[Any]:
    if name in owners.c:
        return owners.c[name]
    return null().cast(TYPES.get(name, Text)())


def _second(kind: Kind, owners: FromClause) -> list[ColumnElement[Any]]:
    return [owners.c.team_id.collate("C")] if kind == "member" else []


def _name(source: Postgres, kind: Kind, owners: FromClause) -> ColumnElement[str]:
    known = [func.nullif(owners.c[one], "", type_=Text()) for one in KINDS[kind].names]
    own = owners.c[KINDS[kind].id]
    if kind == "key":
        return names.shown_as("key", shown_key(own), *known)
    if kind == "member":
        user, team = (
            source.name_of(dimension, owners.c[f"{dimension}_id"], null().cast(Text()))
            for dimension in ("user", "team")
        )
        return user.concat(" in ").concat(team)
    return func.coalesce(*known, own, type_=Text())


def _is_seen(kind: Kind, owners: FromClause, scope: Scope) -> ColumnElement[bool]:
    """A member's total has requests of one team and one user: it is seen with either."""
    if kind != "member" or scope.is_all:
        return and_(true(), *whose(owners.c[KINDS[kind].id], kind, scope))
    return or_(
        *(
            owners.c[name].in_([one for one in ids if can_be_stored(one)])
            for name, ids in (("team_id", scope.teams), ("user_id", scope.users))
        )
    )


def _limits_of(kind: Kind, row: Row[Any], windows: tuple[WindowSpend, ...]) -> Iterator[Limit]:
    """The budget of an owner, and one for each of its windows with a limit of their own."""
    one = Limit(
        kind=kind,
        id=row.id or "",
        name=row.name or row.id or "",
        team_id=row.id if kind == "team" else row.team_id,
        user_id=row.id if kind in ("user", "member") else row.user_id,
        spent_usd=row.spend or Decimal(0),
        limit_usd=row.max_budget,
        soft_usd=row.soft_budget,
        duration=row.budget_duration,
        resets_at=row.budget_reset_at,
    )
    usd, until = _increase(row)
    if row.max_budget is not None or row.soft_budget is not None:
        yield replace(one, increase_usd=usd, increase_until=until)
    of_window = {window.duration: window for window in windows}
    for duration, limit in _windows(row.windows):
        known = of_window.get(duration)
        length = known and length_of(duration, known.start)
        yield replace(
            one,
            spent_usd=known.spend_usd if known else Decimal(0),
            limit_usd=limit,
            soft_usd=None,
            duration=duration,
            resets_at=known.start + length if known and length else None,
        )


def _increase(row: Row[Any]) -> tuple[Decimal | None, datetime | None]:
    """The temporary increase and its end: that of the key itself, else of its linked budget.

    None if it is not written as LiteLLM writes it: an amount and a time.
    """
    usd, until = row.temp_budget_increase, row.temp_budget_expiry
    if row.own_temp_budget_increase is not None:
        usd, until = _usd(row.own_temp_budget_increase), _moment(row.own_temp_budget_expiry)
    return (usd, until) if usd is not None and until is not None else (None, None)


def _usd(value: object) -> Decimal | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return Decimal(str(number)) if math.isfinite(number) and abs(number) < GREATEST_AMOUNT else None


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _windows(stored: object) -> Iterator[tuple[str, Decimal]]:
    """The durations and limits of the windows in a list of them; anything else has none."""
    for one in stored if isinstance(stored, list) else ():
        if isinstance(one, dict) and isinstance(duration := one.get("budget_duration"), str):
            limit = _usd(one.get("max_budget"))
            if limit is not None:
                yield duration, limit
