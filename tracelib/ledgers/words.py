"""The ledgers in words: what differs, what each class means, and what it does not."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from tracelib import formatting
from tracelib.ledgers.booked import AHEAD
from tracelib.ledgers.cells import Sums
from tracelib.ledgers.classes import Amount, Class, without_noise
from tracelib.ledgers.comparison import Line
from tracelib.ledgers.reconciling import Ledgers
from tracelib.ledgers.totals import TABLES, Kind, RunningTotal
from tracelib.ledgers.windows import Window


class ClassWords(NamedTuple):
    """A class: its name, what its requests have in common, and what to do."""

    title: str
    meaning: str
    remedy: str


WORDS: Mapping[Class, ClassWords] = {
    "in_flight": ClassWords(
        "In flight",
        "In one of the two, and not yet in the other.",
        "Wait: LiteLLM adds up every 10 to 60 seconds. If it lasts, the gateway may have stopped.",
    ),
    "parked": ClassWords(
        "Parked",
        "In the log; LiteLLM has given up adding it to its totals after several attempts.",
        "Repair the totals as LiteLLM’s alert describes; its table of deliveries has the error.",
    ),
    "deleted_by_retention": ClassWords(
        "Before the log begins",
        "In the daily table, and from before the log’s first request: deleted from the log, or "
        "never in it.",
        "Nothing, if the retention of the log is meant; the daily table has the cost.",
    ),
    "not_kept": ClassWords(
        "Not kept in the log",
        "In the daily table, and without a row in the log, although it does not begin later.",
        "Check disable_spend_logs, disable_error_logs, and exports that replace the log.",
    ),
    "same_id_twice": ClassWords(
        "Same ID again",
        "Counted more often than there are rows. The log has one row for each request ID, so that "
        "IDs that come again leave this; so do rows that were deleted by hand.",
        "Compare with the vendor: some send an ID more than once. The daily table has the cost.",
    ),
    "first_hundred_drop": ClassWords(
        "Beyond the first hundred",
        "Only in the log, and last in the order in which some versions wrote a hundred rows and "
        "dropped the rest.",
        "Upgrade LiteLLM; the log has the cost.",
    ),
    "lost_between_writes": ClassWords(
        "Only in the log",
        "Booked in the log, and not in the daily table, though there was time enough.",
        "See whether the gateway was stopped at that time; before 1.110 it writes the two apart.",
    ),
    "changed_later": ClassWords(
        "Changed later",
        "As many requests with another cost: one of the two was changed, by hand or by a batch.",
        "See which rows were changed; the table below leads to them.",
    ),
    "counted_otherwise": ClassWords(
        "Counted otherwise",
        "LiteLLM adds up the cost and does not count the request (its own calls, attempts before a "
        "retry), or books it under another key, user or model.",
        "Nothing: the money agrees.",
    ),
    "unexplained": ClassWords(
        "Unexplained",
        "None of the other reasons explains it.",
        "Start with the largest differences below.",
    ),
}
CAPTURE_RATE = (
    "Both ledgers are LiteLLM’s own: whether a vendor billed the same is on the vendor’s bill "
    "alone. LiteLLM compares that as its spend capture rate, for OpenAI."
)
State = Literal["agrees", "reset", "less", "more", "unknown"]


def headline(found: Ledgers) -> str:
    """Do the ledgers agree? A sentence or two."""
    if found.days_by is None:
        return "The log cannot be compared with daily totals here."
    used = [day for day in found.days if day.log.requests or day.daily.requests or day.classes]
    if not used:
        return "Neither the log nor the daily totals have a request on these days."
    differing = [day for day in used if day.classes]
    agreeing = f"{len(used) - len(differing)} of {formatting.counted(len(used), 'day')}"
    if not differing:
        return f"Log and daily totals agree on {agreeing}."
    parts = "; ".join(f"{WORDS[name].title.lower()}: {amount(one)}" for name, one in sums(found))
    return f"Log and daily totals agree on {agreeing}. {_capital(parts)}."


def sums(found: Ledgers) -> list[tuple[Class, Amount]]:
    """What each class explains of all days."""
    whole: dict[Class, Amount] = {}
    for day in found.days:
        for name, one in day.classes.items():
            whole[name] = whole.get(name, Amount()).plus(one)
    return [(name, whole[name]) for name in WORDS if name in whole]


def amount(one: Amount) -> str:
    """Money and requests of the log minus the daily table, with a sign if the log has less.

    >>> from decimal import Decimal
    >>> amount(Amount(41, Decimal("3.12"))), amount(Amount(-1, Decimal("-0.5")))
    ('$3.12 in 41 requests', '-$0.50 in -1 request')
    """
    minus = "-" if one.requests < 0 else ""
    counted = f"{minus}{formatting.counted(abs(one.requests), 'request')}"
    money = formatting.money(float(one.usd))
    if not one.requests:
        return f"{money} in the same requests"
    return f"{money} in {counted}" if one.usd else counted


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def notes(found: Ledgers) -> list[str]:
    """What else must be known to read the figures, a sentence each."""
    return [
        *_about_log(found),
        *_about_deliveries(found),
        *_about_extent(found),
        *_about_scope(found),
        CAPTURE_RATE,
    ]


def _about_log(found: Ledgers) -> Iterator[str]:
    booked = found.booked
    if booked.oldest_at is None:
        yield "The log is empty: it is not kept, or all of it was deleted."
    elif booked.oldest_at.date() >= found.first:
        begins, first = formatting.clock(booked.oldest_at, "UTC"), booked.oldest_at.date()
        cut = {day.id for day in found.days if "deleted_by_retention" in day.classes}
        partly = ", and that day is only partly in it" if first.isoformat() in cut else ""
        if cut:
            yield f"The log begins at {begins} UTC{partly}: what is before it cannot be compared."
    if booked.newest_at and booked.newest_at > booked.now + AHEAD:
        yield "The newest request is in the future: a clock is wrong, and so may its day be."
    if odd := sum(one.odd_dates for one in booked.daily.values()):
        counted = formatting.counted(odd, "group of daily rows", "groups of daily rows")
        yield f"Left out {counted}, whose date is none."


def _about_deliveries(found: Ledgers) -> Iterator[str]:
    pending, parked = found.booked.pending, found.booked.parked
    if pending.deliveries and pending.oldest_at:
        age = formatting.age(pending.oldest_at, found.booked.now)
        counted = formatting.counted(pending.deliveries, "request")
        yield f"LiteLLM has yet to add up {counted} in all, the oldest from {age}."
    if parked.deliveries:
        counted = formatting.counted(parked.deliveries, "request")
        yield f"LiteLLM has parked {counted} in all; it says that its totals need repair."


def _about_extent(found: Ledgers) -> Iterator[str]:
    for kind, count in found.counts.items():
        if count > (shown := len(found.lines[kind])):
            counted = formatting.counted(count, kind)
            yield f"Of {counted}, the {shown:,} with the largest differences are listed."
    if found.unread:
        days = ", ".join(f"{day.day} {day:%b}" for day in found.unread)
        yield (
            f"Too much to read in time on {days}: requests that LiteLLM does not count may be "
            "among those that are only in the log."
        )


def _about_scope(found: Ledgers) -> Iterator[str]:
    scope = found.booked.scope
    if scope.is_all:
        return
    yield "Only what you may see is compared; the gateway’s own count and tags are of everyone."
    if found.days_by == "team":
        yield "Days and keys are compared with the daily totals of your teams."
    if found.days_by is None and scope.teams:
        yield "Daily totals cannot be limited to teams together with users or keys."


def state(one: RunningTotal) -> State:
    """How does a running total compare with the sum of all daily totals?"""
    if one.booked_usd is None:
        return "unknown"
    counted = one.spend_usd if one.total_usd is None else one.total_usd
    less = without_noise(Sums(one.booked_requests, usd=one.booked_usd), Sums(usd=counted))
    if not less:
        is_reset = without_noise(Sums(one.booked_requests, usd=counted), Sums(usd=one.spend_usd))
        return "reset" if is_reset else "agrees"
    if less < 0:
        return "more"
    return "reset" if one.total_usd is None and one.has_budget else "less"


def about_total(kind: Kind, line: Line) -> str:
    """What does the running total of this line say, next to all daily totals? One sentence."""
    one = line.running
    if one is None:
        return "No ID." if not line.id else f"No running total: {_no_row(kind)}."
    if one.booked_usd is None:
        return "All daily totals together are unknown here."
    counted = one.spend_usd if one.total_usd is None else one.total_usd
    less = formatting.money(float(abs(one.booked_usd - counted)))
    return {
        "agrees": "Agrees with all daily totals.",
        "reset": _reset(one, less),
        "less": f"{less} less than all daily totals: {_why_less(one)}.",
        "more": f"{less} more than all daily totals: {_why_more(kind)}.",
    }[state(one)]


def _reset(one: RunningTotal, less: str) -> str:
    if one.total_usd is not None:
        return "Its total agrees with all daily totals; its spend began again at a reset."
    return (
        f"{less} less than all daily totals, as its spend begins again at each reset of its budget."
    )


def _why_less(one: RunningTotal) -> str:
    if one.total_usd is not None:
        return "it began later, or missed a write"
    return "it was reset, began later, or missed a write"


def _why_more(kind: Kind) -> str:
    twice = "a request had the tag twice, " if kind == "tag" else ""
    return f"{twice}it began earlier, they missed a write, or they follow in a moment"


def about_window(window: Window) -> str:
    """What has LiteLLM counted in this budget window, and what has the log? One sentence."""
    one = window.of
    start = f"{one.start:%-d %b %H:%M} UTC{', assumed' if one.is_assumed else ''}"
    spend = formatting.money(float(one.spend_usd))
    if window.log_usd is None:
        return f"{one.duration} since {start}: {spend}; not compared with the log"
    log = formatting.money(float(window.log_usd))
    return f"{one.duration} since {start}: {spend}, in the log {log}"


def _no_row(kind: Kind) -> str:
    if kind == "key":
        return "the key was deleted, or is none that LiteLLM stores"
    return f"there is no row in {TABLES[kind][0]}"
