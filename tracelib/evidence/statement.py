"""The completeness of the log in a range, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tracelib.evidence.counts import Evidence
from tracelib.formatting import counted, exact
from tracelib.spendlogs.extent import BY_DAY, GATEWAY

# LiteLLM writes a row up to this long after a request has ended.
WRITTEN_WITHIN = timedelta(minutes=2)
AHEAD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Statement:
    """What is complete, in one sentence, and what is not, in a sentence each.

    `is_complete` says that nothing of the range is known to be missing from the log.
    """

    complete: str
    missing: tuple[str, ...]
    not_stored: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        return not self.missing

    def sentences(self) -> tuple[str, ...]:
        """All of it, in order."""
        return (self.complete, *self.missing, *self.not_stored, *self.unknown)


def statement_of(found: Evidence) -> Statement:
    """What is complete of this range, and what is not? Never more than the database can show."""
    return Statement(
        _complete(found),
        tuple(_missing(found)),
        tuple(_not_stored(found)),
        tuple(_unknown(found)),
    )


def _complete(found: Evidence) -> str:
    requests, window = found.total("requests") or 0, found.window
    start = max(window.start, found.oldest or window.start)
    end = min(window.end, found.server_time)
    if not requests or start >= end:
        return f"The log holds no request from {_clock(window.start)} to {_clock(window.end)}."
    of = "request" if found.sees_all else "request in your scope and filters"
    lacks_some = found.refused or found.unlogged
    return (
        f"{'Not complete' if lacks_some else 'Complete'} from {_clock(start)} to {_clock(end)}, "
        f"as far as {'other counts show' if lacks_some else 'the log shows'}: "
        f"{counted(requests, of, of.replace('request', 'requests', 1))}, each with what LiteLLM "
        "logs of its key, times, model, tokens and cost."
    )


def _missing(found: Evidence) -> Iterator[str]:
    window, oldest = found.window, found.oldest
    if oldest and oldest > window.start:
        yield (
            f"Nothing before {_clock(oldest)}: LiteLLM has deleted older rows, or there were none."
        )
    if window.end > found.server_time - WRITTEN_WITHIN:
        yield (
            "The end of the range is now: requests that are running, and those of the last two "
            "minutes, may still be missing."
        )
    if found.refused:
        yield (
            f"At least {counted(found.refused, 'request')} reached the gateway and "
            f"{_is(found.refused)} not in the log: refused before logging, or not kept."
        )
    if found.unlogged:
        yield (
            f"At least {counted(found.unlogged, 'request')} {_is(found.unlogged)} in LiteLLM’s "
            "daily totals and not in the log: deleted, not kept, or with an ID that was in it. "
            "Ledgers compares the two."
        )
    if found.newest and found.newest > found.server_time + AHEAD:
        yield (
            f"The newest request starts at {_clock(found.newest)}, later than the server’s clock: "
            "times of some rows are wrong."
        )


def _not_stored(found: Evidence) -> Iterator[str]:
    requests = found.total("requests") or 0
    if not requests:
        return
    for name, what in (("with_prompt", "Prompts"), ("with_response", "Responses")):
        stored = found.total(name)
        if stored is not None and stored < requests:
            yield f"{what} are stored for {exact(stored)} of {counted(requests, 'request')}."
    marks = found.marks
    of = f"of the newest {counted(marks.read, 'request')}"
    for count, what in (
        (marks.truncated, "has stored text that LiteLLM cut"),
        (marks.redacted, "has text that LiteLLM replaced by a mark"),
        (marks.in_cold_storage, "has its messages in object storage, not in the log"),
    ):
        if count:
            yield f"{exact(count)} {of} {_plural(what, count)}."
    if found.unresolved_rows:
        keys = counted(found.unresolved_keys or 0, "key")
        rows = counted(found.unresolved_rows, "request")
        yield f"{rows} by {keys} whose owner is unknown: {_it(found)} in no table of keys."
    if without := found.total("without_key"):
        yield f"{counted(without, 'request')} without a key: unauthenticated."


def _plural(what: str, count: int) -> str:
    return what if count == 1 else what.replace("has ", "have ", 1).replace("its ", "their ", 1)


def _it(found: Evidence) -> str:
    return "it is" if found.unresolved_keys == 1 else "they are"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _unknown(found: Evidence) -> Iterator[str]:
    if not found.knows_bodies:
        yield "Unknown: which messages are stored. They may not be read here."
    if found.unresolved_rows is None:
        yield "Unknown: owners of keys. The role may not read LiteLLM_VerificationToken."
    if not found.sees_all:
        yield (
            "Unknown: requests refused before logging. The gateway’s own count is not kept by "
            "team, user or model."
        )
        yield "Unknown: requests in daily totals that the log lacks. Ledgers compares your own."
        return
    for is_known, what, table in (
        (found.knows_gateway, "requests refused before logging", GATEWAY),
        (found.knows_daily, "requests in daily totals that the log lacks", BY_DAY),
    ):
        if not is_known:
            yield f"Unknown: {what}. The table {table} is missing or not granted."
    yield from _of_other_days(found)


def _of_other_days(found: Evidence) -> Iterator[str]:
    """On which days can the log not be compared with another count of its requests?"""
    if found.days_in_part and (found.knows_gateway or found.knows_daily):
        days = counted(found.days_in_part, "day")
        yield (
            f"Unknown: requests that the log lacks on {days}. Only UTC days that are over and "
            "wholly in the range can be compared with other counts."
        )
    if found.knows_gateway and (uncounted := found.days_without("gateway_requests")):
        days = counted(uncounted, "day")
        yield f"Unknown: requests refused before logging on {days} without a count of the gateway."


def _clock(moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"
