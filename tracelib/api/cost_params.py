"""The request parameters of costs."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tracelib.api.params import Chosen
from tracelib.api.problems import refused
from tracelib.costs.periods import PERIODS, fitting_period, usable_periods
from tracelib.costs.sums import DIMENSIONS
from tracelib.costs.table import SHOWN
from tracelib.window import TimeWindow

MOST_GROUPS = 500
if TYPE_CHECKING:
    Dimension = str
    PeriodName = str
else:
    Dimension = Literal[tuple(DIMENSIONS)]
    PeriodName = Literal[tuple(PERIODS)]


class CostsBy(Chosen):
    """What costs are grouped by, and in which periods. Budgets are as of now."""

    by: Dimension = Field("team", description="What requests are grouped by.")
    bucket: PeriodName | None = Field(
        None, description="A period in `zone`; default: one that suits the range."
    )
    limit: int = Field(SHOWN, ge=1, le=MOST_GROUPS, description="The number of groups.")

    def chosen_period(self, window: TimeWindow) -> str:
        """Which period is requested? Raises a Problem if it does not suit the range."""
        usable = usable_periods(window)
        if self.bucket is not None and self.bucket not in usable:
            raise refused(f"For this range, bucket must be one of {', '.join(usable)}.")
        return self.bucket or fitting_period(window).name
