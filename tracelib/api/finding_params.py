"""The request parameters of findings: which requests, and no time range."""

from typing import TYPE_CHECKING

from pydantic import create_model

from tracelib.api.params import OF_DIMENSIONS, Params
from tracelib.filters import DESCRIBED, Filters
from tracelib.window import TimeWindow

if TYPE_CHECKING:
    OfDimensions = Params
else:
    OfDimensions = create_model("OfDimensions", __base__=Params, **OF_DIMENSIONS)


class Findings(OfDimensions):
    """Of which requests; findings are of now, so there is no time range."""

    def filters(self, window: TimeWindow) -> Filters:
        """Which filters are requested, with a window of any length?"""
        return Filters(window, **{name: getattr(self, name) for name in DESCRIBED})
