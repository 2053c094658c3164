"""A dimension that is declared in the filters is a choice, a facet, a parameter and a condition."""

import pytest

from tests.rows import NOON, spend_log
from tests.sources import source_of
from tracelib.api.params import Chosen
from tracelib.choice import PARAMETERS, Choice, read_choice
from tracelib.facets import facets
from tracelib.filters import DIMENSIONS
from tracelib.schema import NAMED_BY


def test_what_a_program_or_a_link_chooses_reaches_the_filters():
    ids = {dimension: (f"a {dimension}",) for dimension in DIMENSIONS}
    chosen = Chosen(**ids).filters(NOON).chosen()
    assert chosen == Choice(**ids).filters(NOON, "UTC").chosen()
    assert list(chosen) == list(DIMENSIONS)
    read, complaints = read_choice({name: list(values) for name, values in ids.items()})
    assert (read, complaints) == (Choice(**ids), ())
    assert set(DIMENSIONS) < set(PARAMETERS)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_dimension_has_values_to_choose_from(database, dimension):
    made = database(rows=[spend_log(startTime=NOON)])
    (value,) = facets(source_of(made), NOON.replace(hour=13)).of(dimension)
    assert value.requests == 1


def test_only_dimensions_have_tables_of_names():
    assert set(NAMED_BY) < set(DIMENSIONS)
