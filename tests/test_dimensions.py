"""A dimension that filters name is in every place that has one field for each."""

from dataclasses import fields

import pytest

from tests.rows import NOON
from tracelib.api.params import Chosen
from tracelib.choice import PARAMETERS, Choice
from tracelib.facets import Facets
from tracelib.filters import DIMENSIONS, Filters


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_dimension_is_a_filter_a_choice_a_facet_and_a_parameter(dimension):
    for place in (Filters, Choice, Facets):
        assert dimension in {field.name for field in fields(place)}, place
    assert dimension in Chosen.model_fields
    assert dimension in PARAMETERS


def test_what_a_program_chooses_reaches_the_filters():
    chosen = Chosen(**{dimension: (f"a {dimension}",) for dimension in DIMENSIONS})
    from_api = chosen.filters(NOON).chosen()
    choice = Choice(**{dimension: (f"a {dimension}",) for dimension in DIMENSIONS})
    assert from_api == choice.filters(NOON, "UTC").chosen()
    assert list(from_api) == list(DIMENSIONS)
