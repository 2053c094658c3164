"""A time axis from which idle stretches are cut out, and says so where they were."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import elapsed, palette

# Cuts nearer to one another than this share of the axis are not told apart in words.
ROOM = 0.11


def tell(chart: go.Figure, turns: pd.DataFrame, cuts: pd.DataFrame) -> None:
    """Let the x axis of this figure be the time of these requests, and mark its cuts.

    Wants `drawn_ms` and `drawn_end_ms` of each. The ticks are round moments; where time was
    cut, moments at which requests began.
    """
    first = float(turns["drawn_ms"].min()) if len(turns) else 0.0
    end = float(turns["end_ms"].max()) if len(turns) else 1.0
    reach = reach_ms(turns)
    places = moments = elapsed.ticks(first, first + reach)
    if len(cuts):
        chosen = _spread_out(turns["drawn_ms"].tolist(), reach / elapsed.TICKS)
        places = turns["drawn_ms"].iloc[chosen].tolist()
        moments = turns["start_ms"].iloc[chosen].tolist()
    chart.update_xaxes(
        range=[first - 0.01 * reach, first + 1.02 * reach],
        tickvals=places,
        ticktext=elapsed.written(moments, end),
        title={"text": elapsed.unit(end), "font": {"size": 12}, "standoff": 8},
        showgrid=cuts.empty,
    )
    _cut_mark(chart, cuts.to_dict("records"), ROOM * reach)


def reach_ms(turns: pd.DataFrame) -> float:
    """How much time does the axis of these requests hold? Never none."""
    if turns.empty:
        return 1.0
    return float(turns["drawn_end_ms"].max() - turns["drawn_ms"].min()) or 1.0


def _spread_out(places: Sequence[float], distance: float) -> list[int]:
    """Which of these places, in order, are at least so far apart?"""
    chosen: list[int] = []
    for index, place in enumerate(places):
        if not chosen or place - places[chosen[-1]] >= distance:
            chosen.append(index)
    return chosen


def _cut_mark(chart: go.Figure, cuts: list[dict[Any, Any]], room_ms: float) -> None:
    """A band where time is left out, with how much it was where there is room to say so."""
    bands = [_band(cut["drawn_ms"], cut["drawn_ms"] + cut["kept_ms"]) for cut in cuts]
    told: list[float] = []
    notes = []
    for cut in sorted(cuts, key=lambda cut: -cut["length_ms"]):
        middle = cut["drawn_ms"] + cut["kept_ms"] / 2
        if all(abs(middle - other) >= room_ms for other in told):
            told.append(middle)
            notes.append(_note(middle, formatting.duration(cut["length_ms"])))
    # All at once: Plotly checks the whole figure again for each that is added.
    chart.update_layout(shapes=bands, annotations=notes)


def _band(start_ms: float, end_ms: float) -> dict[str, Any]:
    place = {"x0": start_ms, "x1": end_ms, "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
    return place | {"fillcolor": palette.OTHERS, "opacity": 0.1, "line": {"width": 0}}


def _note(place_ms: float, words: str) -> dict[str, Any]:
    place = {"x": place_ms, "y": 1, "yref": "paper", "yanchor": "top", "showarrow": False}
    return place | {"text": words, "font": {"size": 11}}
