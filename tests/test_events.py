"""The app's log: what is in it, and what never is."""

import asyncio
import hashlib
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.browsing import serving
from tests.database import Database
from tests.rows import failure, metadata, spend_log
from tests.test_side_doors import ran, stranger
from tracelib import errors, events, files
from tracelib.activity import Activity
from tracelib.permissions.people import ANYONE
from tracelib.querying import observing

MARK = "zq7marked"
LONG_MARK = f"{MARK}-{'0123456789abcdef' * 2}"
PERSON = f"{MARK}@example.com"
SESSION = f"{MARK}-session"
TODAY = "range=24h&refresh=10s"
PAGES = ("Home", "Overview", "Models", "Sessions", "Status")
BASE = "/api/v1"


def marked_rows() -> list[dict]:
    """A success and a failure whose every text has the mark."""
    now = datetime.now(UTC) - timedelta(minutes=5)
    prompt = {"messages": [{"role": "user", "content": f"{MARK} question"}]}
    reply = {"role": "assistant", "content": f"{MARK} reply"}
    names = {"user": MARK, "end_user": MARK, "team_id": MARK, "api_key": f"{MARK}key"}
    named = names | {"session_id": SESSION, "request_tags": [MARK], "model_group": f"{MARK}-model"}
    about = metadata(user_api_key_alias=MARK, user_api_key_user_email=PERSON)
    return [
        spend_log(
            startTime=now,
            metadata=about,
            messages=prompt["messages"],
            proxy_server_request=prompt,
            response={"choices": [{"message": reply}]},
            **named,
        ),
        failure(startTime=now, error_message=f"{MARK} failed", **named),
    ]


@pytest.fixture
def log(spare_server, tmp_path) -> list[dict]:
    """The log at its most detailed level of an app with all that is used, each text marked."""
    made = Database(spare_server)
    made.insert(marked_rows())
    digest = hashlib.sha256(MARK.encode()).hexdigest()
    token = {"name": "monitor", "sha256": digest, "scope": {"all": True}, "role": "auditor"}
    settings = {
        "DATABASE_URL": made.url.replace("postgres@", f"postgres:{MARK}@", 1),
        "TRACELIB_LOG_LEVEL": "debug",
        "TRACELIB_API_TOKENS": json.dumps([token]),
        "TRACELIB_PEOPLE": json.dumps([{"who": PERSON, "role": "admin", "scope": {"all": True}}]),
        "TRACELIB_IDENTITY_HEADER": "X-Forwarded-Email",
        "TRACELIB_PROXY_SECRET": LONG_MARK,
        "TRACELIB_REDACT": json.dumps({"own": MARK}),
        "TRACELIB_REPLICA": "on",
        "TRACELIB_REPLICA_FOLDER": str(tmp_path / "replica"),
    }
    written = tmp_path / "log"
    with written.open("wb") as output, serving("asgi.py", output=output, **settings) as app:
        asyncio.run(visit(app, PAGES, f"said={MARK}", f"session={SESSION}"))
        call_all(app, SESSION)
        spare_server.stop()
        asyncio.run(visit(app, PAGES[-1:]))
        call_all(app, f"{SESSION}-other")
    return lines_of(written)


async def visit(app: str, pages: tuple[str, ...], *of_sessions: str) -> None:
    """Open these pages, and Sessions with these parameters; and one page without an identity."""
    async with stranger(app) as socket:
        await ran(socket, "Overview", TODAY)
    headers = {"X-Forwarded-Email": PERSON, "X-Tracelib-Proxy-Secret": LONG_MARK}
    url = f"{app.replace('http', 'ws')}/_stcore/stream"
    async with (
        asyncio.timeout(120),
        connect(
            url, subprotocols=["streamlit"], max_size=None, additional_headers=headers
        ) as socket,
    ):
        for page in pages:
            await ran(socket, page, f"{TODAY}&user={MARK}")
        for parameters in of_sessions:
            await ran(socket, "Sessions", f"{TODAY}&{parameters}")


def call_all(app: str, session: str) -> None:
    """Call every path of the API, with the mark wherever text may be."""
    with httpx.Client(base_url=app, timeout=60) as client:
        client.get(f"{BASE}/analytics/overview", headers={"Authorization": f"Bearer x{MARK}"})
        client.headers["Authorization"] = f"Bearer {MARK}"
        for path in ("/health", "/metrics", f"{BASE}/openapi.json", f"/api/{MARK}"):
            client.get(path)
        for path in ("analytics/overview", "analytics/models", "failures", MARK):
            client.get(f"{BASE}/{path}", params={"days": 1, "user": MARK})
        client.get(f"{BASE}/analytics/timeseries", params={"metric": "cost_usd", "model": MARK})
        client.post(f"{BASE}/sessions/search", json={"days": 1, "text": MARK})
        client.post(f"{BASE}/sessions/search", json={"model": [MARK]})
        for what in ("summary", "messages"):
            client.get(f"{BASE}/sessions/{session}/{what}", params={"key": f"{MARK}key"})


def lines_of(written: Path) -> list[dict]:
    """The events. Whatever else is written has no mark either."""
    text = written.read_text()
    assert [line for line in text.splitlines() if MARK in line] == []
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_the_log_has_what_happened_and_no_text_of_people(log):
    found = {event["event"] for event in log}
    assert found >= {
        *("process_started", "process_ended", "connection_opened", "schema_read"),
        *("query", "breaker_opened", "sign_in_refused", "api_request"),
        *("replica_writer_elected", "replica_published"),
    }
    assert not {name for name in found if name.endswith("_fault")}
    requests = [event for event in log if event["event"] == "api_request"]
    routes = {(one.get("route"), one["status"]) for one in requests}
    assert routes >= {
        *(("/health", 200), ("/metrics", 200)),
        *((f"{BASE}/analytics/overview", code) for code in (200, 401)),
        *((f"{BASE}/sessions/{{session_id}}/messages", code) for code in (200, 503)),
        *((f"{BASE}/sessions/search", code) for code in (200, 422)),
    }
    assert {one.get("token") for one in requests} == {"monitor", None}
    outcomes = {event["outcome"] for event in log if event["event"] == "query"}
    assert outcomes >= {"ok", "stored", "DatabaseUnreachable"}
    sources = {event.get("source") for event in log if event["event"] == "query"}
    assert sources >= {"replica", "postgresql"}


def test_a_line_has_its_time_in_utc_its_level_and_its_fields(capsys):
    events.begin("info")
    events.log("debug", "unseen")
    events.log("info", "seen", rows=2, seconds=0.123456, source=None, sentence="a\nb" * 400)
    line = capsys.readouterr().err.splitlines()[-1]
    found = json.loads(line)
    at = datetime.fromisoformat(found.pop("at"))
    assert at.utcoffset() == timedelta() and datetime.now(UTC) - at < timedelta(minutes=1)
    assert found == {
        "level": "info",
        "event": "seen",
        "rows": 2,
        "seconds": 0.1235,
        "sentence": ("a\nb" * 400)[:500],
    }


def test_a_fault_is_logged_by_its_place_and_not_by_its_message(capsys):
    events.begin("info")
    try:
        json.loads(f"{MARK}: {{")
    except ValueError as fault:
        events.exception("query_fault", fault, query="totals")
    found = json.loads(capsys.readouterr().err)
    assert (found["fault"], found["query"], MARK in str(found)) == (
        "JSONDecodeError",
        "totals",
        False,
    )
    assert found["places"].startswith("json/decoder.py:")
    assert "tests/test_events.py:" in found["places"]


def levels(caplog) -> list[str]:
    found = [one.levelname for one in caplog.records if str(one.msg).startswith("query ")]
    caplog.clear()
    return found


def test_only_news_and_slow_queries_are_above_the_level_of_details(caplog, monkeypatch):
    monkeypatch.setattr(observing, "ACTIVITY", Activity())
    caplog.set_level(logging.DEBUG, "tracelib")
    observing.ran("totals", 0.1, [1, 2], None, is_of_replica=True)
    assert caplog.records[0].getMessage() == (
        "query query=totals outcome=ok seconds=0.1 rows=2 source=replica"
    )
    observing.ran("totals", observing.SLOW_S + 1, None, None, is_of_replica=False)
    for error in (errors.TableBusy(), errors.TableBusy(), errors.NoSuchSession("x")):
        observing.ran("totals", 0.1, None, error, is_of_replica=False)
    observing.ran("usage", 0.1, None, errors.TableBusy(), is_of_replica=False)
    observing.served_stale("totals", None)
    assert levels(caplog) == ["DEBUG", "INFO", "WARNING", "DEBUG", "DEBUG", "WARNING", "DEBUG"]


def test_a_file_is_logged_by_its_type_and_size(caplog):
    caplog.set_level(logging.INFO, "tracelib")
    file = files.File(f"{MARK}.csv", "text/csv", lambda *_: [b"ab", b"c"])
    packed = b"".join(files._packed(file, ANYONE, None))
    (message,) = [one.getMessage() for one in caplog.records]
    size = len(packed)
    assert message.startswith(f"file_exported type=text/csv bytes={size} seconds=")


def test_errors_of_the_last_hour_are_counted_by_their_sentence(monkeypatch):
    activity, now = Activity(), datetime.now(UTC)
    activity._errors.append((now - timedelta(minutes=61), errors.TableBusy.sentence, "totals"))
    first, second = errors.TableBusy(), errors.PoolBusy("detail")
    news = [activity.record_error(one, "totals") for one in (first, first, second)]
    assert news == [True, False, True]
    assert not activity.record_error(errors.Cancelled(), "totals")
    found = [(one.sentence, one.count) for one in activity.errors()]
    assert found == [(errors.PoolBusy.sentence, 1), (errors.TableBusy.sentence, 2)]
    assert all(now <= one.last_at <= datetime.now(UTC) for one in activity.errors())
