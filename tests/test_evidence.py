"""What the log holds of a range and what it lacks; and a file whose hashes anyone can recompute."""

import hashlib
import html
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from tests import litellm
from tests.database import Database
from tests.planted_keys import DAY, insert, plant
from tests.rows import KEY, NOON, failure, key_of, metadata, spend_log
from tests.sources import records, source_of
from tracelib.evidence import (
    Evidence,
    Signatory,
    evidence,
    evidence_file,
    printable,
    statement_of,
)
from tracelib.evidence.document import canonical
from tracelib.filters import Filters
from tracelib.permissions.access import Access, Scope
from tracelib.window import TimeWindow

MIDNIGHT = NOON.replace(hour=0)
THREE_DAYS = TimeWindow(MIDNIGHT - 2 * DAY, MIDNIGHT + DAY)
FILTERS = Filters(THREE_DAYS)
ADA = Signatory("ada@example.com", Access(Scope(is_all=True), "auditor"))
CUT = "a... (litellm_truncated skipped 120 chars. Truncation is a DB storage safeguard.) ...b"
OLD_CUT = "b" * 9 + "... (truncated 5020 chars)"


def prompt(text: str) -> dict:
    return {"messages": [{"role": "user", "content": text}]}


def response(text: str) -> dict:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


STORED = {"proxy_server_request": prompt("Hi"), "response": response("Hello")}
ROWS = [
    spend_log(request_id="first", startTime=MIDNIGHT - 2 * DAY, spend=0.1, **STORED),
    spend_log(request_id="cut", startTime=NOON - DAY, proxy_server_request=prompt(CUT), spend=0.2),
    spend_log(request_id="old cut", startTime=NOON - DAY, response=response(OLD_CUT), spend=1e-7),
    spend_log(
        request_id="redacted",
        startTime=NOON,
        proxy_server_request=prompt("redacted-by-litellm"),
        response=response("redacted-by-litellm"),
    ),
    spend_log(
        request_id="cold",
        startTime=NOON,
        metadata=metadata(cold_storage_object_key="2026/11/23/cold.json"),
    ),
    failure(request_id="no key", startTime=NOON, api_key="", requester_ip_address="203.0.113.9"),
    failure(request_id="unknown key", startTime=NOON, api_key=key_of("guess")),
]


@pytest.fixture(scope="module")
def shared(server) -> Iterator[Database]:
    """The rows above, whose key is known; to be read only."""
    made = Database(server)
    made.insert(ROWS)
    plant(made.engine, "known", token=KEY)
    for date, count in (("2026-11-21", 3), ("2026-11-22", 1), ("2026-11-23", 4), ("2026-11-24", 9)):
        gateway(made, date, count)
    yield made
    made.drop()


def gateway(made: Database, date: str, requests: int, failed: int = 0) -> None:
    """What the gateway itself counted on a day."""
    insert(
        made.engine,
        "LiteLLM_DailyGatewayRequests",
        date=date,
        category="llm",
        route="/v1/chat/completions",
        successful_requests=requests - failed,
        failed_requests=failed,
    )


def evidence_of(made: Database, filters: Filters = FILTERS, access: Access | None = None):
    source = source_of(made)
    try:
        return evidence(source.seen_by(access) if access else source, filters)
    finally:
        source.engine.dispose()


def file_of(made: Database, filters: Filters = FILTERS, bodies: bool = False) -> dict[str, Any]:
    source = source_of(made)
    try:
        return json.loads(evidence_file(source, filters, ADA, NOON + DAY, bodies))
    finally:
        source.engine.dispose()


def facts(found: Evidence) -> dict[str, Any]:
    names = ("requests", "failures", "with_prompt", "with_response", "without_key")
    return {name: found.total(name) for name in names}


def test_all_counts_of_a_range(shared):
    found = evidence_of(shared)
    assert records(found.days.drop(columns="cost_usd")) == [
        day("2026-11-21", 1, 0, 1, 1, 0, 3),
        day("2026-11-22", 2, 0, 1, 1, 0, 1),
        day("2026-11-23", 4, 2, 1, 1, 1, 4),
    ]
    assert found.days["cost_usd"].tolist() == pytest.approx([0.1, 0.2000001, 0.5])
    marks = found.marks
    assert (marks.read, marks.truncated, marks.redacted, marks.in_cold_storage) == (7, 2, 1, 1)
    assert (found.unresolved_rows, found.unresolved_keys, found.refused) == (1, 1, 2)
    assert records(found.clients) == [
        {
            "address": "203.0.113.9",
            "user_agent": "pytest",
            "requests": 1,
            "failures": 1,
            "newest_at": NOON,
        }
    ]
    assert (found.oldest, found.newest) == (MIDNIGHT - 2 * DAY, NOON)


def day(date: str, *counts: int) -> dict[str, Any]:
    names = ("requests", "failures", "with_prompt", "with_response", "without_key")
    known = dict(zip((*names, "gateway_requests"), counts, strict=True))
    return {"day": date} | known | {"daily_requests": None}


def test_the_statement_says_what_is_complete_and_what_is_not(shared):
    found = replace(evidence_of(shared), server_time=NOON + 9 * DAY)
    statement = statement_of(found)
    assert statement.sentences() == (
        "Not complete from 21 November 2026, 00:00 UTC to 24 November 2026, 00:00 UTC, as far as "
        "other counts show: 7 requests, each with what LiteLLM logs of its key, times, model, "
        "tokens and cost.",
        "At least 2 requests reached the gateway and are not in the log: refused before logging, "
        "or not kept.",
        "Prompts are stored for 3 of 7 requests.",
        "Responses are stored for 3 of 7 requests.",
        "2 of the newest 7 requests have stored text that LiteLLM cut.",
        "1 of the newest 7 requests has text that LiteLLM replaced by a mark.",
        "1 of the newest 7 requests has its messages in object storage, not in the log.",
        "1 request by 1 key whose owner is unknown: it is in no table of keys.",
        "1 request without a key: unauthenticated.",
    )
    assert not statement.is_complete


def test_a_whole_range_is_complete(database):
    made = database(rows=[spend_log(startTime=NOON, **STORED)])
    plant(made.engine, "known", token=KEY)
    gateway(made, "2026-11-23", 1)
    found = evidence_of(made, Filters(TimeWindow(NOON, MIDNIGHT + DAY)))
    statement = statement_of(replace(found, server_time=NOON + 9 * DAY))
    assert statement.is_complete
    assert statement.sentences() == (
        "Complete from 23 November 2026, 12:00 UTC to 24 November 2026, 00:00 UTC, as far as the "
        "log shows: 1 request, each with what LiteLLM logs of its key, times, model, tokens and "
        "cost.",
        "Unknown: requests that the log lacks on 1 day. Only UTC days that are over and wholly in "
        "the range can be compared with other counts.",
    )


def test_a_range_before_the_log_and_up_to_now_says_so(shared):
    window = TimeWindow(MIDNIGHT - 9 * DAY, NOON + timedelta(seconds=30))
    found = replace(evidence_of(shared, Filters(window)), server_time=NOON + timedelta(minutes=1))
    assert statement_of(found).missing[:2] == (
        "Nothing before 21 November 2026, 00:00 UTC: LiteLLM has deleted older rows, or there were "
        "none.",
        "The end of the range is now: requests that are running, and those of the last two "
        "minutes, may still be missing.",
    )


def test_a_clock_that_is_ahead_is_named(database):
    made = database(rows=[spend_log(startTime=NOON + 4000 * DAY)])
    found = evidence_of(made)
    assert found.newest == NOON + 4000 * DAY
    said = statement_of(replace(found, server_time=NOON + 9 * DAY)).missing
    assert any("later than the server’s clock" in one for one in said)


def test_an_empty_range_holds_nothing_and_is_no_error(empty_database):
    found = evidence_of(empty_database)
    assert facts(found) == dict.fromkeys(facts(found), 0)
    assert (found.marks.read, found.oldest, found.refused, len(found.clients)) == (0, None, None, 0)
    assert statement_of(found).complete == (
        "The log holds no request from 21 November 2026, 00:00 UTC to 24 November 2026, 00:00 UTC."
    )
    made = file_of(empty_database)
    assert (made["hashes"]["days"], made["hashes"]["chain"]) == ([], "")


def booked(made: Database, date: str, requests: int) -> None:
    """What LiteLLM has added up on a day."""
    insert(
        made.engine,
        "LiteLLM_DailyUserSpend",
        id=date,
        user_id="",
        date=date,
        api_key=KEY,
        model="m",
        api_requests=requests,
        updated_at=NOON,
    )


def test_requests_in_daily_totals_that_the_log_lacks_are_missing(database):
    made = database(rows=[spend_log(startTime=NOON, team_id="team-1")])
    for date, requests in (("2026-11-22", 5), ("2026-11-23", 3), ("no day", 9)):
        booked(made, date, requests)
    found = evidence_of(made)
    assert found.days["daily_requests"].tolist() == [5, 3]
    assert found.unlogged == 5 + 2
    said = statement_of(found)
    assert not said.is_complete
    assert said.missing[-1] == (
        "At least 7 requests are in LiteLLM’s daily totals and not in the log: deleted, not kept, "
        "or with an ID that was in it. Ledgers compares the two."
    )
    # Of a part of the requests the totals of all say nothing.
    for part in (
        evidence_of(made, replace(FILTERS, team=("team-1",))),
        evidence_of(made, access=Access(Scope(teams=("team-1",)), "auditor")),
    ):
        assert part.unlogged is None
        assert (
            "Unknown: requests in daily totals that the log lacks. Ledgers compares your own."
            in (statement_of(part).unknown)
        )


def test_days_that_no_other_count_covers_are_unknown(database):
    made = database(rows=[spend_log(startTime=NOON - DAY), spend_log(startTime=NOON)])
    gateway(made, "2026-11-22", 1)
    part = Filters(TimeWindow(MIDNIGHT - 2 * DAY, NOON + timedelta(hours=1)))
    found = replace(evidence_of(made, part), server_time=NOON + 9 * DAY)
    assert [one for one in statement_of(found).unknown if "1 day" in one] == [
        "Unknown: requests that the log lacks on 1 day. Only UTC days that are over and wholly in "
        "the range can be compared with other counts."
    ]
    assert statement_of(evidence_of(made)).unknown == (
        "Unknown: requests refused before logging on 1 day without a count of the gateway.",
    )


def test_days_that_only_the_gateway_knows_are_counted(database):
    made = database(rows=[spend_log(startTime=NOON)])
    gateway(made, "2026-11-22", 5, failed=5)
    gateway(made, "2026-11-23", 1)
    found = evidence_of(made)
    assert found.days["day"].tolist() == ["2026-11-22", "2026-11-23"]
    assert (found.total("requests"), found.refused) == (1, 5)
    # Only days that are wholly in the range can be compared.
    part = Filters(TimeWindow(MIDNIGHT - DAY + timedelta(hours=1), MIDNIGHT + DAY))
    assert evidence_of(made, part).refused == 0


@pytest.mark.parametrize(
    ("filters", "access"),
    [
        (FILTERS, Access(Scope(teams=("team-1",)), "admin")),
        (replace(FILTERS, team=("team-1",)), None),
    ],
)
def test_the_gateways_count_is_for_those_who_see_everything(shared, filters, access):
    found = evidence_of(shared, filters, access)
    assert found.refused is None
    assert found.days["gateway_requests"].isna().all()
    assert any("refused before logging" in one for one in statement_of(found).unknown)


def test_a_scope_counts_its_own_requests(shared):
    found = evidence_of(shared, access=Access(Scope(keys=(key_of("guess"),)), "auditor"))
    assert (found.total("requests"), found.oldest) == (1, NOON)


def test_a_viewer_is_told_that_bodies_are_not_for_them(shared):
    found = evidence_of(shared, access=Access(Scope(is_all=True), "viewer"))
    assert (found.total("with_prompt"), found.marks.truncated, found.marks.redacted) == (None,) * 3
    assert statement_of(found).unknown == (
        "Unknown: which messages are stored. They may not be read here.",
    )


def test_missing_grants_are_named(shared, role):
    source = source_of(shared, role(shared, "log_only", ['SELECT ON "LiteLLM_SpendLogs"']))
    found = evidence(source, FILTERS)
    source.engine.dispose()
    assert (found.unresolved_rows, found.refused) == (None, None)
    assert statement_of(found).unknown == (
        "Unknown: owners of keys. The role may not read LiteLLM_VerificationToken.",
        "Unknown: requests refused before logging. The table LiteLLM_DailyGatewayRequests is "
        "missing or not granted.",
        "Unknown: requests in daily totals that the log lacks. The table LiteLLM_DailyUserSpend is "
        "missing or not granted.",
    )


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_version_has_its_evidence(database, version):
    made = database(version, rows=ROWS)
    assert evidence_of(made).total("requests") == 7
    assert file_of(made)["counts"]["hashed_requests"] == 7


COLUMNS = (
    *("request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens"),
    *("completion_tokens", "startTime", "endTime", "model", "model_group"),
    *("custom_llm_provider", "user", "team_id", "end_user", "cache_hit", "status", "session_id"),
)
BODIES = ("messages", "proxy_server_request", "response")


def recomputed(made: Database, columns: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The hash of each hour by day, of rows as a client of PostgreSQL reads them."""
    read = ", ".join(f'"{one}"::text' for one in columns)
    with psycopg2.connect(made.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            f'SELECT {read}, l."startTime", l."endTime" FROM "LiteLLM_SpendLogs" AS l'
            ' ORDER BY l."startTime", l.request_id COLLATE "C"'
        )
        rows = cursor.fetchall()
    connection.close()
    hours: dict[str, bytes] = {}
    for *values, start, end in rows:
        of = dict(zip(columns, values, strict=True))
        of |= {"startTime": iso(start), "endTime": iso(end)}
        line = json.dumps(list(of.values()), ensure_ascii=False)
        hour = f"{start:%Y-%m-%dT%H}"
        hours[hour] = hours.get(hour, b"") + hashlib.sha256(line.encode()).digest()
    by_day: dict[str, dict[str, str]] = {}
    for hour, digests in hours.items():
        by_day.setdefault(hour[:10], {})[hour] = hashlib.sha256(digests).hexdigest()
    return by_day


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


@pytest.mark.parametrize(("bodies", "columns"), [(False, COLUMNS), (True, (*COLUMNS, *BODIES))])
def test_the_hashes_can_be_recomputed(shared, bodies, columns):
    made = file_of(shared, bodies=bodies)
    hashes = made["hashes"]
    assert hashes["columns"] == list(columns)
    by_day = recomputed(shared, columns)
    found = {
        one["date"]: {hour["hour"]: hour["sha256"] for hour in one["hours"]}
        for one in hashes["days"]
    }
    assert found == by_day
    link = ""
    for one in hashes["days"]:
        lines = (f"{hour['hour']} {hour['requests']} {hour['sha256']}\n" for hour in one["hours"])
        assert one["sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()
        link = hashlib.sha256((link + one["sha256"]).encode()).hexdigest()
    assert hashes["chain"] == link
    own = made.pop("sha256")
    assert own == hashlib.sha256(canonical(made)).hexdigest()


def test_odd_text_is_hashed_as_it_is(database):
    odd = 'tab\t quote" back\\ line\n bell\x07 del\x7f snow☃ 😀'
    made = database(rows=[spend_log(startTime=NOON, end_user=odd, spend=1e16, model=odd)])
    (hour,) = file_of(made)["hashes"]["days"][0]["hours"]
    assert {hour["hour"]: hour["sha256"]} == recomputed(made, COLUMNS)["2026-11-23"]


def test_a_whole_file(shared):
    made = file_of(shared)
    hashes, own = made.pop("hashes"), made.pop("sha256")
    assert len(own) == 64
    assert [(one["date"], one["requests"], one["cost_usd"]) for one in hashes["days"]] == [
        ("2026-11-21", 1, "0.1"),
        ("2026-11-22", 2, "0.2000001"),
        ("2026-11-23", 4, "0.5"),
    ]
    assert all(one["truncated"] is None for one in hashes["days"])
    assert made.pop("statement")[0].startswith("Not complete from 21 November 2026")
    assert made == {
        "format": "llm-traceability-evidence/1",
        "made": {"at": "2026-11-24T12:00:00Z", "by": "ada@example.com", "role": "auditor"},
        "range": {"start": "2026-11-21T00:00:00Z", "end": "2026-11-24T00:00:00Z"},
        "filters": {},
        "scope": {"all": True},
        "complete": False,
        "counts": {
            "requests": 7,
            "failures": 2,
            "with_prompt": 3,
            "with_response": 3,
            "without_key": 1,
            "hashed_requests": 7,
            "unresolved_requests": 1,
            "unresolved_keys": 1,
            "refused_before_logging_at_least": 2,
            "in_daily_totals_only_at_least": None,
            "among_newest": {"read": 7, "truncated": 2, "redacted": 1, "in_cold_storage": 1},
            "oldest_in_log": "2026-11-21T00:00:00Z",
            "newest_in_log": "2026-11-23T12:00:00Z",
        },
    }


def test_with_bodies_marks_are_counted_in_all_rows(shared):
    days = file_of(shared, bodies=True)["hashes"]["days"]
    marks = [(one["truncated"], one["redacted"], one["in_cold_storage"]) for one in days]
    assert marks == [(0, 0, 0), (2, 0, 0), (0, 1, 1)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE \"LiteLLM_SpendLogs\" SET spend = 0.3 WHERE request_id = 'cut'",
        "UPDATE \"LiteLLM_SpendLogs\" SET status = NULL WHERE request_id = 'old cut'",
        "DELETE FROM \"LiteLLM_SpendLogs\" WHERE request_id = 'cut'",
    ],
)
def test_a_changed_row_changes_the_hash_of_its_day_alone(database, statement):
    made = database(rows=ROWS)
    before = file_of(made)["hashes"]
    made.execute(statement)
    after = file_of(made)["hashes"]
    changed = [
        one["date"]
        for one, other in zip(before["days"], after["days"], strict=True)
        if one["sha256"] != other["sha256"]
    ]
    assert changed == ["2026-11-22"]
    assert before["chain"] != after["chain"]


def test_a_changed_message_changes_only_a_file_with_bodies(database):
    made = database(rows=ROWS)
    files = [file_of(made, bodies=bodies)["hashes"]["chain"] for bodies in (False, True)]
    made.execute("UPDATE \"LiteLLM_SpendLogs\" SET response = '{}' WHERE request_id = 'first'")
    again = [file_of(made, bodies=bodies)["hashes"]["chain"] for bodies in (False, True)]
    assert (again[0] == files[0], again[1] == files[1]) == (True, False)


def test_a_part_of_a_day_hashes_its_rows_alone(shared):
    hour = Filters(TimeWindow(NOON - DAY, NOON - DAY + timedelta(minutes=30)))
    (one,) = file_of(shared, hour)["hashes"]["days"]
    assert (one["date"], one["requests"]) == ("2026-11-22", 2)
    assert one["hours"][0]["sha256"] == recomputed(shared, COLUMNS)["2026-11-22"]["2026-11-22T12"]


def test_the_ids_of_keys_are_shortened(shared):
    made = file_of(shared, replace(FILTERS, key=(KEY,)))
    assert made["filters"] == {"key": [f"{KEY[:8]}…"]}
    assert KEY not in json.dumps(made)


def test_times_are_those_of_utc(shared):
    berlin = timedelta(hours=1)
    window = TimeWindow(NOON.astimezone(UTC) - berlin, NOON + berlin)
    made = file_of(shared, Filters(window, "Europe/Berlin"))
    assert made["range"] == {"start": "2026-11-23T11:00:00Z", "end": "2026-11-23T13:00:00Z"}


def test_the_page_to_print_has_the_statement_and_the_hashes_and_escapes_all(shared):
    ada = Signatory("<b>ada</b>", Access(Scope(is_all=True), "auditor"))
    source = source_of(shared)
    made = evidence_file(source, replace(FILTERS, model=("<script>",)), ada, NOON + DAY, False)
    whole = evidence_file(source, FILTERS, ada, NOON + DAY, False)
    source.engine.dispose()
    page = printable(whole).decode()
    document = json.loads(whole)
    hashes = [document["sha256"], document["hashes"]["chain"]]
    hashes += [day["sha256"] for day in document["hashes"]["days"]]
    assert all(f"<code>{one}</code>" in page for one in hashes)
    assert all(html.escape(one, quote=False) in page for one in document["statement"])
    assert "&lt;b&gt;ada&lt;/b&gt;, auditor" in page
    assert "<script>" not in printable(made).decode()
