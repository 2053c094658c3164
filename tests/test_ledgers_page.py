"""Status shows whether the ledgers agree, what differs and why, and leads to the requests."""

from collections.abc import Iterator

import pytest

from tests.database import Database
from tests.page_words import plain, words
from tests.true_ledgers import ALICE, TrueLedgers, copied, filled
from tracelib.choice import Choice
from tracelib.page import ledgers as tables
from tracelib.ranges import Between

DAY = {
    "part": "ledgers",
    "range": "custom",
    "from": "2026-11-28",
    "to": "2026-11-28",
    "zone": "UTC",
}
OF_ALICE = f"l.api_key = '{ALICE}' AND l.model = 'openai/gpt-4o' AND l.spend > 0"


@pytest.fixture(scope="module")
def template(server) -> Iterator[Database]:
    with filled(server) as made:
        yield made


@pytest.fixture(scope="module")
def clean(template) -> Iterator[Database]:
    """The true ledgers, for all tests that only read them."""
    with copied(template) as made:
        yield made.database


@pytest.fixture
def true(template) -> Iterator[TrueLedgers]:
    with copied(template) as made:
        yield made


def test_clean_ledgers_are_a_sentence_and_tables(clean, open_page):
    app = open_page("pages/Status.py", clean.url, **DAY)
    assert not app.exception
    shown = plain(words(app))
    assert "Log and daily totals agree on 1 of 1 day." in shown
    assert "What the differences are" not in shown
    assert "whether a vendor billed the same is on the vendor’s bill alone" in shown
    by_day, by_key = (frame.value for frame in app.dataframe)
    assert by_day[["log_requests", "daily_requests", "gateway_requests"]].values.tolist() == [
        [323, 323, 323]
    ]
    assert list(by_key["name"])[:2] == ["alice-key", "bob-key"]
    assert next(iter(by_key["about"])) == "Agrees with all daily totals."


def test_what_differs_is_shown_with_its_class_and_the_largest_cells(true, open_page):
    true.as_before_deliveries()
    lost = true.unbook(OF_ALICE)
    app = open_page("pages/Status.py", true.database.url, **DAY)
    assert not app.exception
    shown = plain(words(app))
    assert (
        "Log and daily totals agree on 0 of 1 day. Only in the log: $0.018 in 23 requests" in shown
    )
    assert "Booked in the log, and not in the daily table" in shown
    assert "LiteLLM_SpendLogDelivery is not in this database" in shown
    _, largest, _ = (frame.value for frame in app.dataframe)
    assert largest[["key", "model", "difference_requests"]].values.tolist() == [
        ["alice-key", "openai/gpt-4o", lost.requests]
    ]


def test_a_cell_leads_to_its_requests(true):
    true.unbook(OF_ALICE)
    (one,) = true.compared().largest
    chosen = tables._requests_of(Choice(), one, ("gpt-4o",))
    assert chosen == Choice(
        range=Between.days(one.cell.day, one.cell.day),
        zone="UTC",
        key=(ALICE,),
        provider=("openai",),
        model=("gpt-4o",),
    )


@pytest.mark.parametrize("kind", ["team", "user", "tag"])
def test_each_kind_of_owner_has_a_table(clean, open_page, kind):
    app = open_page("pages/Status.py", clean.url, **DAY)
    app.segmented_control(key="ledgers by").set_value(kind).run()
    assert not app.exception
    assert f"By {kind}" in plain(words(app))
    assert len(app.dataframe[1].value) in (2, 4, 5)


def test_an_empty_log_says_so(empty_database, open_page):
    app = open_page("pages/Status.py", empty_database.url, **DAY)
    assert not app.exception
    shown = plain(words(app))
    assert "Neither the log nor the daily totals have a request on these days." in shown
    assert "The log is empty: it is not kept, or all of it was deleted." in shown
