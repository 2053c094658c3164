"""Tokens of a provider's prompt cache, from every place where some version writes them."""

from datetime import timedelta

import pytest

from tests.cases import as_text, case
from tests.rows import KEY, _moment, spend_log
from tests.sources import FILTERS, source_of
from tracelib import overview
from tracelib.conversation.session_rows import stored_requests
from tracelib.filters import Filters
from tracelib.selection import session
from tracelib.sessions import requests_of
from tracelib.window import TimeWindow

USAGE = ("additional_usage_values", "usage_object")
SENT = ("prompt_tokens_details", "input_tokens_details")
# Each place is a path into the metadata.
READ = [
    path
    for usage in USAGE
    for path in (
        (usage, "cache_read_input_tokens"),
        *((usage, details, "cached_tokens") for details in SENT),
    )
]
WRITTEN = [
    path
    for usage in USAGE
    for path in (
        (usage, "cache_creation_input_tokens"),
        (usage, "prompt_tokens_details", "cache_write_tokens"),
        (usage, "prompt_tokens_details", "cache_creation_tokens"),
    )
]
NO_COUNTS = ("12", None, True, 1e30, -1e300, {"count": 3}, [5])


def holding(*places: tuple[tuple[str, ...], object]) -> dict:
    """Metadata that holds these values under these paths."""
    document: dict = {}
    for (*above, last), value in places:
        inner = document
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return document


def read_of(database, *metadata: object) -> list[int | None]:
    """Tokens read of a row with each of these, as the transcript and the timeline have them."""
    made = [
        spend_log(session_id="s", request_id=f"r{number:03}", metadata=one)
        for number, one in enumerate(metadata)
    ]
    source = source_of(database(rows=made))
    stored = [one.cached_prompt_tokens for one in stored_requests(source, session("s", KEY))]
    light = requests_of(source, session("s", KEY))["cached_prompt_tokens"].astype(object)
    assert list(light.where(light.notna(), None)) == stored
    return stored


def test_each_place_is_read(database):
    assert read_of(database, *(holding((path, 1920)) for path in READ)) == [1920] * len(READ)


def test_a_zero_in_one_place_does_not_hide_what_another_counted(database):
    pairs = [(one, other) for one in READ for other in READ if one != other]
    made = [holding((one, 0), (other, 1920)) for one, other in pairs]
    assert read_of(database, *made) == [1920] * len(pairs)


def test_zeros_are_none_read_and_nothing_is_unknown(database):
    zeros = holding(*((path, 0) for path in READ))
    nothing = ({}, {"usage_object": None}, {"usage_object": [1]}, "null", None)
    assert read_of(database, zeros, *nothing) == [0, *[None] * len(nothing)]


def test_what_is_no_count_is_unknown(database):
    made = [holding((path, value)) for path in READ for value in NO_COUNTS]
    assert read_of(database, *made) == [None] * len(made)


@pytest.mark.parametrize("path", WRITTEN, ids=" ".join)
def test_tokens_written_to_the_cache_are_read_from_each_place(database, path):
    made = [spend_log(metadata=holding((path, count))) for count in (7, 0)]
    found = overview.prompt_caching(source_of(database(rows=made)), FILTERS)
    assert (found.cache_write_tokens, found.cached_prompt_tokens) == (7, 0)


def test_a_row_that_keeps_the_whole_usage_alone_counts(database):
    [row] = case("cached-usage-object-only")
    start = _moment(row["startTime"])
    window = Filters(TimeWindow(start, start + timedelta(hours=1)))
    for stored in (row, as_text(row)):
        found = overview.prompt_caching(source_of(database(rows=[stored])), window)
        assert (found.cached_prompt_tokens, found.prompt_tokens) == (1920, 2000)


def test_the_providers_own_usage_comes_first_where_both_are_written(database):
    own, usual = ((usage, "cache_read_input_tokens") for usage in USAGE)
    both = holding((own, 7), (usual, 9))
    assert read_of(database, both, holding((usual, 9))) == [7, 9]


def test_a_count_is_known_as_far_as_an_integer_reaches(database):
    greatest = 2**31 - 1
    counts = [holding((READ[0], count)) for count in (greatest, greatest + 1)]
    assert read_of(database, *counts) == [greatest, None]
