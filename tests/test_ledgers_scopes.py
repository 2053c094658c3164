"""A reader of a part of the log sees that part of the ledgers, or nothing."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.calling import Calls, calls_of, token
from tests.true_ledgers import ALICE, DELIVERIES, LOGS, SERVICE, TrueLedgers, copied, filled
from tracelib.permissions.access import Scope

DAY = {"start": "2026-11-28", "end": "2026-11-29"}
SCOPES = {
    "a team": Scope(teams=("team-red",)),
    "a user": Scope(users=("bob",)),
    "a key": Scope(keys=(SERVICE,)),
    "both": Scope(teams=("team-red",), users=("bob",)),
    "no one": Scope(),
}
# What the log alone says of each: requests and dollars.
OWN = {
    "a team": (139, "0.07093973"),
    "a user": (90, "0.04288267"),
    "a key": (39, "0.01493519"),
}
OTHERS = {
    "a team": ("bob", "carol", '"svc-key"', "untracked", "Blue"),
    "a user": ("alice", "carol", '"svc-key"', "Red"),
    "a key": ("alice", "bob", "carol", "Red", "Blue"),
    "both": ("carol", '"svc-key"', "Blue"),
    "no one": ("alice", "bob", "carol", "Red", "Blue"),
}


@pytest.fixture(scope="module")
def true(server) -> Iterator[TrueLedgers]:
    """The true ledgers after requests of each were taken out, and parked."""
    with filled(server) as clean, copied(clean) as made:
        where = "l.spend > 0.001"
        made.unbook(where)
        made.execute(
            f"UPDATE {DELIVERIES} d SET state = 'parked' FROM {LOGS} l"
            f" WHERE l.request_id = d.request_id AND {where}"
        )
        yield made


@pytest.fixture(scope="module")
def api(true) -> Calls:
    return calls_of(true.database, *(token(name, scope) for name, scope in SCOPES.items()))


@pytest.mark.parametrize("who", OWN)
def test_a_reader_sees_the_days_of_their_part(true, api, who):
    (day,) = api.by(who).get("/api/v1/ledgers", **DAY)["days"]
    requests, usd = OWN[who]
    where = {
        "a team": "l.team_id = 'team-red'",
        "a user": "l.\"user\" = 'bob'",
        "a key": f"l.api_key = '{SERVICE}'",
    }[who]
    parked = true.sums(f"{where} AND l.spend > 0.001")
    assert (day["log_requests"], Decimal(str(day["log_usd"]))) == (requests, Decimal(usd))
    assert day["gateway_requests"] is None
    assert day["classes"] == [
        {"name": "parked", "requests": parked.requests, "usd": float(parked.usd)}
    ]


@pytest.mark.parametrize("who", SCOPES)
def test_no_name_and_no_total_of_others_is_in_a_response(api, who):
    response = api.by(who).send("GET", "/api/v1/ledgers", params=DAY)
    assert response.status_code == 200
    assert not [name for name in OTHERS[who] if name in response.text]
    answer = response.json()
    assert answer["tags"] == []
    assert not any("in all" in sentence for sentence in answer["notes"])
    owners = [one for kind in ("keys", "teams", "users") for one in answer[kind]]
    totals = {one["id"] for one in owners if one["running_total"]}
    scope = SCOPES[who]
    assert totals <= {*scope.teams, *scope.users, *scope.keys}


def test_teams_together_with_users_have_no_days(api):
    answer = api.by("both").get("/api/v1/ledgers", **DAY)
    assert (answer["days"], answer["keys"], answer["users"], answer["largest"]) == ([], [], [], [])
    assert [one["id"] for one in answer["teams"]] == ["team-red"]
    assert "Daily totals cannot be limited to teams together with users or keys." in answer["notes"]


def test_a_key_of_a_team_has_no_total_for_the_team(api):
    """It may have been another team's before."""
    answer = api.by("a team").get("/api/v1/ledgers", **DAY)
    (line,) = (one for one in answer["keys"] if one["id"] == ALICE)
    assert line["running_total"] is None
