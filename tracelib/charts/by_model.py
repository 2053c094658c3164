"""Charts that tell the models apart: response times, tokens, and both over time."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from tracelib import formatting
from tracelib.charts import base, palette
from tracelib.charts.base import HEIGHT, TimeAxis, figure, line
from tracelib.charts.labels import plain
from tracelib.window import bucket_starts

MODELS_SHOWN = 10
SECONDS = "%{y:.3~s}s<extra>%{fullData.name}</extra>"
LOGARITHMIC_FROM = 10
# One hue for failures, told apart by lightness so that they stay red and nothing else is.
REDS = ("#C92A2A", "#F03E3E", "#FF8787", "#A61E4D", "#E8590C", "#FFA8A8", "#862E9C")
OTHERS = "others"


def response_times(usage: pd.DataFrame) -> go.Figure:
    """How long do a model's answers take? Average, p95 and maximum as lines over the models.

    Seconds; logarithmic where the slowest answer took ten times the p95.
    """
    known = usage[usage["response_ms_avg"].notna()].head(MODELS_SHOWN)
    series = (
        ("response_ms_max", "Maximum", palette.OTHERS, "dot"),
        ("response_ms_p95", "p95", palette.SLOW, "solid"),
        ("response_ms_avg", "Average", palette.TYPICAL, "solid"),
    )
    traces = [_points(known, column, name, colour, dash) for column, name, colour, dash in series]
    chart = figure(traces, 320, hovermode="x unified")
    _name_places(chart, list(known["model"]))
    far = (known["response_ms_max"] > LOGARITHMIC_FROM * known["response_ms_p95"]).any()
    chart.update_yaxes(ticksuffix=" s", type="log" if far else "linear", nticks=None)
    if far:
        chart.update_yaxes(dtick=1)
    else:
        chart.update_yaxes(rangemode="tozero")
    return chart


def _points(known: pd.DataFrame, column: str, name: str, colour: str, dash: str) -> go.Scatter:
    milliseconds = known[column].astype("float64")
    return go.Scatter(
        x=list(range(len(known))),
        y=milliseconds / 1_000,
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 1.6, "dash": dash},
        marker={"size": 7},
        customdata=[formatting.duration(value) for value in milliseconds],
        hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
    )


def tokens(usage: pd.DataFrame) -> go.Figure:
    """How many tokens went into and came out of each model? Stacked, the most first."""
    top = usage.sort_values(["total_tokens", "model"], ascending=[False, True]).head(MODELS_SHOWN)
    traces = [
        go.Bar(
            x=list(range(len(top))),
            y=top[column].astype("float64"),
            name=name,
            marker={"color": colour},
            hovertemplate="%{y:,.0f}<extra>%{fullData.name}</extra>",
        )
        for column, name, colour in (
            ("prompt_tokens", "Prompt", palette.TOKENS_IN),
            ("completion_tokens", "Completion", palette.TOKENS_OUT),
        )
    ]
    chart = figure(traces, 320, barmode="stack", hovermode="x unified", bargap=0.35)
    _name_places(chart, list(top["model"]))
    return chart


def _name_places(chart: go.Figure, models: list[str]) -> None:
    """Models stand at places, not at their names: two long names may shorten to the same."""
    chart.update_layout(margin={"b": 70})
    chart.update_xaxes(
        tickvals=list(range(len(models))),
        ticktext=[plain(model, 18) for model in models],
        range=[-0.5, max(len(models), 1) - 0.5],
        showgrid=False,
    )


def over_time(
    frame: pd.DataFrame, axis: TimeAxis, column: str, colours: Mapping[str, str]
) -> go.Figure:
    """How did a response time of each model change? A line a model, in seconds.

    A line is broken where a model gave no answer.
    """
    traces = []
    for model, rows in frame.groupby("model", sort=False):
        complete = _with_gaps(rows, axis, column)
        colour = colours.get(str(model), palette.OTHERS)
        traces.append(line(axis, complete, column, plain(model), colour, SECONDS))
    chart = base.over_time(axis, traces, HEIGHT + 20)
    chart.update_yaxes(ticksuffix=" s")
    return chart


def _with_gaps(rows: pd.DataFrame, axis: TimeAxis, column: str) -> pd.DataFrame:
    starts = pd.DatetimeIndex(bucket_starts(axis.window, axis.bucket, axis.zone)).as_unit("us")
    seconds = rows.set_index("bucket")[column].astype("float64") / 1_000
    return seconds.reindex(starts).rename_axis("bucket").reset_index()


def failures(frame: pd.DataFrame, axis: TimeAxis) -> go.Figure:
    """Which kinds of failure came when? Stacked bars, shades of the failures' red."""
    totals = frame.groupby("error_class")["failures"].sum()
    classes = sorted(totals.index, key=lambda name: (name == OTHERS, -totals[name], name))
    traces = []
    for position, name in enumerate(classes):
        rows = frame[frame["error_class"] == name]
        traces.append(
            go.Bar(
                x=axis.local(rows["bucket"]),
                y=rows["failures"].astype("float64"),
                width=axis.bar_widths(),
                name=plain(name),
                marker={
                    "color": palette.OTHERS if name == OTHERS else REDS[position % len(REDS)],
                    "opacity": base.fading(axis, len(rows)),
                },
                hovertemplate="%{y:,.0f}<extra>%{fullData.name}</extra>",
            )
        )
    return base.over_time(axis, traces, 300, barmode="stack")
