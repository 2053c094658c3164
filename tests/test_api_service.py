"""The API as something that is watched and described: health, metrics, the document, the server."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.calling import calls, calls_of, place_of, token
from tests.database import Database
from tests.rows import spend_log
from tests.server import free_port
from tracelib import api as tracelib_api
from tracelib import errors
from tracelib.api import guarded
from tracelib.api.openapi import BASE, document
from tracelib.querying.installation import Installation, reread_schema
from tracelib.querying.runner import expire_results

ROOT = Path(__file__).parent.parent
OVERVIEW = f"{BASE}/analytics/overview"
HOUR = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}
NOWHERE = "postgresql://ada:s3cret@127.0.0.1:1/litellm"


@pytest.fixture(autouse=True)
def fresh(fresh_caches):
    """A database that goes away is noted for all that come after."""


def test_health_says_all_to_who_may_know(database, role):
    now = datetime.now(UTC).replace(microsecond=0)
    made = database(rows=[spend_log(startTime=now - timedelta(minutes=1))])
    api = calls_of(made)
    found = api.get("/health")
    assert found["database"].pop("round_trip_ms") > 0
    version = made.execute("SHOW server_version")[0][0].split(" ")[0]
    assert found == {
        "status": "ok",
        "database": {"reachable": True, "version": version, "read_only": False},
        "newest_request_at": (now - timedelta(minutes=1)).isoformat().replace("+00:00", "Z"),
        "ingest_lag_s": 5.0,
    }
    reader = role(made, "reader", ['SELECT ON "LiteLLM_SpendLogs"'])
    assert calls(reader, [token("all")]).get("/health")["database"]["read_only"] is True


def test_without_a_token_health_is_a_status_and_nothing_more(empty_database):
    api = calls_of(empty_database)
    assert api.by(None).get("/health") == {"status": "ok"}
    assert calls(empty_database.url, []).get("/health", probe=1) == {"status": "ok"}
    assert api.by("stranger").send("GET", "/health").status_code == 401


@pytest.mark.parametrize(
    "row",
    [
        {"startTime": datetime.now(UTC) + timedelta(hours=1)},
        {"created_at": datetime.now(UTC), "startTime": datetime.now(UTC) - timedelta(hours=1)},
    ],
)
def test_a_wrong_clock_or_late_rows_are_a_degraded_health(row, database):
    assert calls_of(database(rows=[spend_log(**row)])).get("/health")["status"] == "degraded"


def test_a_log_that_cannot_be_read_in_time_is_no_health(server):
    made = Database(server)
    made.execute('DROP TABLE "LiteLLM_SpendLogs" CASCADE')
    response = calls_of(made).by(None).send("GET", "/health")
    assert (response.status_code, response.json()) == (503, {"status": "down"})
    made.drop()


def test_while_the_database_is_away_health_is_down_and_questions_say_why(spare_server):
    made = Database(spare_server)
    made.insert([spend_log()])
    api = calls_of(made)
    before = api.get(OVERVIEW, **HOUR)
    assert before["requests"] == 1
    spare_server.stop()
    expire_results()
    reread_schema()

    down = api.send("GET", "/health")
    assert down.status_code == 503
    assert down.json() == {
        "status": "down",
        "database": {
            "reachable": False,
            **dict.fromkeys(("round_trip_ms", "version", "read_only")),
        },
        "newest_request_at": None,
        "ingest_lag_s": None,
    }
    # A page would still show the figures of before and say so; a program is told to come back.
    refused = api.send("GET", OVERVIEW, params=HOUR)
    assert refused.status_code == 503
    error = errors.DatabaseUnreachable
    assert refused.json()["detail"] == f"{error.sentence} {error.remedy}"
    assert made.name not in refused.text
    spare_server.start()
    expire_results()
    reread_schema()
    assert api.get(OVERVIEW, **HOUR) == before


def test_what_the_server_said_is_not_passed_on():
    refused = calls(NOWHERE, [token("all")]).send("GET", OVERVIEW)
    assert refused.status_code == 503
    for secret in ("s3cret", "127.0.0.1", "ada", "Traceback"):
        assert secret not in refused.text


def test_a_setting_that_cannot_be_used_is_said_and_health_is_down():
    def unusable():
        raise errors.BadSetting("TRACELIB_POOL_SIZE is 's3cret', not a number.")

    app = Starlette(routes=tracelib_api.routes(unusable))
    client = TestClient(app)
    assert client.get("/health").json() == {"status": "down"}
    refused = client.get(OVERVIEW)
    assert (refused.status_code, "s3cret" in refused.text) == (503, False)


def test_a_fault_of_our_own_is_in_the_log_and_not_in_the_answer(caplog):
    def broken():
        raise ZeroDivisionError("s3cret")

    app = Starlette(routes=tracelib_api.routes(broken))
    refused = TestClient(app).get(OVERVIEW, headers={"Authorization": "Bearer hidden"})
    assert refused.status_code == 500
    assert refused.headers["content-type"] == "application/problem+json"
    assert "s3cret" not in refused.text
    assert "ZeroDivisionError" in caplog.text
    assert "hidden" not in caplog.text


def measured(api, name: str, **labels: str) -> float:
    """What one line of the metrics says; 0 where there is none."""
    written = ",".join(f'{key}="{value}"' for key, value in labels.items())
    line = re.escape(f"{name}{{{written}}}" if labels else name)
    found = re.search(rf"^{line} (\S+)$", api.send("GET", "/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_metrics_count_what_is_asked_and_what_is_spared(database):
    api = calls_of(database(rows=[spend_log()]), refresh="5m")
    question = {"question": "tracelib.overview.totals.totals"}
    names = (
        "tracelib_questions_total",
        "tracelib_cache_hits_total",
        "tracelib_question_seconds_count",
    )
    before = [measured(api, name, **question) for name in names]
    for _ in range(3):
        api.get(OVERVIEW, **HOUR)
    after = [measured(api, name, **question) for name in names]
    # Two windows each time, and each is worked out once.
    assert [now - then for now, then in zip(after, before, strict=True)] == [6, 4, 2]
    assert 0 <= measured(api, "tracelib_last_good_answer_age_seconds") < 60
    assert measured(api, "tracelib_question_seconds_sum", **question) > 0


def test_metrics_count_errors_by_their_names(empty_database):
    api, error = calls_of(empty_database), {"error": "DatabaseUnreachable"}
    before = measured(api, "tracelib_database_errors_total", **error)
    calls(NOWHERE, [token("all")]).send("GET", f"{BASE}/analytics/models")
    assert measured(api, "tracelib_database_errors_total", **error) == before + 1


def test_metrics_are_open_metrics_and_name_nobody(database):
    made = database(rows=[spend_log(user="ada-7", model_group="secret-model")])
    api = calls_of(made)
    api.get(OVERVIEW, **HOUR, user="ada-7")
    response = api.send("GET", "/metrics")
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
    assert not [word for word in ("ada-7", "secret", made.name) if word in response.text]


def test_the_document_is_of_every_route_and_every_way_to_refuse():
    paths = document()["paths"]
    assert sorted(paths) == [
        f"{BASE}/analytics/models",
        f"{BASE}/analytics/overview",
        f"{BASE}/analytics/timeseries",
        f"{BASE}/changes",
        f"{BASE}/costs",
        f"{BASE}/data-quality",
        f"{BASE}/evidence",
        f"{BASE}/evidence/file",
        f"{BASE}/failures",
        f"{BASE}/findings",
        f"{BASE}/incidents",
        f"{BASE}/keys",
        f"{BASE}/ledgers",
        f"{BASE}/savings",
        f"{BASE}/sessions/search",
        f"{BASE}/sessions/{{session_id}}/messages",
        f"{BASE}/sessions/{{session_id}}/summary",
        "/health",
        "/metrics",
    ]
    for operations in paths.values():
        for operation in operations.values():
            assert operation["summary"].endswith(("?", "OpenMetrics."))
            assert {"200", "401", "429", "503"} <= operation["responses"].keys()
    names = {one["name"] for one in paths[f"{BASE}/analytics/overview"]["get"]["parameters"]}
    assert names == {
        *("days", "start", "end", "zone"),
        *("model", "provider", "user", "team", "key"),
    }


def test_the_document_is_answered_and_is_plain_json(empty_database):
    api = calls_of(empty_database)
    assert api.get(f"{BASE}/openapi.json") == json.loads(json.dumps(document()))
    assert api.send("GET", f"{BASE}/openapi.json?x=1").status_code == 422


PLACES: list[Installation] = []
SCHEMA = schemathesis.openapi.from_dict(document())
"""Made here, so that a test is made of each operation; its database comes with the test."""
# Who is let in is tried elsewhere; here everybody is.
SCHEMA.config.generation.update(with_security_parameters=False)
# What stands at the edges of each parameter is tried elsewhere, too, and once.
SCHEMA.config.phases.coverage.enabled = False
# A body that is made up may also be too large to be looked at.
REFUSED = SCHEMA.config.checks.negative_data_rejection
REFUSED.expected_statuses = [*REFUSED.expected_statuses, "413"]
SCHEMA.app = Starlette(routes=tracelib_api.routes(lambda: PLACES[0]))


@pytest.fixture(scope="module")
def described(server):
    made = Database(server, name="described")
    made.insert([spend_log(session_id="s"), spend_log(session_id="s", api_key="other")])
    PLACES[:] = [place_of(made.url, [token("all")])]
    yield
    made.drop()


@pytest.fixture
def unhurried(monkeypatch):
    """A gate that never closes."""
    monkeypatch.setattr(guarded, "A_MINUTE", 1_000_000)


@SCHEMA.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_it_is_described(case, described, unhurried):
    """Requests made up from the document: no fault, and nothing that it does not say.

    What no schema can say is refused, too: an end without a start, a zone that does not exist.
    """
    known = {"Authorization": "Bearer secret-of-all"}
    case.call_and_validate(headers=known, excluded_checks=[ignored_auth, positive_data_acceptance])


@contextmanager
def served(**environ: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """The app itself, as a server runs it: its address, and its process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "asgi:app", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environ, **quiet)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("analytics/overview", HOUR),
        ("analytics/models", HOUR),
        ("analytics/timeseries", HOUR),
        ("failures", HOUR),
        ("sessions/{session_id}/summary", {"key": "other"}),
        ("sessions/{session_id}/messages", {"key": "other"}),
        ("sessions/{session_id}/messages", {}),
    ],
)
def test_what_is_there_is_answered_as_it_is_described(path, query, described):
    """Found or shared by two keys: requests that are made up hardly ever ask for what exists."""
    named = {"session_id": "s"} if "{" in path else {}
    case = SCHEMA[f"{BASE}/{path}"]["GET"].Case(path_parameters=named, query=query)
    answer = case.call_and_validate(headers={"Authorization": "Bearer secret-of-all"})
    assert answer.status_code == (200 if query else 409)


def test_the_app_itself_serves_the_api_beside_the_pages(database, tmp_path):
    """Through Streamlit's own app, with all that stands before it; tokens out of a file."""
    tokens = tmp_path / "tokens.json"
    ci = {"name": "ci", "sha256": token("all").sha256.hex(), "scope": {"all": True}}
    tokens.write_text(json.dumps([ci]))
    made = database(rows=[spend_log(session_id="a/b")])
    with served(DATABASE_URL=made.url, TRACELIB_API_TOKENS=str(tokens)) as (address, _):
        retries = httpx2.HTTPTransport(retries=8)
        client = httpx2.Client(base_url=address, transport=retries, timeout=60)
        known = {"Authorization": "Bearer secret-of-all"}
        assert client.get("/health", headers=known).json()["database"]["reachable"] is True
        assert client.get(OVERVIEW, params=HOUR, headers=known).json()["requests"] == 1
        found = client.get(f"{BASE}/sessions/a%2Fb/summary", headers=known)
        assert found.json()["session_id"] == "a/b"
        for path in ("/api", f"{BASE}/nothing", f"{BASE}/sessions/a%0ab/messages"):
            assert client.get(path, headers=known).status_code == 404
            assert client.get(path).headers["content-type"] == "application/problem+json"
        large = client.post(f"{BASE}/sessions/search", headers=known, content=b"x" * 10_000_000)
        assert large.status_code == 413
        assert client.head(OVERVIEW, params=HOUR, headers=known).content == b""
        assert "<html" in client.get("/").text


def test_a_server_that_stops_does_not_wait_for_a_slow_database(database, role):
    """The program gets a response by which it can try again, and the statement is stopped."""
    made = database(rows=[spend_log()])
    url = role(made, "hurried", ['SELECT ON "LiteLLM_SpendLogs"'])
    made.execute(
        'ALTER TABLE "LiteLLM_SpendLogs" ENABLE ROW LEVEL SECURITY',
        'CREATE POLICY slow ON "LiteLLM_SpendLogs" USING (pg_sleep(60)::text IS NOT NULL)',
    )
    ci = {"name": "ci", "sha256": token("all").sha256.hex(), "scope": {"all": True}}
    environ = {"DATABASE_URL": url, "TRACELIB_API_TOKENS": json.dumps([ci])}
    active = "SELECT pid FROM pg_stat_activity WHERE usename = 'hurried' AND state = 'active'"
    own = served(**environ, TRACELIB_STATEMENT_TIMEOUT_S="60")
    with ThreadPoolExecutor() as aside, own as (address, process):
        client = httpx2.Client(transport=httpx2.HTTPTransport(retries=8), timeout=90)
        known = {"Authorization": "Bearer secret-of-all"}
        waiting = aside.submit(client.get, address + OVERVIEW, params=HOUR, headers=known)
        _wait_until(lambda: made.execute(active))
        process.terminate()
        assert process.wait(25) is not None
        assert waiting.result(1).status_code == 503
        assert waiting.result(1).json()["detail"].startswith("The app is stopping.")
        _wait_until(lambda: not made.execute(active))


def _wait_until(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_operations_keep_the_names_that_clients_are_generated_with():
    paths = document()["paths"].values()
    names = {one["operationId"] for path in paths for one in path.values() if "operationId" in one}
    assert names == {
        *("totals", "usage", "over_time", "found", "summary", "messages", "failures"),
        *("compared_ledgers", "cost_by_group", "data_quality", "found_incidents", "what_changed"),
        "can_be_saved",
        "current_findings",
        *("health", "metrics", "keys", "log_evidence", "signed_off_evidence"),
    }
