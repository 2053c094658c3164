"""The key review and the evidence of a range, as programs get them."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.calling import Calls, calls_of, token
from tests.database import Database
from tests.planted_keys import DAY, plant
from tests.rows import KEY, NOON, failure, key_of, name_team, spend_log
from tracelib.evidence.document import canonical
from tracelib.key_review import FINDINGS
from tracelib.permissions.access import Scope

KEYS, EVIDENCE = "/api/v1/keys", "/api/v1/evidence"
WEEK = {"start": "2026-11-17T12:00:00Z", "end": "2026-11-24T12:00:00Z"}
RED = token("red", Scope(teams=("red",)), "viewer")


@pytest.fixture(scope="module")
def made(server) -> Iterator[Database]:
    """Requests, and four keys of which three have findings."""
    made = Database(server)
    made.insert(
        [
            spend_log(startTime=NOON - 96 * DAY),
            spend_log(startTime=NOON, response={"choices": []}),
            failure(startTime=NOON - DAY, api_key=key_of("tried"), team_id="red"),
        ]
    )
    name_team(made.engine, "red", "Red team")
    plant(made.engine, "known", token=KEY)
    plant(made.engine, "eternal", expires=None, max_budget=None)
    plant(made.engine, "tried", team_id="red", user_id=None, blocked=True)
    plant(made.engine, "without owner", user_id=None)
    yield made
    made.drop()


@pytest.fixture(scope="module")
def api(made) -> Calls:
    """A token for everything, and one of a team that owns one of the keys."""
    return calls_of(made, token("all"), RED)


def test_the_findings_of_each_key(api):
    found = api.get(KEYS, **WEEK)
    assert found["window"] == WEEK
    assert (found["keys"], found["reviewed"], found["keys_with_findings"]) == (4, 4, 3)
    assert (found["unknown"], found["next_first"]) == ([], None)
    counts = {one["finding"]: one["keys"] for one in found["counts"]}
    expected = {"disabled_but_tried": 1, "no_owner": 1, "no_expiry": 1, "no_budget": 1}
    assert counts == dict.fromkeys(FINDINGS, 0) | expected
    assert found["found"][0] == {
        "key_name": "tried",
        "user_name": None,
        "team_name": "Red team",
        "findings": [
            {
                "finding": "disabled_but_tried",
                "since": "2026-11-22T12:00:00Z",
                "evidence": "The key is blocked; 1 failure in the range, and no success.",
                "remedy": FINDINGS["disabled_but_tried"].remedy,
                "shown_by": {
                    "requests": 1,
                    "window": WEEK,
                    "failures_only": True,
                    "tag": None,
                    "address": None,
                },
            }
        ],
    }
    findings = {one["key_name"]: [f["finding"] for f in one["findings"]] for one in found["found"]}
    assert list(findings.items()) == [
        ("tried", ["disabled_but_tried"]),
        ("without owner", ["no_owner"]),
        ("eternal", ["no_expiry", "no_budget"]),
    ]


def test_no_response_holds_a_hash(api):
    text = api.send("GET", KEYS, params=WEEK).text
    assert not any(key_of(name) in text for name in ("tried", "eternal", "without owner"))


def test_keys_come_in_pages(api):
    names, first = [], 1
    while first is not None:
        page = api.get(KEYS, **WEEK, first=first, count=2)
        names += [one["key_name"] for one in page["found"]]
        first = page["next_first"]
    assert names == ["tried", "without owner", "eternal"]
    beyond = api.get(KEYS, **WEEK, first=100)
    assert (beyond["found"], beyond["next_first"]) == ([], None)


def test_keys_with_one_finding(api):
    found = api.get(KEYS, **WEEK, finding="no_budget")
    assert [one["key_name"] for one in found["found"]] == ["eternal"]
    refused = api.send("GET", KEYS, params={**WEEK, "finding": "no_money"})
    assert refused.status_code == 422


def test_a_team_sees_its_own_keys_and_requests(api):
    red = api.by("red")
    found = red.get(KEYS, **WEEK)
    assert (found["keys"], [one["key_name"] for one in found["found"]]) == (1, ["tried"])
    evidence = red.get(EVIDENCE, **WEEK)
    assert (evidence["requests"], evidence["failures"]) == (1, 1)
    assert evidence["refused_before_logging_at_least"] is None
    # A viewer may not read bodies.
    assert (evidence["with_prompt"], evidence["among_newest"]["truncated"]) == (None, None)


def test_the_evidence_of_a_range(api):
    found = api.get(EVIDENCE, **WEEK)
    assert found.pop("complete").startswith("Complete from 17 November 2026, 12:00 UTC to 24 Nov")
    assert found.pop("missing") == []
    assert found == {
        "window": WEEK,
        "is_complete": True,
        "not_stored": [
            "Prompts are stored for 0 of 2 requests.",
            "Responses are stored for 1 of 2 requests.",
        ],
        "unknown": [
            "Unknown: requests refused before logging on 2 days without a count of the gateway."
        ],
        "requests": 2,
        "failures": 1,
        "with_prompt": 0,
        "with_response": 1,
        "without_key": 0,
        "unresolved_requests": 0,
        "unresolved_keys": 0,
        "refused_before_logging_at_least": None,
        "in_daily_totals_only_at_least": None,
        "among_newest": {"read": 2, "truncated": 0, "redacted": 0, "in_cold_storage": 0},
        "oldest_in_log": "2026-08-19T12:00:00Z",
        "newest_in_log": "2026-11-23T12:00:00Z",
        "days": [_day("2026-11-22", 1, 0.0, 0), _day("2026-11-23", 0, 0.25, 1)],
    }


def _day(date: str, failures: int, cost: float, responses: int) -> dict:
    return {
        "date": date,
        "requests": 1,
        "failures": failures,
        "with_prompt": 0,
        "with_response": responses,
        "without_key": 0,
        "cost_usd": cost,
        "gateway_requests": None,
        "daily_requests": None,
    }


def test_an_empty_range_is_an_answer(api):
    later = {"start": "2026-11-25T00:00:00Z", "end": "2026-11-26T00:00:00Z"}
    found = api.get(EVIDENCE, **later)
    assert (found["requests"], found["days"], found["with_prompt"]) == (0, [], 0)
    assert found["complete"].startswith("The log holds no request")


@pytest.mark.parametrize("path", [KEYS, EVIDENCE])
@pytest.mark.parametrize(
    "query", [{"start": "no day"}, {"days": 0}, {"days": 9999}, {"colour": "red"}]
)
def test_what_is_no_range_is_refused(api, path, query):
    assert api.send("GET", path, params=query).status_code == 422
    assert timedelta(days=1) == DAY


def test_the_file_of_a_range_is_recorded_and_can_be_verified(made, tmp_path):
    log = tmp_path / "audit.jsonl"
    logged = calls_of(made, token("all"), RED, audit_log=str(log))
    found = logged.get(f"{EVIDENCE}/file", **WEEK)
    own = found.pop("sha256")
    assert own == hashlib.sha256(canonical(found)).hexdigest()
    assert (found["made"]["by"], found["counts"]["hashed_requests"]) == ("all", 2)
    assert "response" not in found["hashes"]["columns"]
    assert "response" in logged.get(f"{EVIDENCE}/file", messages=True, **WEEK)["hashes"]["columns"]
    lines = [json.loads(one) for one in log.read_text().splitlines()]
    assert [(one["who"], one["what"], one["format"]) for one in lines] == [
        ("all", "exported", "evidence")
    ] * 2


def test_a_viewers_file_is_of_their_part_and_without_messages(api):
    red = api.by("red")
    assert red.get(f"{EVIDENCE}/file", **WEEK)["counts"]["hashed_requests"] == 1
    refused = red.send("GET", f"{EVIDENCE}/file", params={**WEEK, "messages": True})
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "Messages need the auditor role.",
    )
