"""Budgets that are used up, or run out soon and before they reset."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tracelib import formatting
from tracelib.choice import Choice
from tracelib.costs import Budget, budgets
from tracelib.costs.words import owner
from tracelib.filters import Filters
from tracelib.findings.finding import Evidence, Finding, Found, finding_id
from tracelib.ledgers.windows import Run
from tracelib.ranges import DEFAULT

NAME = "budgets"
SOON = timedelta(days=14)
A_DAY = timedelta(days=1)
REMEDY = "Raise the budget, or limit what is sent; at the limit LiteLLM refuses requests."
PART = (("part", "costs"),)
OF_DIMENSIONS = ("key", "team", "user")


def of_budgets(run: Run, filters: Filters, now: datetime) -> Found:
    """Which budgets are used up, or run out within 14 days and before their reset?

    Its size is what would be spent beyond the limit until the reset, of at most 14 days.
    """
    known = budgets(run, filters, now)
    found = [one for one in known.rows if one.state == "spent" or _is_soon(one, now)]
    tested = formatting.counted(len(known.rows), "budget")
    return Found(tuple(_findings(found, now)), (tested,), known.unknown)


def _is_soon(one: Budget, now: datetime) -> bool:
    return one.state == "runs_out" and one.runs_out_at is not None and one.runs_out_at < now + SOON


def _findings(found: list[Budget], now: datetime) -> Iterator[Finding]:
    for one in found:
        limit = one.limit
        spent, whole = (_money(usd) for usd in (limit.spent_usd, one.limit_usd))
        resets = _in_days(limit.resets_at, now)
        is_spent = one.state == "spent"
        when = "is used up" if is_spent else f"runs out {_in_days(one.runs_out_at, now)}"
        pace = "" if one.pace_usd is None else f", {_money(one.pace_usd)} a day"
        chosen: Any = {limit.kind: (limit.id,)} if limit.kind in OF_DIMENSIONS else {}
        yield Finding(
            id=finding_id(NAME, limit.kind, limit.id, limit.team_id or "", limit.duration or ""),
            source=NAME,
            about=(limit.kind, limit.id),
            headline=f"The budget of {owner(one)} {when}",
            cause=f"{spent} of {whole} spent{pace}; it resets {resets}.",
            remedy=REMEDY,
            usd=_beyond(one, now),
            people=1 if is_spent else 0,
            evidence=Evidence("Overview", Choice(range=DEFAULT, **chosen), PART),
            private_name=limit.name if limit.kind in ("user", "member", "end_user") else "",
        )


def _in_days(moment: datetime | None, now: datetime) -> str:
    """When that is, for readers in any zone; an estimate of a pace is no more exact than a day."""
    if moment is None:
        return "never"
    days = round((moment - now) / A_DAY)
    return f"in about {formatting.counted(days, 'day')}" if days else "within a day"


def _beyond(one: Budget, now: datetime) -> float | None:
    if one.pace_usd is None:
        return None
    start = one.runs_out_at or now
    end = min(one.limit.resets_at or now + SOON, now + SOON)
    return float(one.pace_usd) * max((end - start) / A_DAY, 0.0)


def _money(usd: Decimal | None) -> str:
    return formatting.money(None if usd is None else float(usd))
