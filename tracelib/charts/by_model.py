"""Charts that compare models: response times, tokens, and both over time."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import base, palette
from tracelib.charts.base import COUNT_TICKS, HEIGHT, TimeAxis, figure, line
from tracelib.charts.palette import plain, tint, within
from tracelib.window import bucket_starts

MODELS_SHOWN = 10
# The legend may shorten names; the hover has them in full.
SECONDS = "%{y:.3~s}s<extra>%{meta[0]}</extra>"
FAILED = "%{y:,.0f}<extra>%{meta[0]}</extra>"
WRITTEN = "%{customdata}<extra>%{fullData.name}</extra>"
LOGARITHMIC_FROM = 10
FEWEST_ROWS, ROW_PX, FRAME_PX = 3, 26, 64
# Entries of one width are in columns, two of them on a phone.
LEGEND = {"entrywidth": 92, "font": {"size": 11}}
MARGIN = {"l": 40}
LEGIBLE = 17  # characters of a name in such a column
OTHERS = "others"


def response_times(usage: pd.DataFrame) -> go.Figure:
    """How long do a model's responses take? A bar from p50 to p95; average and maximum as marks.

    Seconds; logarithmic if the slowest response took ten times the p95. A row per model, so that
    names are legible on a small screen too.
    """
    known = usage[usage["response_ms_avg"].notna()].head(MODELS_SHOWN)
    seconds = known.filter(like="response_ms_").astype("float64") / 1_000
    traces = [
        _span(seconds),
        _marks(seconds, "response_ms_avg", "Average", {"symbol": "diamond", "size": 9}),
        _marks(seconds, "response_ms_max", "Maximum", {"symbol": "line-ns", "size": 14}),
    ]
    chart = _rows_of_models(traces, list(known["model"]))
    chart.update_layout(bargap=0.5)
    slowest, most = seconds["response_ms_max"], seconds["response_ms_p95"]
    if (slowest >= LOGARITHMIC_FROM * most).any():
        _logarithmic(chart, seconds)
    else:
        chart.update_xaxes(ticksuffix=" s", type="linear", rangemode="tozero")
    return chart


def _rows_of_models(traces: list[Any], models: list[str]) -> go.Figure:
    """A figure with a row for each model, the first on top.

    Rows are numbers, not names: two long names may shorten to the same.
    """
    count = max(len(models), FEWEST_ROWS)
    chart = figure(traces, FRAME_PX + ROW_PX * count, hovermode="y unified")
    chart.update_layout(margin={"l": 8})
    chart.update_xaxes(nticks=COUNT_TICKS, showgrid=True)
    chart.update_yaxes(
        range=[count - 0.5, -0.5],
        tickvals=list(range(len(models))),
        ticktext=[within(model, 22) for model in models],
        automargin=True,
        showgrid=False,
        nticks=None,
    )
    return chart


def _span(seconds: pd.DataFrame) -> go.Bar:
    least, most = seconds["response_ms_p50"], seconds["response_ms_p95"]
    # A logarithmic axis has no 0.
    foot = least.clip(lower=0.001)
    return go.Bar(
        x=(most - foot).clip(lower=0),
        y=list(range(len(seconds))),
        base=foot,
        orientation="h",
        name="p50 to p95",
        # The edge is visible if both are the same.
        marker={
            "color": tint(palette.TYPICAL, 0.55),
            "line": {"width": 1.5, "color": palette.TYPICAL},
        },
        customdata=[
            f"{formatting.duration(low * 1_000)} to {formatting.duration(high * 1_000)}"
            for low, high in zip(least, most, strict=True)
        ],
        hovertemplate=WRITTEN,
    )


def _marks(seconds: pd.DataFrame, column: str, name: str, marker: Mapping[str, Any]) -> go.Scatter:
    return go.Scatter(
        x=seconds[column],
        y=list(range(len(seconds))),
        name=name,
        mode="markers",
        marker={"color": palette.SLOW, "line": {"width": 2, "color": palette.SLOW}, **marker},
        customdata=[formatting.duration(value * 1_000) for value in seconds[column]],
        hovertemplate=WRITTEN,
    )


def _logarithmic(chart: go.Figure, seconds: pd.DataFrame) -> None:
    """Ticks at round values of each power of ten; the more powers, the fewer each."""
    known = seconds[["response_ms_p50", "response_ms_max"]].clip(lower=0.001)
    low, high = math.log10(known.min().min()), math.log10(known.max().max())
    digits = (1,) if high - low > 2 else (1, 3) if high - low > 1 else (1, 2, 5)
    powers = range(math.floor(low), math.ceil(high) + 1)
    places = [digit * 10.0**power for power in powers for digit in digits]
    chart.update_xaxes(
        type="log",
        range=[low - 0.1, high + 0.1],
        tickvals=places,
        ticktext=[_tick(place) for place in places],
    )


def _tick(seconds: float) -> str:
    """
    >>> _tick(0.05), _tick(2.0), _tick(500.0)
    ('50 ms', '2 s', '500 s')
    """
    return f"{seconds * 1_000:g} ms" if seconds < 1 else f"{seconds:g} s"


def tokens(usage: pd.DataFrame) -> go.Figure:
    """How many prompt and completion tokens did each model have? The most first.

    Completions are a tenth or a hundredth of prompts, so they have a panel and a scale of their
    own.
    """
    top = usage.sort_values(["total_tokens", "model"], ascending=[False, True]).head(MODELS_SHOWN)
    series = (
        ("prompt_tokens", "Prompt", palette.TOKENS_IN, "x"),
        ("completion_tokens", "Completion", palette.TOKENS_OUT, "x2"),
    )
    traces = [
        go.Bar(
            x=top[column].astype("float64"),
            y=list(range(len(top))),
            orientation="h",
            name=name,
            marker={"color": colour},
            xaxis=panel,
            customdata=[formatting.exact(tokens) for tokens in top[column]],
            hovertemplate=WRITTEN,
        )
        for column, name, colour, panel in series
    ]
    chart = _rows_of_models(traces, list(top["model"]))
    # Grouped, each would leave room for the other, which is in another panel.
    chart.update_layout(barmode="overlay", bargap=0.35, hoversubplots="axis")
    titles = ("Prompt", "Completion")
    base.side_panel(chart, titles, top["completion_tokens"].max())
    base.count_whole(chart, top["prompt_tokens"].max(), "xaxis")
    return chart


def over_time(
    frame: pd.DataFrame, axis: TimeAxis, column: str, colours: Mapping[str, str]
) -> go.Figure:
    """How did a response time of each model change? A line per model, in seconds.

    A line has a gap where a model gave no response.
    """
    traces = []
    for model, rows in frame.groupby("model", sort=False):
        complete = _with_gaps(rows, axis, column)
        colour = colours.get(str(model), palette.OTHERS)
        drawn = line(axis, complete, column, within(model, LEGIBLE), colour, SECONDS)
        traces.append(drawn.update(meta=[plain(model)]))
    chart = base.over_time(axis, traces, HEIGHT + 20)
    chart.update_layout(legend=LEGEND, margin=MARGIN)
    chart.update_yaxes(ticksuffix=" s")
    return chart


def _with_gaps(rows: pd.DataFrame, axis: TimeAxis, column: str) -> pd.DataFrame:
    starts = pd.DatetimeIndex(bucket_starts(axis.window, axis.bucket, axis.zone)).as_unit("us")
    seconds = rows.set_index("bucket")[column].astype("float64") / 1_000
    return seconds.reindex(starts).rename_axis("bucket").reset_index()


def failures(frame: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """Which kinds of failure came when? Stacked; a class looks the same in any range."""
    totals = frame.groupby("error_class")["failures"].sum()
    classes = sorted(totals.index, key=lambda name: (name == OTHERS, -totals[name], name))
    marks = dict(palette.class_marks(name for name in classes if name != OTHERS))
    marks[OTHERS] = palette.Mark(palette.OTHERS, "")
    traces = [
        _class(frame[frame["error_class"] == name], axis, str(name), marks[name])
        for name in classes
    ]
    chart = base.over_time(axis, traces, 300, base.MOST_TICKS, barmode="stack")
    chart.update_layout(legend=LEGEND, margin=MARGIN)
    base.count_whole(chart, frame.groupby("bucket")["failures"].sum().max())
    return chart


def _class(rows: pd.DataFrame, axis: TimeAxis, name: str, mark: palette.Mark) -> go.Bar:
    pattern = {"shape": mark.pattern, "size": 6, "solidity": 0.5, "fillmode": "replace"}
    return go.Bar(
        x=axis.local(rows["bucket"]),
        y=rows["failures"].astype("float64"),
        width=axis.bar_widths(),
        name=within(name, LEGIBLE),
        meta=[plain(name)],
        marker={
            "color": mark.colour,
            "opacity": base.fading(axis, len(rows)),
            "line": {"width": 1 if mark.pattern else 0, "color": mark.colour},
            **({"pattern": pattern} if mark.pattern else {}),
        },
        hovertemplate=FAILED,
    )
