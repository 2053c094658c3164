"""The values of a chart as a table, for people who cannot see it or need the figures.

They are read from the finished figure, so that a table has what the chart has: the values as the
hover writes them, with their units.
"""

import html
import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracelib import formatting

MOST_ROWS = 300
UNKNOWN = formatting.UNKNOWN
# Traces that only name the buckets of a chart, whose positions are ambiguous.
NAMES = "rgba(0,0,0,0)"
SECOND = "2026-11-23T12:00:00"
FORMATTED = re.compile(r"%\{([xyz]|value)(?::([^}]*))?\}")
WRITTEN = re.compile(r"%\{(text|hovertext|customdata)\}")

Trace = Mapping[str, Any]
Axis = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChartValues:
    """The values of a chart: a heading per column, and rows of as many texts, the first a name.

    `left_out` rows more are not in it.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0


def values(document: Mapping[str, Any], zone: str | None = None) -> ChartValues:
    """What are the values of this figure, which is one as a dictionary?

    A row per position of a bar or a point, a column per series; times are those of `zone`. The
    newest 300 positions in time, else the first 300. Without values there are no rows.
    """
    traces = [trace for trace in document["data"] if _is_shown(trace)]
    layout = document["layout"]
    if not traces:
        return ChartValues((), ())
    if traces[0]["type"] == "pie":
        return _of_slices(traces[0])
    if traces[0]["type"] == "heatmap":
        return _of_grid(traces[0])
    is_lying = any(trace.get("orientation") == "h" for trace in traces)
    key = "y" if is_lying else "x"
    axis = layout.get(f"{key}axis", {})
    names = _names(document["data"], key, axis, traces)
    cells: dict[Any, dict[int, str]] = {}
    is_in_words = all(_source(trace) == "hovertext" for trace in traces)
    for column, trace in enumerate(traces):
        for position, cell in zip(_positions(trace, key), _cells(trace, layout, key), strict=False):
            cells.setdefault(position, {}).setdefault(0 if is_in_words else column, cell)
    columns = ("Values",) if is_in_words else tuple(map(_name, traces))
    rows = [
        (names(position), *(cells[position].get(column, UNKNOWN) for column in range(len(columns))))
        for position in (list(cells) if is_lying else sorted(cells))
    ]
    is_time = axis.get("type") == "date"
    headings = (_heading(layout, axis, zone, is_lying), *columns)
    return _limited(headings, rows, newest=is_time)


def sequence(values: Any) -> list[Any]:
    """The values of a trace: a list, or Plotly's bytes of numbers."""
    if isinstance(values, Mapping):
        numbers = np.frombuffer(b64decode(values["bdata"]), values["dtype"])
        if shape := values.get("shape"):
            numbers = numbers.reshape([int(part) for part in str(shape).split(",")])
        read: list[Any] = numbers.tolist()
        return read
    return list(values) if values is not None else []


def _limited(
    headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], newest: bool = False
) -> ChartValues:
    shown = rows[-MOST_ROWS:] if newest else rows[:MOST_ROWS]
    return ChartValues(headings, tuple(shown), len(rows) - len(shown))


def _is_shown(trace: Trace) -> bool:
    """Does this trace have values? Others are entries of a legend, or names for the hover."""
    is_named = trace.get("line", {}).get("color") == NAMES
    return not is_named and trace.get("hoverinfo") != "skip"


def _heading(layout: Mapping[str, Any], axis: Axis, zone: str | None, is_lying: bool) -> str:
    """What the rows are: times, what the chart says that they are, or names."""
    if axis.get("type") == "date":
        return f"Time, {zone}" if zone else "Day"
    if is_lying:
        rows: str = layout.get("meta", {}).get("rows", "Name")
        return rows
    title: str = axis.get("title", {}).get("text") or "Position"
    return title


def _name(trace: Trace) -> str:
    """The name of a series, in full if the legend has a shorter one."""
    meta = trace.get("meta")
    name = meta[0] if isinstance(meta, list) and meta else trace.get("name")
    return _plain(name) if name else "Value"


def _names(
    every: Sequence[Trace], key: str, axis: Axis, traces: Sequence[Trace]
) -> Callable[[Any], str]:
    """The name of a position: that of the hover, of its tick, or its time or number."""
    named: dict[Any, str] = {}
    if "tickvals" in axis:
        pairs = zip(sequence(axis["tickvals"]), sequence(axis["ticktext"]), strict=True)
        named |= {position: _plain(text) for position, text in pairs}
    for trace in every:
        if trace.get("line", {}).get("color") == NAMES:
            named |= dict(zip(_positions(trace, "x"), sequence(trace["customdata"]), strict=True))
    for trace in traces if key == "y" else ():
        if _source(trace) == "text":
            texts = map(_plain, sequence(trace["hovertext"]))
            named |= dict(zip(sequence(trace[key]), texts, strict=True))
    are_days = "%H" not in axis.get("hoverformat", "")
    return lambda position: named.get(position) or _position(position, are_days)


def _positions(trace: Trace, key: str) -> list[Any]:
    """Where the bars or points of a trace are: times to the second, as all traces have them."""
    return [
        one[: len(SECOND)] if isinstance(one, str) and "T" in one[10:11] else one
        for one in sequence(trace.get(key))
    ]


def _position(position: Any, are_days: bool) -> str:
    """
    >>> _position("2026-11-23T00:00:00.000000", False), _position("2026-11-23T00:00:00", True)
    ('2026-11-23 00:00', '2026-11-23')
    >>> _position(1_200, False)
    '1,200'
    """
    if isinstance(position, str):
        return position[: 10 if are_days else 16].replace("T", " ")
    return f"{position:,.15g}"


def _source(trace: Trace) -> str | None:
    """Which texts of a trace are its values? None if they are numbers.

    Of a bar with a name and a figure, the hover's text is the name.
    """
    written = WRITTEN.findall(trace.get("hovertemplate", "").split("<extra>")[0])
    return next((one for one in ("text", "customdata", "hovertext") if one in written), None)


def _cells(trace: Trace, layout: Mapping[str, Any], key: str) -> list[str]:
    """The values of a trace as its hover writes them."""
    if source := _source(trace):
        return [_plain(text) for text in sequence(trace[source])]
    other = "x" if key == "y" else "y"
    found = FORMATTED.search(trace.get("hovertemplate", ""))
    number = trace.get(f"{other}axis", other)
    suffix = layout.get(f"{other}axis{number[1:]}", {}).get("ticksuffix", "")
    form = (found[2] if found else None) or ""
    return [_number(value, form, suffix) for value in sequence(trace.get(other))]


def _number(value: float | None, form: str, suffix: str = "") -> str:
    """A number in the format of a hover: a share, seconds, a count; else with all its digits.

    >>> _number(0.5, ".1%"), _number(1.25, ".3~s", " s"), _number(1_204.0, ",.0f")
    ('50.0 %', '1.2 s', '1,204')
    """
    if value is None or value != value:
        return UNKNOWN
    if form.endswith("%"):
        return formatting.share(value)
    if suffix.strip() == "s":
        return formatting.duration(value * 1_000)
    return formatting.exact(value) if form.endswith("f") else f"{value:,.15g}"


def _of_slices(trace: Trace) -> ChartValues:
    numbers = sequence(trace["values"])
    total = sum(number for number in numbers if number) or None
    rows = [
        (_plain(name), _number(number, ",.0f"), formatting.share(total and number / total))
        for name, number in zip(sequence(trace["hovertext"]), numbers, strict=True)
    ]
    return _limited(("Name", "Value", "Share"), rows)


def _of_grid(trace: Trace) -> ChartValues:
    rows = [
        (str(name), *(_number(number, ",.0f") for number in numbers))
        for name, numbers in zip(sequence(trace["y"]), sequence(trace["z"]), strict=True)
    ]
    return _limited(("", *map(str, sequence(trace["x"]))), rows)


def _plain(text: object) -> str:
    """The text without the escapes of a chart, and without what keeps equal labels apart."""
    words = re.sub(r"<br>", ", ", str(text))
    return html.unescape(re.sub(r"</?b>", "", words)).replace("\u200b", "")
