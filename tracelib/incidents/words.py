"""Incidents in words: what a person reads first, and copies into a channel."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tracelib import formatting
from tracelib.incidents.budget import Burn
from tracelib.incidents.detecting import LEAST_BEFORE
from tracelib.incidents.finding import LEAST_HISTORY
from tracelib.incidents.values import Entity, Hit, Incident, Incidents

NO_REQUESTS = "No requests in this time range or before it, so nothing can be compared."
TOO_FEW = (
    "Only {requests} in this time range and before it: too few to know what is usual. Incidents "
    f"are found from {LEAST_BEFORE} requests and a day of history on."
)
TOO_SHORT = (
    "The first request here is from {first}: too short a history to know what is usual. Incidents "
    f"are found from {LEAST_BEFORE} requests and a day of history on."
)
DAY_MS = 86_400_000
NOTHING = "Nothing failed more than usual in this time range."


def name_of(entity: Entity) -> str:
    """What is this called?

    >>> name_of(Entity("deployment", "azure", "gpt-4o")), name_of(Entity())
    ('gpt-4o of azure', 'All traffic')
    >>> name_of(Entity("deployment", "openai", "openai/gpt-4o"))
    'openai/gpt-4o'
    """
    if entity.level == "all":
        return "All traffic"
    if entity.level == "provider":
        return str(entity.provider)
    is_within = entity.provider is None or str(entity.deployment).startswith(f"{entity.provider}/")
    return str(entity.deployment) if is_within else f"{entity.deployment} of {entity.provider}"


def at(moment: datetime, zone: str) -> str:
    """
    >>> from datetime import UTC
    >>> at(datetime(2026, 11, 23, 12, 5, tzinfo=UTC), "Europe/Paris")
    '23 Nov 13:05'
    """
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %H:%M}"


def headline(found: Incidents, zone: str) -> str:
    """What matters most: what is ongoing, else what was last, else why there is nothing."""
    ongoing = [one for one in found.incidents if one.is_ongoing]
    if ongoing:
        more = len(found.incidents) - 1 + found.more
        others = f" {formatting.counted(more, 'more incident')} in this time range." if more else ""
        return f"{sentence(ongoing[0], zone)}{others}"
    if found.incidents:
        some = formatting.counted(len(found.incidents) + found.more, "incident")
        last = found.incidents[0]
        ended = f"{name_of(last.entity)}, until {at(last.last_at, zone)}"
        return f"No incident is ongoing. {some} in this time range, the last one of {ended}."
    return _nothing(found, zone)


def _nothing(found: Incidents, zone: str) -> str:
    if not found.requests or found.first_at is None:
        return NO_REQUESTS
    if found.requests < LEAST_BEFORE:
        return TOO_FEW.format(requests=formatting.counted(found.requests, "request"))
    if found.until - found.first_at < LEAST_HISTORY:
        return TOO_SHORT.format(first=at(found.first_at, zone))
    return NOTHING


def sentence(one: Incident, zone: str) -> str:
    """What fails, how much, and since when."""
    how = "failed or needed retries" if one.hidden else "failed"
    of = f"{formatting.exact(one.faults)} of {formatting.exact(one.requests)} requests {how}"
    compared = f"{formatting.share(one.rate)}, usually {formatting.share(one.usual)}"
    return f"{name_of(one.entity)}: {of} ({compared}) {when(one, zone)}."


def when(one: Incident, zone: str) -> str:
    """Since when, and until when or ongoing."""
    if one.is_ongoing:
        return f"since {at(one.since, zone)}, ongoing"
    return f"from {at(one.since, zone)} to {at(one.last_at, zone)}"


def hit(one: Incident) -> str:
    """How many teams, users and keys have faults?"""
    return ", ".join(
        formatting.counted(count, kind)
        for kind, count in (
            ("team", one.team_count),
            ("user", one.user_count),
            ("key", one.key_count),
            ("session", one.session_count),
        )
    )


def names(hits: Sequence[Hit], of: int) -> str:
    """Those with the most faults, by name, with their faults.

    >>> names([Hit("1", "Payments", 3, 1), Hit(None, None, 2, 0)], 3)
    'Payments (4), none (2), 2 more'
    """
    shown = [f"{one.name or one.id or 'none'} ({one.failures + one.hidden})" for one in hits]
    more = of - sum(one.id is not None for one in hits)
    return ", ".join([*shown, *([f"{more} more"] if more > 0 else [])]) or "none"


def summary(one: Incident, zone: str, link: str) -> str:
    """The incident in a few lines, to be copied; times in this zone."""
    return "\n".join(_lines(one, zone, link))


def _lines(one: Incident, zone: str, link: str) -> Iterator[str]:
    yield f"{'Ongoing' if one.is_ongoing else 'Over'}: {sentence(one, zone)}"
    if one.hidden is not None:
        failed, saved = formatting.exact(one.failures), formatting.exact(one.hidden)
        yield f"Failed: {failed}. Served after retries or fallbacks: {saved}."
    if one.parts:
        yield f"Within: {', '.join(map(name_of, one.parts))}"
    yield f"Hit: {hit(one)}"
    for kind, hits, count in (
        ("Teams", one.teams, one.team_count),
        ("Keys", one.keys, one.key_count),
    ):
        yield f"{kind}: {names(hits, count)}"
    for error in one.signatures[:3]:
        new = ", new" if error.is_new else ""
        words = formatting.shortened(error.text or "no message", 160)
        code = f" {error.error_code}" if error.error_code else ""
        yield f"{error.failures} × {error.error_class or 'unknown error'}{code}{new}: {words}"
    yield f"Times: {zone}"
    yield link


def burning(found: Sequence[Burn], budget: float) -> str:
    """How fast is the budget used up, over each of these hours?"""
    rates = ", ".join(f"{_rate(one.rate)} over {one.hours} h" for one in found)
    worst = next((one for one in found if one.is_fast), found[-1])
    return f"Error budget of {formatting.share(budget)}: burn rate {rates}.{_outlook(worst)}"


def _outlook(one: Burn) -> str:
    days = one.lasts_days
    if one.rate is None:
        return ""
    if one.rate <= 1 or days is None:
        return " Within the budget."
    how = "Fast: like" if one.is_fast else "Like"
    return f" {how} this it lasts {formatting.duration(days * DAY_MS)} instead of 30 days."


def _rate(rate: float | None) -> str:
    return formatting.UNKNOWN if rate is None else f"{rate:.1f}"
