"""What a token costs, and what requests would cost: by their own rows, a file, or a list."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calling import calls_of, token
from tests.rows import metadata, spend_log
from tests.sources import FILTERS, source_of
from tests.test_savings import RANGE
from tracelib import errors, savings
from tracelib.filters import Filters
from tracelib.savings.prices import Price, PriceBook, Rates, price_book
from tracelib.savings.repricing import SIZES, Use, repriced, what_if
from tracelib.window import TimeWindow

LIST = {
    "input_cost_per_token": 2e-6,
    "output_cost_per_token": 8e-6,
    "cache_read_input_token_cost": 5e-7,
    "input_cost_per_token_above_200k_tokens": 4e-6,
    "max_input_tokens": 400_000,
    "supports_function_calling": True,
}
RATES = Rates(2e-6, 8e-6, 5e-7, 2e-6)
PRICE = Price(((0, RATES), (200_001, Rates(4e-6, 8e-6, 5e-7, 4e-6))), "own rows", 400_000, True)


def priced(model: str, prices: object = LIST, **of: object) -> dict:
    mapped = {"model_map_key": model, "model_map_value": prices}
    return spend_log(metadata=metadata(model_map_information=mapped), model=model, **of)


def use(**changes: object) -> Use:
    plain = {"model": "m", "deployment": "p/m", "provider": "p", "size": 0, "requests": 2}
    tokens = {"prompt_tokens": 1_000, "cached": 0, "written": 0, "completion_tokens": 100}
    return Use(**plain | tokens | {"cost_usd": Decimal("0.0028")} | changes)


def test_the_newest_price_list_of_each_deployment_is_its_price(database):
    old = priced("p/m", LIST | {"input_cost_per_token": 9.0}, startTime=FILTERS.window.start)
    new = priced("p/m", startTime=FILTERS.window.start.replace(minute=30))
    others = [priced("p/none", None), priced("p/odd", [1]), priced("p/text", "x"), spend_log()]
    own = savings.own_prices(source_of(database(rows=[old, new, *others])), FILTERS)
    assert [name for name, *_ in own] == ["p/m"]
    assert price_book(own, None).own == {"p/m": PRICE}


def test_a_price_changes_at_a_number_of_tokens():
    assert [PRICE.at(size).input for size in (0, 200_000, 200_001, 10**9)] == [
        *(2e-6, 2e-6, 4e-6, 4e-6),
    ]


@pytest.mark.parametrize("value", [None, "2e-6", True, -1, 1e30, float("nan"), [], {}])
def test_what_is_no_price_is_unknown(value):
    own = (("p/m", "p", json.dumps(LIST | {"input_cost_per_token": value})),)
    assert price_book(own, None).price("p/m", "p") is None


def test_without_own_rows_the_list_of_vendors_has_the_price():
    book = PriceBook()
    found = book.price("openai/gpt-4o-mini", "openai")
    assert found is not None
    assert (found.at(0), found.origin) == (Rates(1.5e-7, 6e-7, 7.5e-8, 1.5e-7), "list price")
    # Google’s price doubles for long prompts.
    long = book.price("gemini/gemini-2.5-pro", "gemini")
    assert long is not None
    assert (long.at(0).input, long.at(200_001).input) == (1.25e-6, 2.5e-6)


@pytest.mark.parametrize(
    ("deployment", "provider"),
    [("openai/no such model", "openai"), ("x", "unknown"), ("", None), (None, None), ("\0", "aws")],
)
def test_a_model_that_no_source_knows_has_no_price(deployment, provider):
    assert PriceBook().price(deployment, provider) is None


def test_a_file_replaces_the_list_of_vendors_and_not_own_rows(tmp_path):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"gpt-4o": LIST, "p/m": LIST, "sample_spec": {"mode": "chat"}}))
    book = price_book((("p/m", "p", json.dumps(LIST)),), str(path))
    found = book.price("openai/gpt-4o", "openai")
    assert found is not None and found.origin == "price file"
    own = book.price("p/m", "p")
    assert own is not None and own.origin == "own rows"
    assert book.price("openai/gpt-4o-mini", "openai") is None


@pytest.mark.parametrize("content", [None, "", "[]", "{", "\x00"])
def test_a_file_that_is_no_price_list_is_a_sentence(tmp_path, content):
    path = tmp_path / "prices.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.BadSetting, match="TRACELIB_PRICES"):
        price_book((), str(path))


def test_uses_are_grouped_by_the_size_of_the_prompt(database):
    rows = [
        spend_log(spend=1, prompt_tokens=8_192),
        spend_log(spend=2, prompt_tokens=8_193),
        spend_log(spend=4, prompt_tokens=2_000_000),
        spend_log(spend=0, prompt_tokens=5),
        spend_log(spend=8, prompt_tokens=0),
    ]
    found = savings.uses(source_of(database(rows=rows)), FILTERS)
    assert {(one.size, one.cost_usd) for one in found} == {(0, 1), (8_192, 2), (1_000_000, 4)}


def test_the_own_price_gives_what_was_booked_on_rows_of_litellm(real_rows_database):
    """Rows that LiteLLM wrote, by the price list that it wrote with them."""
    days = Filters(TimeWindow(FILTERS.window.start.replace(hour=0), FILTERS.window.end))
    source = source_of(real_rows_database)
    own = price_book(savings.own_prices(source, days), None)
    found = repriced(savings.uses(source, days), own)
    assert {one.origin for one in found} == {"own rows"}
    # Among its requests is one with audio, whose tokens have a price of their own.
    assert [one.deployment for one in found if not one.is_close] == ["openai/gpt-4o"]
    assert len(found) == 13


def test_a_gap_of_more_than_one_percent_is_named():
    book = PriceBook({"p/m": PRICE})
    (close,) = repriced([use()], book)
    assert (close.usd, close.is_close) == (pytest.approx(0.0028), True)
    (far,) = repriced([use(cost_usd=Decimal("0.0029"))], book)
    assert not far.is_close
    (unknown,) = repriced([use(deployment="other", provider="none")], book)
    assert (unknown.usd, unknown.gap, unknown.is_close) == (None, None, False)


def test_the_cache_carries_over_or_not():
    found = what_if([use(cached=400, written=100)], PRICE)
    assert found.usd == pytest.approx(500 * 2e-6 + 400 * 5e-7 + 100 * 2e-6 + 100 * 8e-6)
    assert found.uncached_usd == pytest.approx(1_000 * 2e-6 + 100 * 8e-6)
    assert found.band_usd == pytest.approx((found.usd * 0.8, found.usd * 1.2))


def test_only_what_is_sure_to_fit_is_compared():
    sizes = [use(size=size, cost_usd=Decimal(1)) for size in SIZES]
    found = what_if(sizes, Price(((0, RATES),), "own rows", 65_536))
    assert (found.requests, found.feasible, found.booked_usd) == (2 * len(SIZES), 6, 3.0)
    assert what_if(sizes, Price(((0, RATES),), "own rows", None)).share == 1
    assert what_if([], PRICE).share is None


@given(
    st.lists(
        st.builds(
            use,
            size=st.sampled_from(SIZES),
            prompt_tokens=st.integers(0, 10**7),
            cached=st.integers(0, 10**7),
            written=st.integers(0, 10**7),
            completion_tokens=st.integers(0, 10**6),
        ),
        max_size=8,
    )
)
def test_parts_cost_together_what_each_costs(uses):
    whole = what_if(uses, PRICE)
    each = [what_if([one], PRICE) for one in uses]
    assert whole.usd == pytest.approx(sum(one.usd for one in each))
    assert whole.feasible == sum(one.feasible for one in each)
    assert whole.usd >= 0


def test_the_api_compares_with_a_target(database):
    log = database(rows=[spend_log(spend=0.000075)])
    api = calls_of(log, token("all"))
    (one,) = api.get("/api/v1/savings", **RANGE, target="openai/gpt-4o-mini")["repriced"]
    assert one["own_price_usd"] == pytest.approx(0.000075)
    assert one["on_target_usd"] == pytest.approx(10 * 1.5e-7 + 5 * 6e-7)
    assert one["feasible"] == 1
    refused = api.send("GET", "/api/v1/savings", params={**RANGE, "target": "no/such"})
    assert refused.status_code == 422
    assert refused.json()["detail"] == "No price of this target is known."
