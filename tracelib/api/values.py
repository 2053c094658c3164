"""Values that several responses consist of."""

from typing import Any

import pandas as pd

from tracelib.api import responses
from tracelib.window import TimeWindow


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as plain values: None for unknown."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def window(chosen: TimeWindow) -> responses.Window:
    """A window as in a response."""
    return responses.Window(start=chosen.start, end=chosen.end)


def seconds(milliseconds: float | None) -> float | None:
    """A duration as in a response; None stays None."""
    return None if milliseconds is None else milliseconds / 1_000
