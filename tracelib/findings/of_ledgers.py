"""What the ledgers show that needs attention: money that one of them has and the other has not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tracelib import formatting, ledgers
from tracelib.choice import Choice
from tracelib.filters import Filters
from tracelib.findings.finding import Evidence, Finding, Found, finding_id
from tracelib.ledgers import Amount, Class, Ledgers, words
from tracelib.ledgers.windows import Run
from tracelib.ranges import Between

NAME = "ledgers"
DAYS = timedelta(days=7)
# The other classes are explained, or pass by themselves.
CLASSES: tuple[Class, ...] = ("lost_between_writes", "parked", "unexplained")
LEAST_USD, LEAST_SHARE = Decimal("0.10"), Decimal("0.001")
NOT_COMPARED = "The log cannot be compared with LiteLLM’s daily totals here."
NONE_BOOKED = "LiteLLM’s daily totals of the last 7 days are empty: ledgers are not compared."
OF_EVERYONE = "Ledgers are of everyone; with filters they are not compared."
PART = {"part": "ledgers"}


def of_ledgers(run: Run, filters: Filters, now: datetime) -> Found:
    """Which differences between the log and LiteLLM's daily totals are lost, or unexplained?

    Of the last 7 UTC days, one finding per class, from 10 cents and a thousandth of all cost on;
    what LiteLLM itself says it has parked, in any case.
    """
    if filters.chosen():
        return Found(notes=(OF_EVERYONE,))
    last = now.astimezone(UTC).date()
    found = ledgers.ledgers(run, last - DAYS, last, now)
    if found.days_by is None:
        return Found(notes=(NOT_COMPARED,))
    if not any(day.daily.requests for day in found.days):
        return Found(notes=(NONE_BOOKED,))
    tested = f"the ledgers of {formatting.counted(len(found.days), 'day')}"
    return Found(tuple(_findings(found)), (tested,))


def _findings(found: Ledgers) -> Iterator[Finding]:
    whole = sum((abs(day.log.usd) for day in found.days), Decimal(0))
    for name, amount in words.sums(found):
        is_large = abs(amount.usd) >= max(LEAST_USD, LEAST_SHARE * whole)
        if name in CLASSES and (is_large or name == "parked"):
            yield _finding(found, name, amount)


def _finding(found: Ledgers, name: Class, amount: Amount) -> Finding:
    days = [day.id for day in found.days if name in day.classes]
    first, last = (datetime.fromisoformat(day).date() for day in (days[0], days[-1]))
    known = words.WORDS[name]
    return Finding(
        id=finding_id(NAME, name),
        source=NAME,
        about=("ledgers", name),
        headline=f"Ledgers: {_counted(amount)} {_where(name, amount)}",
        cause=known.meaning,
        remedy=known.remedy,
        usd=float(abs(amount.usd)),
        requests=abs(amount.requests),
        since=datetime.fromisoformat(days[0]).replace(tzinfo=UTC),
        evidence=Evidence(
            "Status", Choice(range=Between.days(first, last), zone="UTC"), tuple(PART.items())
        ),
    )


def _counted(amount: Amount) -> str:
    if not amount.requests:
        return "cost of the same requests"
    return formatting.counted(abs(amount.requests), "request")


def _where(name: Class, amount: Amount) -> str:
    if name == "parked":
        return "in the log and given up for LiteLLM’s totals"
    is_more = (amount.usd or amount.requests) > 0
    where = (
        "in the log, not in the daily totals" if is_more else "in the daily totals, not in the log"
    )
    return f"{where}, unexplained" if name == "unexplained" else where
