"""Days whose subtotals are equal have equal cells: those of other days are read."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tests.sources import source_of
from tests.test_ledgers_splitting import LEDGER
from tracelib.ledgers.cells import Cell, Cells, Sums, summed
from tracelib.ledgers.classes import differences
from tracelib.ledgers.subtotals import Subtotals, added_up, differing_days, statement, subtotals
from tracelib.replica.dialect import DIALECT, compiled
from tracelib.spendlogs.sums import SUMS
from tracelib.spendlogs.types import Weight

DAY = date(2026, 11, 28)
COLUMNS: Mapping[str, Any] = {"day": sa.DateTime(), "own": sa.Text(), "key": sa.Text(), **SUMS}
DATABASE = duckdb.connect()


@pytest.fixture(scope="module")
def postgresql(empty_database):
    source = source_of(empty_database)
    yield source
    source.engine.dispose()


def subtotals_of(cells: Cells) -> Subtotals:
    """The subtotals of these cells, as a replica computes them."""
    made = sa.Table("cells", sa.MetaData(), *(sa.Column(*one) for one in COLUMNS.items()))
    DATABASE.execute("DROP TABLE IF EXISTS cells")
    DATABASE.execute(str(sa.schema.CreateTable(made).compile(dialect=DIALECT)))
    for cell, sums in cells.items():
        values = [datetime.combine(cell.day, time()), cell.owner, cell.key, *sums]
        DATABASE.execute(f"INSERT INTO cells VALUES ({', '.join('?' * len(values))})", values)
    text, values = compiled(statement({"user": sa.select(made)}))
    return Subtotals(DAY, DAY, subtotals(DATABASE.execute(text, values).fetchall()))


def coarse(cells: Cells) -> Cells:
    return summed(
        (cell._replace(model="", provider="", tool=""), sums) for cell, sums in cells.items()
    )


@given(LEDGER.map(coarse), LEDGER.map(coarse))
def test_no_day_with_cells_that_differ_is_left_out(log, daily):
    one, other = subtotals_of(log), subtotals_of(daily)
    found = differing_days("user", [one], [other])
    assert found >= {difference.cell.day for difference in differences(log, daily)}
    assert differing_days("user", [one], [one]) == differing_days("team", [one], [other]) == set()


@given(LEDGER.map(coarse), st.sampled_from(["day", "key", "owner"]))
def test_sums_by_day_key_and_owner_are_those_of_the_cells(log, by):
    of_subtotals = added_up(by, "user", [subtotals_of(log)], {})
    assert of_subtotals == added_up(by, "user", [], log)


def cell(owner: str, requests: int, usd: str) -> tuple[Cell, Sums]:
    return Cell(DAY, owner, "k", "", "", ""), Sums(requests, 0, Decimal(usd))


def test_requests_of_another_owner_are_noticed_though_all_sums_are_equal():
    log = dict([cell("ada", 3, "0.5"), cell("bob", 1, "0.5")])
    daily = dict([cell("ada", 1, "0.5"), cell("bob", 3, "0.5")])
    assert differing_days("user", [subtotals_of(log)], [subtotals_of(daily)]) == {DAY}


def test_money_of_another_owner_is_noticed_though_all_sums_are_equal():
    log = dict([cell("ada", 1, "0.25"), cell("bob", 1, "0.000001")])
    daily = dict([cell("ada", 1, "0.250001"), cell("bob", 1, "0")])
    assert differing_days("user", [subtotals_of(log)], [subtotals_of(daily)]) == {DAY}


def test_the_noise_of_doubles_is_no_difference():
    log = dict([cell("ada", 1, "0.3"), cell("bob", 1, "70000.1")])
    daily = dict([cell("ada", 1, "0.300000000000000044"), cell("bob", 1, "70000.1000000000005")])
    assert differing_days("user", [subtotals_of(log)], [subtotals_of(daily)]) == set()


def test_a_day_that_only_one_ledger_has_differs():
    log = subtotals_of(dict([cell("ada", 1, "0.3")]))
    for one, other in (([log], []), ([], [log])):
        assert differing_days("user", one, other) == {DAY}


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9))
def test_weights_are_the_same_in_both_databases(postgresql, text):
    weight = sa.select(Weight(sa.literal(text, sa.Text())))
    (of_file,) = DATABASE.execute(*compiled(weight)).fetchone()
    assert of_file == postgresql.row(weight)[0]
    assert 0 <= of_file < 2**32
