"""The response models of costs. Money is in US dollars."""

from datetime import date, datetime

from pydantic import Field

from tracelib.api.responses import SHARE, ResponseModel, Window
from tracelib.costs.budgets import State
from tracelib.costs.kinds import Kind

AS_OF_NOW = "null if it cannot be known."


class MonthEstimate(ResponseModel):
    """What the current month will cost, from what the same days of the week have cost."""

    month: date = Field(description="Its first day, in the zone of the request.")
    so_far_usd: float
    expected_usd: float | None = Field(description="null if the history is too short.")
    low_usd: float | None
    high_usd: float | None
    history_days: int
    reason: str | None = Field(description="Why there is no estimate.")


class CostOfPeriod(ResponseModel):
    """What a group cost in one period."""

    cost_usd: float
    requests: int
    total_tokens: int = Field(description="Excludes tokens served from LiteLLM’s cache.")


class GroupCost(ResponseModel):
    """What a group cost in the window, in each of its periods, and in the window before."""

    id: str | None = Field(description="null for requests without one, and for several groups.")
    name: str | None
    cost_usd: float
    share: float | None = Field(description=SHARE)
    earlier_cost_usd: float
    requests: int
    total_tokens: int
    periods: list[CostOfPeriod] = Field(description="One for each of `periods`.")
    month: MonthEstimate | None = Field(description="null for several groups together.")


class Budget(ResponseModel):
    """A budget as of now, by LiteLLM’s own totals."""

    kind: Kind
    id: str
    name: str
    team_id: str | None
    user_id: str | None
    state: State = Field(
        description="`spent`: used up; `runs_out`: before it resets, at the pace of the last seven "
        "days; `over_soft`: above its soft limit; `lasts`."
    )
    limit_usd: float | None = Field(description="With a temporary increase.")
    soft_limit_usd: float | None
    increase_usd: float | None
    increase_until: datetime | None
    spent_usd: float
    share: float | None = Field(description=SHARE)
    pace_usd_a_day: float | None
    last_24_hours_usd: float | None
    runs_out_at: datetime | None = Field(description="null if not before it resets.")
    soonest_at: datetime | None = Field(
        description="When it runs out if every day is like the last 24 hours."
    )
    duration: str | None
    resets_at: datetime | None


class Costs(ResponseModel):
    """The cost table, the estimate of the month, and the budgets.

    Groups have the highest cost first. All of them and `others` add up to `total`, except tags: a
    request counts once for each of its tags.
    """

    window: Window
    previous_window: Window
    by: str
    bucket: str
    periods: list[Window] = Field(description="The part of each that is in the window.")
    total: GroupCost
    groups: list[GroupCost]
    others: GroupCost | None = Field(description="All other groups together.")
    other_groups: int
    last_month_usd: float | None = Field(description="null if the log begins within it.")
    sentence: str
    budgets: list[Budget] = Field(description="Those that run out first are in front.")
    budgets_not_listed: int
    unknown: list[str] = Field(description="What of budgets cannot be read here.")
