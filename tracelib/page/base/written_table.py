"""A table whose cells are written and coloured before Streamlit reads them.

Streamlit reads the texts and colours of cells from a pandas Styler, which computes each cell alone:
30 ms for 20 rows, most of a page's own time. The Styler made here returns cells that are known.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from tracelib.formatting import UNKNOWN

# From a known value, its text, or the colour behind it: None for none.
Texts = Mapping[Hashable, Callable[[Any], str]]
Tones = Mapping[str, Callable[[Any], str | None]]


def written(rows: pd.DataFrame, texts: Texts, tones: Tones) -> Styler:
    """These rows, with what is shown in place of a value and the colour behind it, by column.

    Values stay what they are in the browser, so that a click on a heading sorts by them.
    """
    shown = rows.copy(deep=False)
    display = pd.DataFrame(
        {name: _texts(rows[name], texts.get(name, str)) for name in rows},
        index=rows.index,
        dtype="str",
    )
    cells = {"cellstyle": _colours(rows, tones)}
    # By itself it has another name each time, and an unchanged table would be sent as a new one.
    styler = shown.style.set_uuid("cells")
    # What Streamlit calls of a Styler: both are private in pandas, and a test compares the result.
    vars(styler).update(_compute=lambda: styler, _translate=lambda *_: cells)
    object.__setattr__(shown, "astype", lambda _: display)
    return styler


def _texts(values: "pd.Series[Any]", text: Callable[[Any], str]) -> list[str]:
    known = values.notna()
    return [
        text(value) if is_known else UNKNOWN
        for value, is_known in zip(values.tolist(), known, strict=True)
    ]


def _colours(rows: pd.DataFrame, tones: Tones) -> list[dict[str, Any]]:
    """Which cells have which colour, as a Styler has them?"""
    cells: defaultdict[str, list[str]] = defaultdict(list)
    for name, tone in tones.items():
        column = rows.columns.get_loc(name)
        for row, value in enumerate(rows[name].tolist()):
            if colour := tone(value):
                cells[colour].append(f"row{row}_col{column}")
    return [
        {"props": [("background-color", colour)], "selectors": selectors}
        for colour, selectors in cells.items()
    ]
