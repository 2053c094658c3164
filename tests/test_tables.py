"""How a table is drawn: how much room its columns leave."""

import json
import re
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from tests.rows import failure, spend_log
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.page.listing.sessions_table import FAILED, OK

LONG = "text-completion-openai"
COLUMNS = {
    "provider": Column("Provider", "provider"),
    "said": Column("Said", "said"),
    "place": Column("Place", "place", width=90),
    "requests": Column("Requests", "requests", Kind.COUNT),
    "last": Column("Last", "last"),
}


def drawn():
    import pandas as pd

    from tests.test_tables import COLUMNS, LONG
    from tracelib.page.base import table

    texts = {"said": "x" * 4_000, "place": "here", "requests": 1, "last": "y"}
    rows = pd.DataFrame([{"provider": "openai"} | texts] * 30 + [{"provider": LONG} | texts])
    table.draw(rows, COLUMNS, "a table")


@pytest.fixture
def widths() -> dict[str, int | None]:
    """How wide is each column of a table in which one row has a longer name than the others?"""
    app = AppTest.from_function(drawn).run()
    assert not app.exception
    columns = json.loads(app.dataframe[0].proto.columns)
    return {name: columns[name].get("width") for name in COLUMNS}


def test_a_column_has_room_for_its_longest_text_though_others_are_short(widths):
    assert widths["provider"] > 6 * len(LONG)


def test_a_text_of_any_length_leaves_room_for_the_other_columns(widths):
    assert 200 < widths["said"] < 400


def test_numbers_and_the_last_column_take_the_room_that_is_left(widths):
    assert (widths["place"], widths["requests"], widths["last"]) == (90, None, None)


COSTS = (0.5, 0.0, 1240.4, 1.4e-7, 0.02298300, 1.24)
WRITTEN = ("$0.50", "$0", "$1,240", "< $0.000001", "$0.023", "$1.24")


def test_costs_are_written_with_two_digits_each_and_a_status_in_words(open_page, database):
    at = datetime.now(UTC) - timedelta(hours=1)
    rows = [
        spend_log(startTime=at - timedelta(minutes=place), spend=cost)
        for place, cost in enumerate(COSTS)
    ]
    rows.append(failure(startTime=at - timedelta(minutes=10)))
    (sessions,) = open_page("pages/Sessions.py", database(rows=rows).url).dataframe
    cells = written(sessions)
    assert list(cells["cost"]) == [*WRITTEN, "$0"]
    assert list(cells["failures"]) == ["OK"] * 6 + ["1 failed"]
    # And a colour each.
    assert colours(sessions) == {OK, FAILED}


def written(table) -> pd.DataFrame:
    """What the cells of a table say, as the browser gets it."""
    with pa.ipc.open_stream(table.proto.arrow_data.styler.display_values) as stream:
        return stream.read_pandas()


def colours(table) -> set[str]:
    """The colours behind cells."""
    styles = table.proto.arrow_data.styler.styles
    return set(re.findall(r"background-color: (\S+\))", styles.replace(", ", ",")))


def _clicked_twice() -> None:
    import streamlit as st

    from tracelib.page.base import table

    st.session_state["list ticked"] = [("s1", "k")]
    st.session_state["list as drawn"] = [("s1", "k", None), ("s2", "k", None)]
    st.session_state[table.CLICKS] = 1  # the table that was clicked is "list 0"
    table.store_click("list")
    table.store_click_or_ticks("list")
    st.json({"ticked": st.session_state["list ticked"], "clicked": table.clicked()})


def test_a_click_that_is_reported_again_after_it_was_taken_changes_nothing():
    app = AppTest.from_function(_clicked_twice).run()
    assert not app.exception
    assert json.loads(app.json[0].value) == {"ticked": [["s1", "k"]], "clicked": None}
