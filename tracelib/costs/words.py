"""Budgets in words: what runs out first, and what each state means."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tracelib import formatting
from tracelib.costs.budgets import Budget, Budgets, State
from tracelib.costs.kinds import KINDS

STATES: Mapping[State, str] = {
    "spent": "Used up",
    "runs_out": "Runs out",
    "over_soft": "Over soft limit",
    "lasts": "Lasts",
}
SOON = timedelta(days=7)


def headline(known: Budgets, now: datetime, zone: str) -> str:
    """Which budgets are used up, or run out first? A sentence or two; empty without budgets."""
    if not known.rows:
        return ""
    used_up = [one for one in known.rows if one.state == "spent"]
    running_out = [one for one in known.rows if one.state == "runs_out"]
    parts = []
    if used_up:
        counted = formatting.counted(len(used_up), "budget is", "budgets are")
        parts.append(f"{counted} used up: {owner(used_up[0])}{_others(used_up)}.")
    if running_out:
        counted = formatting.counted(len(running_out), "budget runs out", "budgets run out")
        at = day(running_out[0].runs_out_at, now, zone)
        first = "" if len(running_out) == 1 else "the first is "
        parts.append(f"{counted} before the reset: {first}{owner(running_out[0])}, {at}.")
    if not parts:
        parts.append(f"{_all(known.rows)} at the pace of the last seven days.")
    return " ".join(parts)


def _all(rows: Sequence[Budget]) -> str:
    return "The budget lasts" if len(rows) == 1 else f"All {len(rows):,} budgets last"


def _others(rows: Sequence[Budget]) -> str:
    return f" and {formatting.counted(len(rows) - 1, 'other')}" if len(rows) > 1 else ""


def owner(one: Budget) -> str:
    """Whose budget is it? Such as: key repo-gardener."""
    return f"{KINDS[one.limit.kind].title.lower()} {one.limit.name}"


def day(moment: datetime | None, now: datetime, zone: str) -> str:
    """The day of a moment to come, with its time if that is near.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> [day(now + timedelta(hours=hours), now, "UTC") for hours in (3, 30, 300)]
    ['today at 15:00', 'on Tue 24 Nov at 18:00', 'on 6 Dec']
    """
    if moment is None:
        return formatting.UNKNOWN
    local, today = (one.astimezone(ZoneInfo(zone)) for one in (moment, now))
    if local.date() == today.date():
        return f"today at {local:%H:%M}"
    if moment - now < SOON:
        return f"on {local:%a} {local.day} {local:%b} at {local:%H:%M}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"on {local.day} {local:%b}{year}"


def note(one: Budget, zone: str) -> str:
    """What else is to be known of a budget: an increase that ends, a quicker pace."""
    limit = one.limit
    parts = []
    if limit.increase_usd and limit.increase_until and one.limit_usd != limit.limit_usd:
        until = limit.increase_until.astimezone(ZoneInfo(zone))
        raised = formatting.money(float(limit.increase_usd))
        parts.append(f"Includes {raised} up to {until.day} {until:%b %H:%M}.")
    is_sooner = one.soonest_at and (one.runs_out_at is None or one.soonest_at < one.runs_out_at)
    if is_sooner and one.soonest_at:
        soon = one.soonest_at.astimezone(ZoneInfo(zone))
        parts.append(f"At the pace of the last 24 hours {soon.day} {soon:%b %H:%M}.")
    return " ".join(parts)
