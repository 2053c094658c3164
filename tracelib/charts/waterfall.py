"""A session's requests as bars in time, a row each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import palette, strip
from tracelib.charts.base import figure
from tracelib.charts.palette import plain, tint

# Cuts that are closer than this share of the axis are not labelled separately.
ROOM = 0.11


def set_time_axis(chart: go.Figure, turns: pd.DataFrame, cuts: pd.DataFrame) -> None:
    """Let the x axis of this figure be the time of these requests, and mark its cuts.

    Needs `drawn_ms` and `drawn_end_ms` of each. The ticks are round moments; if time was cut,
    moments at which requests began.
    """
    first = float(turns["drawn_ms"].min()) if len(turns) else 0.0
    end = float(turns["end_ms"].max()) if len(turns) else 1.0
    reach = reach_ms(turns)
    places = moments = strip.ticks(first, first + reach)
    if len(cuts):
        chosen = _spread_out(turns["drawn_ms"].tolist(), reach / strip.TICKS)
        places = turns["drawn_ms"].iloc[chosen].tolist()
        moments = turns["start_ms"].iloc[chosen].tolist()
    chart.update_xaxes(
        range=[first - 0.01 * reach, first + 1.02 * reach],
        tickvals=places,
        ticktext=strip.written(moments, end),
        title={"text": strip.unit(end), "font": {"size": 12}, "standoff": 8},
        showgrid=cuts.empty,
    )
    _cut_mark(chart, cuts.to_dict("records"), ROOM * reach)


def reach_ms(turns: pd.DataFrame) -> float:
    """The length of the axis of these requests. Never 0."""
    if turns.empty:
        return 1.0
    return float(turns["drawn_end_ms"].max() - turns["drawn_ms"].min()) or 1.0


def _spread_out(places: Sequence[float], distance: float) -> list[int]:
    """Which of these positions, in order, are at least this far apart?"""
    chosen: list[int] = []
    for index, place in enumerate(places):
        if not chosen or place - places[chosen[-1]] >= distance:
            chosen.append(index)
    return chosen


def _cut_mark(chart: go.Figure, cuts: list[dict[Any, Any]], room_ms: float) -> None:
    """A band where time is left out, labelled with its length if there is room."""
    bands = [_band(cut["drawn_ms"], cut["drawn_ms"] + cut["kept_ms"]) for cut in cuts]
    labelled: list[float] = []
    notes = []
    for cut in sorted(cuts, key=lambda cut: -cut["length_ms"]):
        middle = cut["drawn_ms"] + cut["kept_ms"] / 2
        if all(abs(middle - other) >= room_ms for other in labelled):
            labelled.append(middle)
            notes.append(_note(middle, formatting.duration(cut["length_ms"])))
    # All at once: Plotly validates the whole figure again for each that is added.
    chart.update_layout(shapes=bands, annotations=notes)


def _band(start_ms: float, end_ms: float) -> dict[str, Any]:
    place = {"x0": start_ms, "x1": end_ms, "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
    return place | {"fillcolor": palette.OTHERS, "opacity": 0.1, "line": {"width": 0}}


def _note(place_ms: float, words: str) -> dict[str, Any]:
    place = {"x": place_ms, "y": 1, "yref": "paper", "yanchor": "top", "showarrow": False}
    return place | {"text": words, "font": {"size": 11}}


ROWS_SHOWN = 40
ROW_PX, CROWDED_ROW_PX = 20, 15
CROWDED_FROM = 30
AROUND_PX = 124
BAR = 0.72  # of a row
NAMES_SHOWN = 6
# Entries of one width are in columns, two of them on a phone.
LEGEND = {"entrywidth": 100, "font": {"size": 11}, "itemclick": False, "itemdoubleclick": False}
# Bars shorter than this share of the axis get a tick mark, to be visible.
SHORT = 0.004


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a request's time: its column, its name, and how it is drawn."""

    column: str
    name: str
    opacity: float
    pattern: str = ""


PHASES = (
    Phase("litellm_ms", "LiteLLM", 0.3),
    Phase("waiting_ms", "To first token", 0.75, "/"),
    Phase("generating_ms", "Generation", 1.0),
    Phase("undivided_ms", "Response", 0.75),
)


def waterfall(
    turns: pd.DataFrame,
    cuts: pd.DataFrame,
    colours: Mapping[str, str],
    opened: str | None = None,
) -> go.Figure:
    """When did each request run, and what did it do meanwhile?

    `turns` and `cuts` are those of `timeline.drawn`; at most 40 rows are legible. A bar has the
    colour of its model, red if it failed; the row of the `opened` request is shaded. A click gives
    the request's row.
    """
    facts = _facts(turns, colours)
    traces = [*_legend(facts), *_bars(facts), *_marks(facts)]
    rows = max(len(facts), 3)
    height = AROUND_PX + rows * (ROW_PX if rows <= CROWDED_FROM else CROWDED_ROW_PX)
    chart = figure(traces, height, barmode="overlay", clickmode="event+select")
    margin = {"l": 30, "r": 6, "t": 8, "b": 48}
    names = {"rows": "Request"}  # what the rows are, for the chart as a table
    chart.update_layout(margin=margin, hovermode="closest", legend=LEGEND, meta=names)
    _number_rows(chart, facts)
    set_time_axis(chart, facts, cuts)
    for number in facts.loc[facts["row"] == opened, "number"].tolist():
        band = {"fillcolor": palette.REQUESTS, "opacity": 0.14, "line_width": 0, "layer": "below"}
        chart.add_hrect(number - 0.5, number + 0.5, **band)
    return chart


def _facts(turns: pd.DataFrame, colours: Mapping[str, str]) -> pd.DataFrame:
    """The rows with their ends on the axis, their colours, and their hover texts."""
    failed = turns["is_failure"].astype("bool")
    by_model = turns["model"].map(lambda model: colours.get(model, palette.OTHERS))
    return turns.assign(
        colour=by_model.where(~failed, palette.FAILURE),
        drawn_end_ms=turns["drawn_ms"] + turns["end_ms"] - turns["start_ms"],
        said=[hover_text(row) for row in turns.to_dict("records")],
    )


def hover_text(turn: Mapping[Any, Any]) -> str:
    """The hover text of a request. All of it is escaped."""
    lines = [
        f"<b>Request {turn['number']}</b> {plain(turn['model'], 60)}",
        f"After {formatting.duration(turn['start_ms'])}: "
        f"{formatting.duration(turn['end_ms'] - turn['start_ms'])}",
        *(
            f"{phase.name} {formatting.duration(turn[phase.column])}"
            for phase in PHASES[:3]
            if turn[phase.column]
        ),
        f"{formatting.exact(turn['prompt_tokens'])} → "
        f"{formatting.exact(turn['completion_tokens'])} tokens, "
        f"{formatting.money(turn['cost_usd'])}",
    ]
    if turn["context_share"] == turn["context_share"]:
        lines.append(f"{formatting.share(turn['context_share'])} of the model’s limit")
    if turn["is_cache_hit"]:
        lines.append("From LiteLLM’s cache")
    if turn["is_failure"]:
        reason = turn["error_class"]
        lines.append(
            f"Failed: {plain(reason if isinstance(reason, str) else 'unknown reason', 60)}"
        )
    return "<br>".join(lines)


def _bars(facts: pd.DataFrame) -> list[go.Bar]:
    """A trace per phase, each behind the phases before it."""
    bases = facts["drawn_ms"]
    traces = []
    for phase in PHASES:
        there = facts[phase.column] > 0
        shown = facts[there]
        traces.append(
            go.Bar(
                x=shown[phase.column],
                y=shown["number"],
                base=bases[there],
                width=BAR,
                orientation="h",
                marker=_marker(phase, list(shown["colour"])),
                # Plotly fades everything that was not clicked; here a click opens something else.
                unselected={"marker": {"opacity": phase.opacity}},
                showlegend=False,
                **_responding(shown),
            )
        )
        bases = bases + facts[phase.column]
    return [trace for trace in traces if len(trace.y)]


def _marker(phase: Phase, colour: Any) -> dict[str, Any]:
    pattern = {"shape": phase.pattern, "size": 5, "solidity": 0.4, "fillmode": "replace"}
    marker = {"color": colour, "opacity": phase.opacity, "line": {"width": 0}}
    return marker | ({"pattern": pattern} if phase.pattern else {})


def _responding(shown: pd.DataFrame) -> dict[str, Any]:
    """The hover of a trace, and which request a click on it means."""
    return {
        "hovertext": list(shown["said"]),
        "hovertemplate": "%{hovertext}<extra></extra>",
        "customdata": list(shown["row"]),
    }


def _marks(facts: pd.DataFrame) -> list[go.Scatter]:
    """Failures, cache hits, and a tick where a bar is too short to see."""
    failed, hit = facts["is_failure"].astype("bool"), facts["is_cache_hit"].astype("bool")
    lengths = facts["drawn_end_ms"] - facts["drawn_ms"]
    is_short = lengths < SHORT * reach_ms(facts)
    marks = (
        (facts[is_short], "", {"symbol": "line-ns", "size": 10, "line": {"width": 2}}),
        (facts[failed], "Failed", {"symbol": "x", "size": 9, "color": palette.FAILURE}),
        (facts[hit], "From cache", _hit_marker()),
    )
    return [_mark(shown, name, marker) for shown, name, marker in marks if len(shown)]


def _hit_marker() -> dict[str, Any]:
    outline = {"width": 1.5, "color": palette.FROM_CACHE}
    return {"symbol": "diamond", "size": 9, "color": "rgba(0,0,0,0)", "line": outline}


def _mark(shown: pd.DataFrame, name: str, marker: dict[str, Any]) -> go.Scatter:
    if not name:
        marker = marker | {"line": {"width": 2, "color": list(shown["colour"])}}
    return go.Scatter(
        x=shown["drawn_end_ms" if name else "drawn_ms"],
        y=shown["number"],
        name=name,
        mode="markers",
        marker=marker,
        unselected={"marker": {"opacity": 1}},
        showlegend=bool(name),
        cliponaxis=False,
        **_responding(shown),
    )


def _legend(facts: pd.DataFrame) -> list[Any]:
    """The meaning of colours and shades: traces that draw nothing except their entries."""
    models = facts.loc[~facts["is_failure"].astype("bool"), ["model", "colour"]].drop_duplicates()
    entries = [
        (plain(model, 18), {"color": colour, "line": {"width": 0}})
        for model, colour in models.head(NAMES_SHOWN).itertuples(index=False)
    ]
    if len(models) > NAMES_SHOWN:
        entries.append((f"{len(models) - NAMES_SHOWN} more models", {"color": palette.OTHERS}))
    entries += [
        # A legend ignores opacity, but not that of a colour.
        (phase.name, _marker(phase, tint(palette.OTHERS, phase.opacity)) | {"opacity": 1})
        for phase in PHASES
        if (facts[phase.column] > 0).any()
    ]
    return [
        go.Bar(x=[None], y=[None], name=name, marker=marker, hoverinfo="skip")
        for name, marker in entries
    ]


def _number_rows(chart: go.Figure, facts: pd.DataFrame) -> None:
    numbers = list(facts["number"]) or [1]
    step = 1 if len(numbers) <= CROWDED_FROM else 5
    shown = [one for one in numbers if step == 1 or one % step == 0 or one == numbers[0]]
    last = max(numbers[-1], numbers[0] + 2)
    chart.update_yaxes(
        # Above the first row is room for the labels of the cuts.
        range=[last + 0.6, numbers[0] - 1.6],
        tickvals=shown,
        ticktext=[str(one) for one in shown],
        showgrid=False,
        nticks=None,
    )
