"""A table with known cells is what Streamlit makes of a pandas Styler with the same cells."""

from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.elements import arrow
from streamlit.proto.ArrowData_pb2 import ArrowData

from tracelib.formatting import UNKNOWN
from tracelib.page.base.written_table import written

TEXTS = {"seconds": lambda value: f"{value:.1f} s", "cost": lambda value: f"${value}"}
TONES = {
    "class": lambda value: "#fee" if value == "Timeout" else None,
    "seconds": lambda value: "#efe" if value > 2 else None,
}
ROWS = {
    "class": ["Timeout", None, "<b>", "Timeout"],
    "seconds": [1.25, 3.5, float("nan"), 2.0],
    "cost": [Decimal("0.10"), None, Decimal("-1"), Decimal("1e-9")],
    "requests": [1, 2, 3, 4],
    "at": [datetime(2026, 11, 23, tzinfo=UTC), None, None, None],
    "tags": [["a", "b"], None, [], ["c"]],
}


def sent(styler) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """What Streamlit sends of it: colours, texts, values."""
    proto = ArrowData()
    arrow.marshall(proto, styler, "one")
    texts, values = (
        arrow.dataframe_util.convert_arrow_bytes_to_pandas_df(data)
        for data in (proto.styler.display_values, proto.data)
    )
    return proto.styler.styles, texts, values


def by_pandas(rows: pd.DataFrame):
    styled = rows.style.set_uuid("cells").format(TEXTS, na_rep=UNKNOWN)
    for name, tone in TONES.items():
        styled = styled.map(
            lambda value, tone=tone: f"background-color: {found}" if (found := tone(value)) else "",
            subset=[name],
        )
    return styled


@pytest.mark.parametrize("first", [0, 1])
def test_it_is_sent_as_a_styler_would_be(first):
    rows = pd.DataFrame(ROWS, index=range(first, 4 + first))
    ours, theirs = sent(written(rows, TEXTS, TONES)), sent(by_pandas(rows))
    assert sorted(ours[0].split("\n")) == sorted(theirs[0].split("\n"))
    shown = ["class", "seconds", "cost", "requests", "tags"]
    pd.testing.assert_frame_equal(ours[1][shown], theirs[1][shown])
    pd.testing.assert_frame_equal(ours[2], theirs[2])
    assert list(ours[1]["seconds"]) == ["1.2 s", "3.5 s", UNKNOWN, "2.0 s"]


def test_a_table_without_rows_has_its_columns():
    rows = pd.DataFrame(ROWS).head(0)
    colours, texts, values = sent(written(rows, TEXTS, TONES))
    assert (colours, list(texts), list(values), len(values)) == ("", list(ROWS), list(ROWS), 0)


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False), st.integers(0, 9)), min_size=1))
def test_values_stay_what_they_are(seconds):
    rows = pd.DataFrame({"class": ["a"] * len(seconds), "seconds": pd.array(seconds, "Float64")})
    before = rows.copy()
    _, texts, values = sent(written(rows, {"seconds": TEXTS["seconds"]}, {}))
    assert list(texts["seconds"]) == [
        UNKNOWN if one is None else f"{float(one):.1f} s" for one in seconds
    ]
    assert list(values["seconds"].isna()) == [one is None for one in seconds]
    pd.testing.assert_frame_equal(rows, before)
