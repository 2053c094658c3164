"""Wasted money: each request with a cost is in at most one class, and the classes add up."""

from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.calling import calls_of, token
from tests.database import Database
from tests.page_words import words
from tests.rows import KEY, NOON, failure, metadata, spend_log
from tests.sources import FILTERS, HOUR, source_of
from tracelib import savings
from tracelib.permissions.access import Scope
from tracelib.savings import Example, Waste, WasteClass
from tracelib.spendlogs.wasted import CLASSES, OF_BODIES
from tracelib.window import TimeWindow

HUNG_UP = metadata(error_information={"error_class": "ClientDisconnected", "error_code": "499"})
CHECK = "litellm-internal-health-check"


def wasted(name: str, requests: int, usd: str, *sessions: str, key: str = KEY) -> WasteClass:
    """A class whose sessions have equal shares."""
    each = Decimal(usd) / len(sessions)
    examples = (Example(one, key, requests // len(sessions), each) for one in sessions)
    return WasteClass(name, requests, Decimal(usd), tuple(examples))


def test_each_request_with_a_cost_is_in_the_first_class_that_fits(database):
    log = database(
        rows=[
            spend_log(spend=1.5, session_id="gone", metadata=HUNG_UP),
            # A client that disconnected is one, whether LiteLLM counts it as a failure or not.
            failure(spend=0.25, session_id="gone", error_class="ClientDisconnected"),
            failure(spend=0.5, session_id="broken"),
            failure(spend=0.0, session_id="free"),
            spend_log(
                spend=0.125, session_id="router", metadata=metadata(internal_call_origin="x")
            ),
            spend_log(spend=2, session_id="again", metadata=metadata(billed_retry_attempt=True)),
            spend_log(spend=3, metadata=metadata(billed_retry_attempt=False)),
            spend_log(spend=10),
        ]
    )
    found = savings.waste(source_of(log), FILTERS)
    assert found == Waste(
        requests=8,
        requests_read=8,
        cost_usd=Decimal("17.375"),
        classes=(
            WasteClass("hang_ups", 2, Decimal("1.75"), (Example("gone", KEY, 2, Decimal("1.75")),)),
            wasted("paid_failures", 1, "0.5", "broken"),
            wasted("internal_calls", 1, "0.125", "router"),
            wasted("billed_retries", 1, "2", "again"),
        ),
    )
    assert found.wasted_usd == Decimal("4.375")
    assert found.share(found.wasted_usd) == 4.375 / 17.375


@pytest.mark.parametrize("key", [CHECK, sha256(CHECK.encode()).hexdigest()])
def test_a_health_check_is_known_by_its_key_or_the_hash_of_it(database, key):
    log = database(rows=[spend_log(spend=0.5, api_key=key, session_id="check")])
    (one,) = savings.waste(source_of(log), FILTERS).classes
    assert one == wasted("internal_calls", 1, "0.5", "check", key=key)


def test_examples_are_the_three_sessions_of_the_highest_cost(database):
    log = database(
        rows=[failure(spend=spend, session_id=f"s{spend}") for spend in (1, 4, 2, 4, 3, 5)]
    )
    (one,) = savings.waste(source_of(log), FILTERS).classes
    assert [each.session_id for each in one.examples] == ["s4", "s5", "s3"]
    assert [each.cost_usd for each in one.examples] == [8, 5, 3]
    assert (one.requests, one.cost_usd) == (6, 19)


def test_a_month_of_nothing_has_no_waste_and_no_share(empty_database):
    found = savings.waste(source_of(empty_database), FILTERS)
    assert found == Waste(0, 0, Decimal(), ())
    assert found.share(found.wasted_usd) is None


@pytest.mark.parametrize("spend", [-1, float("nan"), float("inf"), 1e300])
def test_what_is_no_amount_is_no_waste(database, spend):
    log = database(rows=[failure(spend=spend), failure(spend=0.5)])
    found = savings.waste(source_of(log), FILTERS)
    assert [(one.requests, one.cost_usd) for one in found.classes] == [(1, Decimal("0.5"))]


def test_only_the_newest_are_read_where_facts_are_in_documents(database):
    new = [
        failure(spend=2, startTime=NOON + HOUR / 2),
        spend_log(spend=3, startTime=NOON + HOUR / 3),
    ]
    log = database(rows=[*(failure(spend=1) for _ in range(3)), *new])
    found = savings.waste(source_of(log), FILTERS, newest=2)
    assert (found.requests, found.requests_read, found.cost_usd) == (5, 2, 5)
    assert found.wasted_usd == 2


def test_filters_and_the_range_apply(database):
    log = database(
        rows=[
            failure(spend=1, team_id="red"),
            failure(spend=2, team_id="blue"),
            failure(spend=4, team_id="red", startTime=NOON - 5 * HOUR),
        ]
    )
    found = savings.waste(source_of(log), replace(FILTERS, team=("red",)))
    assert (found.requests, found.wasted_usd) == (1, 1)
    longer = TimeWindow(NOON - 6 * HOUR, NOON + HOUR)
    found = savings.waste(source_of(log), replace(FILTERS, window=longer))
    assert (found.requests, found.wasted_usd) == (3, 7)


ROWS = st.builds(
    lambda is_failed, is_gone, is_retry, is_internal, spend, key: spend_log(
        status="failure" if is_failed else "success",
        spend=spend,
        api_key=key,
        metadata=metadata(
            error_information={"error_class": "ClientDisconnected"} if is_gone else None,
            billed_retry_attempt=is_retry,
            internal_call_origin="classifier" if is_internal else None,
        ),
    ),
    *(st.booleans() for _ in range(4)),
    st.sampled_from([0, 1e-7, 0.1, 0.3, 7]),
    st.sampled_from([KEY, CHECK]),
)


@given(st.lists(ROWS, max_size=30))
@settings(max_examples=25)
def test_the_classes_add_up_to_the_cost_of_all_that_fit_one(server, rows):
    log = Database(server)
    try:
        log.insert(rows)
        source = source_of(log)
        found = savings.waste(source, FILTERS)
        source.engine.dispose()
    finally:
        log.drop()
    fits = [row for row in rows if row["spend"] > 0 and _fits(row)]
    assert sum(one.requests for one in found.classes) == len(fits)
    assert found.wasted_usd == sum((Decimal(str(row["spend"])) for row in fits), Decimal())


def _fits(row: dict) -> bool:
    facts = row["metadata"]
    return bool(
        row["status"] == "failure"
        or facts["error_information"]
        or facts["billed_retry_attempt"]
        or facts["internal_call_origin"]
        or row["api_key"] == CHECK
    )


RANGE = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}
PAGE = {"range": "custom", "from": "2026-11-23T12:00", "to": "2026-11-23T13:00", "zone": "UTC"}
PART = {"part": "savings"}


def test_the_api_has_the_classes_with_what_to_do(database):
    log = database(
        rows=[failure(spend=0.5, session_id="broken", team_id="red"), spend_log(spend=1.5)]
    )
    api = calls_of(log, token("all"), token("team", Scope(teams=("blue",)), "viewer"))
    found = api.get("/api/v1/savings", **RANGE)
    declared = savings.DECLARED["paid_failures"]
    assert found == {
        "window": RANGE,
        "requests": 2,
        "requests_read": 2,
        "cost_usd": 2.0,
        "wasted_usd": 0.5,
        "bodies_read": 0,
        "found": [
            {
                "name": "paid_failures",
                "title": "Failures with a cost",
                "requests": 1,
                "cost_usd": 0.5,
                "share": 0.25,
                "definition": declared.definition,
                "remedy": declared.remedy,
                "sessions": [
                    {"session_id": "broken", "api_key": KEY, "requests": 1, "cost_usd": 0.5}
                ],
            }
        ],
        "cacheable": [{"ttl_s": ttl, "cost_usd": 0.0} for ttl in (60, 600, 3_600, 86_400)],
        "cache_ttl_s": None,
        "cache_misses": [],
        "context": {
            "prompt_tokens": 0,
            "resent_tokens": 0,
            "cached_tokens": 0,
            "share": None,
            "cost_usd": 0.0,
        },
        "unused_tools": [],
        "repriced": [
            {
                "deployment": "openai/gpt-4o",
                "provider": "openai",
                "requests": 2,
                "booked_usd": 2.0,
                "own_price_usd": pytest.approx(20 * 2.5e-6 + 5 * 1e-5),
                "price_from": "list price",
                "on_target_usd": None,
                "feasible": None,
            }
        ],
    }
    assert api.by("team").get("/api/v1/savings", **RANGE)["found"] == []


def test_the_page_says_how_much_was_wasted_on_what(open_page, database):
    log = database(rows=[failure(spend=0.5, session_id="broken"), spend_log(spend=1.5)])
    app = open_page("pages/Overview.py", log.url, **PAGE, **PART)
    assert not app.exception
    text = words(app)
    assert (
        "$0.50 of $2.00 bought nothing, 25.0 %. Most of it: failures with a cost, $0.50 in 1"
        in text
    )
    classes, sessions, *_ = (one.value for one in app.dataframe)
    assert list(classes["title"]) == ["Failures with a cost"]
    assert list(sessions["session_id"]) == ["broken"]


def test_the_page_without_waste_says_so(open_page, database):
    app = open_page("pages/Overview.py", database(rows=[spend_log()]).url, **PAGE, **PART)
    assert not app.exception
    assert "No request of this range fits a class of waste." in words(app)


def test_the_page_of_an_empty_log_says_so(open_page, empty_database):
    app = open_page("pages/Overview.py", empty_database.url, **PART)
    assert not app.exception
    assert "No requests in this time range" in words(app)


def test_every_class_is_described_as_it_is_declared():
    described = (Path(__file__).parent.parent / "docs" / "savings.md").read_text()
    for name, one in savings.DECLARED.items():
        line = f"| {one.title} | `{name}` | {one.definition} | {one.remedy} |"
        assert line in described
    assert tuple(savings.DECLARED) == (*CLASSES, *OF_BODIES)
