"""The request parameters: each by name, and nothing that is not one."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    create_model,
    model_validator,
)

from tracelib import ranges
from tracelib import window as windows
from tracelib.api.problems import refused
from tracelib.choice import LONGEST_VALUE, MOST_VALUES
from tracelib.conversation.reading import TURNS_A_PAGE
from tracelib.filters import DESCRIBED, NONE, Filters
from tracelib.sessions import SessionSearch
from tracelib.sessions.cursor import LONGEST as LONGEST_CURSOR
from tracelib.spendlogs.figures import METRICS
from tracelib.window import Bucket, TimeWindow

DEFAULT_DAYS = 7
LEDGER_DAYS = 30
MOST_SESSIONS = 500
MOST_TURNS = 200
MOST_FAILURES = 100
MOST_USD = 1e15
# PostgreSQL cannot store NUL.
TEXT = r"^[^\u0000]*$"


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("A time must be text in ISO 8601, such as 2026-11-23T09:00:00Z.")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            "A time must be in ISO 8601, such as 2026-11-23T09:00:00Z; in a URL write + as %2B."
        ) from None


def _zone(name: str) -> str:
    if name not in windows.zones():
        raise ValueError("Unknown time zone; use a name such as Europe/Paris.")
    return name


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_VALUE, pattern=TEXT)]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST_VALUES)]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
Usd = Annotated[float, Field(ge=-MOST_USD, le=MOST_USD, allow_inf_nan=False)]
START = "Start of the range, inclusive, ISO 8601; in `zone` if it has no offset."
END = "End of the range, exclusive; default: now."
NEW_SESSIONS = "new_sessions"
WITHOUT = f"`{NONE}` means requests without one; may be repeated."
if TYPE_CHECKING:
    Metric = str
else:
    Metric = Literal[(*METRICS, NEW_SESSIONS)]


class Params(BaseModel):
    """Unknown parameters are rejected: a typo must not return more data."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeRangeParams(Params):
    """A time range: the last `days`, or from `start` to `end`."""

    days: int | None = Field(
        None,
        ge=1,
        le=windows.LONGEST.days,
        description=f"The number of days up to now; {DEFAULT_DAYS} if `start` is not given either.",
    )
    start: Moment | None = Field(None, description=START)
    end: Moment | None = Field(None, description=END)

    @model_validator(mode="after")
    def _has_one_range(self) -> Self:
        _need_one_range(self.days, self.start, self.end)
        return self

    def range(self, zone: str = "UTC") -> ranges.Range | None:
        """The range relative to now; None if both ends are given."""
        if self.start is None:
            return ranges.Last(24 * (self.days or DEFAULT_DAYS))
        return None if self.end else ranges.Since(_placed(self.start, zone))

    def window(self, now: datetime, zone: str = "UTC") -> TimeWindow:
        """Which window is requested at `now`? Raises a Problem if it is not valid."""
        if self.start is None:
            return windows.recent(timedelta(days=self.days or DEFAULT_DAYS), now)
        start, end = _placed(self.start, zone), _placed(self.end or now, zone)
        if self.end is None and start >= now:
            raise refused("The start is in the future.")
        if complaint := ranges.days_complaint(start.date(), end.date()):
            raise refused(complaint)
        if start >= end:
            raise refused("The range ends before it starts.")
        return TimeWindow(start, end)


def _need_one_range(days: int | None, start: datetime | None, end: datetime | None) -> None:
    if days is not None and (start or end):
        raise ValueError("Give either days, or start with an optional end.")
    if end and not start:
        raise ValueError("end needs a start.")


def _placed(moment: datetime, zone: str) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


class LedgerDays(Params):
    """UTC days: the last `days` with today, or those from `start` to before `end`."""

    days: int | None = Field(
        None,
        ge=1,
        le=windows.LONGEST.days,
        description=f"The number of UTC days up to today; {LEDGER_DAYS} without a `start`.",
    )
    start: Moment | None = Field(None, description="Its UTC day is the first, ISO 8601.")
    end: Moment | None = Field(None, description="Exclusive: at midnight the day before is last.")

    @model_validator(mode="after")
    def _has_one_range(self) -> Self:
        _need_one_range(self.days, self.start, self.end)
        return self

    def range_of_days(self, now: datetime) -> tuple[date, date]:
        """Which UTC days are the first and the last? Raises a Problem if they are not valid."""
        today = now.astimezone(UTC).date()
        if self.start is None:
            return today - timedelta(days=(self.days or LEDGER_DAYS) - 1), today
        start, end = _placed(self.start, "UTC"), _placed(self.end or now, "UTC")
        if start > now:
            raise refused("The start is in the future.")
        if end < start:
            raise refused("The range ends before it starts.")
        first = start.astimezone(UTC).date()
        last = (max(end, start + timedelta.resolution) - timedelta.resolution).astimezone(UTC)
        if complaint := ranges.days_complaint(first, last.date()):
            raise refused(complaint)
        return first, min(last.date(), today)


class ZonedRange(TimeRangeParams):
    """A time range in a time zone."""

    zone: Zone = Field("UTC", description="The time zone of days and of times without an offset.")


OF_DIMENSIONS: Any = {
    name: (Names, Field((), description=f"{described}{WITHOUT}"))
    for name, described in DESCRIBED.items()
}

if TYPE_CHECKING:
    ByDimension = ZonedRange
else:
    ByDimension = create_model("ByDimension", __base__=ZonedRange, **OF_DIMENSIONS)


class Chosen(ByDimension):
    """The filters in the sidebar of the pages."""

    def filters(self, now: datetime) -> Filters:
        """Which filters are requested at `now`? Raises a Problem if they are not valid."""
        chosen = {name: getattr(self, name) for name in DESCRIBED}
        window = self.window(now, self.zone)
        return Filters(window, self.zone, self.range(self.zone), **chosen)


class OverTime(Chosen):
    """A figure over time."""

    metric: Metric = "requests"
    bucket: Literal["1m", "5m", "15m", "1h", "6h", "1d"] | None = Field(
        None, description="The length of a point; default: one that suits the range."
    )

    def chosen_bucket(self, window: TimeWindow) -> Bucket:
        """How long is a bucket? Raises a Problem if that does not suit the range."""
        if self.bucket is None:
            return windows.fitting_bucket(window)
        usable = {bucket.name: bucket for bucket in windows.usable_buckets(window)}
        if self.bucket not in usable:
            raise refused(f"For this range, bucket must be one of {', '.join(usable)}.")
        return usable[self.bucket]


class Changed(Chosen):
    """The change of a figure."""

    measure: Literal["cost_usd", "requests", "response_ms_avg", "error_rate"] = "cost_usd"
    markers: bool = Field(False, description="Whether changes of the installation are listed.")


class Saved(Chosen):
    """What can be saved in a range."""

    target: Name | None = Field(
        None, description="A deployment, such as openai/gpt-4o-mini, to compare its price with."
    )


class Failed(Chosen):
    """Failures in a range."""

    limit: int = Field(
        MOST_FAILURES, ge=1, le=MOST_FAILURES, description="The number of newest failures."
    )


class Search(TimeRangeParams):
    """Search conditions, order and position in the list."""

    user_id: Name | None = None
    model: Name | None = None
    min_cost: Usd | None = Field(None, description="US dollars, inclusive.")
    max_cost: Usd | None = Field(None, description="US dollars, inclusive.")
    status: Literal["any", "with_failures", "without_failures"] = "any"
    text: Name | None = Field(
        None,
        description="Part of a prompt or response, case-insensitive. Each page searches for a few "
        "seconds, newest requests first, and is sorted by itself. Needs the auditor role.",
    )
    sort: Literal["recent", "cost", "length", "errors", "duration", "tokens"] = Field(
        "recent", description="Highest first."
    )
    limit: int = Field(50, ge=1, le=MOST_SESSIONS)
    cursor: str | None = Field(
        None, max_length=LONGEST_CURSOR, description="`next_cursor` of the previous page."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        least, greatest = self.min_cost, self.max_cost
        if least is not None and greatest is not None and least > greatest:
            raise ValueError("min_cost is greater than max_cost.")
        return self

    def filters(self, now: datetime) -> Filters:
        """Which filters are requested at `now`? Raises a Problem if they are not valid."""
        return Filters(
            self.window(now),
            model=(self.model,) if self.model else (),
            user=(self.user_id,) if self.user_id else (),
            range=self.range(),
        )

    def search(self) -> SessionSearch:
        """The search, as the pages have it."""
        return SessionSearch(
            said=self.text or "",
            min_cost_usd=self.min_cost,
            max_cost_usd=self.max_cost,
            status=self.status.replace("_", " "),
            sort=self.sort,
        )


class OfSession(Params):
    """The key of the session."""

    key: Annotated[str, StringConstraints(max_length=LONGEST_VALUE, pattern=TEXT)] | None = Field(
        None, description="The hash of the key; required if several keys share the session ID."
    )


class Messages(OfSession):
    """Which part of a conversation to return, and how."""

    first: int = Field(
        1, ge=1, le=1_000_000, description="The first request to return, counted from 1."
    )
    count: int = Field(TURNS_A_PAGE, ge=1, le=MOST_TURNS, description="The number of requests.")
    redact: bool = Field(True, description="Whether private data and custom patterns are masked.")


class Nothing(Params):
    """No parameters."""
