"""The list of sessions as files: all that is found, in its order, and no formula."""

import csv
import json
from dataclasses import replace

import pytest

from tests.rows import NOON, name_user, spend_log
from tests.sources import FILTERS, HOUR, records, source_of
from tracelib import export, sessions
from tracelib.export import listed_sessions, sessions_csv, sessions_jsonl
from tracelib.redaction import ALL, NONE
from tracelib.sessions import SessionSearch

HEADINGS = (
    "Last activity (UTC),User,Team,Key,Agent,End user,Models,Cost (USD),Requests,Errors,"
    "Cache hits,Tokens,Duration (ms),First activity (UTC),Ended (UTC),Continues outside the range,"
    "Session"
)
NEWEST_FIRST = SessionSearch()


def rows_of(count: int) -> list[dict]:
    """So many sessions, the last one newest, of one request each."""
    return [
        spend_log(session_id=f"s{n}", startTime=NOON + n * HOUR / 1_000, spend=n / 8)
        for n in range(count)
    ]


def csv_of(pages, redaction=NONE, **limits) -> list[list[str]]:
    text = b"".join(sessions_csv(pages, redaction, **limits)).decode("utf-8-sig")
    return list(csv.reader(text.splitlines(keepends=True)))


def jsonl_of(pages, redaction=NONE, **limits) -> list[dict]:
    text = b"".join(sessions_jsonl(pages, redaction, **limits)).decode()
    return [json.loads(line) for line in text.splitlines()]


def test_a_session_is_a_line_with_times_in_utc_and_units_in_the_heading(database):
    log = database(
        rows=[
            spend_log(session_id="s", end_user="zoë", agent_id="a", spend=0.1),
            spend_log(session_id="s", startTime=NOON + HOUR, model_group="o3, mini"),
        ]
    )
    pages = list(listed_sessions(source_of(log), FILTERS, NEWEST_FIRST))
    heading, line = csv_of(pages)
    assert heading == HEADINGS.split(",")
    assert line == [
        "2026-11-23T12:00:00.000Z",
        *("user-1", "team-1", line[3], "a", "zoë", "gpt-4o"),
        *("0.1", "1", "0", "0", "15", "1000.0"),
        "2026-11-23T12:00:00.000Z",
        "2026-11-23T12:00:01.000Z",
        *("yes", "s"),
    ]
    assert jsonl_of(pages) == [
        {
            "last_started_at": "2026-11-23T12:00:00.000Z",
            "user_name": "user-1",
            "team_name": "team-1",
            "key_name": line[3],
            "agent": "a",
            "end_user": "zoë",
            "models": "gpt-4o",
            "cost_usd": 0.1,
            "requests": 1,
            "failures": 0,
            "cache_hits": 0,
            "total_tokens": 15,
            "duration_ms": 1000.0,
            "started_at": "2026-11-23T12:00:00.000Z",
            "ended_at": "2026-11-23T12:00:01.000Z",
            "goes_on": True,
            "session_id": "s",
        }
    ]


@pytest.mark.parametrize("sort", ["recent", "cost", "length"])
def test_the_files_hold_the_list_page_after_page(database, monkeypatch, sort):
    monkeypatch.setattr("tracelib.export.session_list.PAGE_LENGTH", 3)
    source = source_of(database(rows=rows_of(10)))
    search = SessionSearch(sort=sort)
    listed = records(sessions.found_sessions(source, FILTERS, search).rows)
    pages = list(listed_sessions(source, FILTERS, search))
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert [line[-1] for line in csv_of(pages)[1:]] == [row["session_id"] for row in listed]
    read = [{**row, "cost": float(row["cost_usd"])} for row in jsonl_of(pages)]
    assert [row["cost"] for row in read] == [row["cost_usd"] for row in listed]
    assert [float(line[7]) for line in csv_of(pages)[1:]] == [row["cost_usd"] for row in listed]


def test_only_what_is_filtered_and_sought_is_in_them(database):
    log = database(rows=[*rows_of(3), spend_log(session_id="o", model_group="o3", spend=9)])
    source = source_of(log)
    filters = replace(FILTERS, model=("o3",))
    assert [
        row["session_id"] for row in jsonl_of(listed_sessions(source, filters, NEWEST_FIRST))
    ] == ["o"]
    dear = SessionSearch(min_cost_usd=5.0)
    assert [line[-1] for line in csv_of(listed_sessions(source, FILTERS, dear))[1:]] == ["o"]


def test_a_search_in_documents_is_read_to_its_end(database):
    said = {"messages": [{"role": "user", "content": "an umbrella"}]}
    log = database(rows=[*rows_of(3), spend_log(session_id="said", proxy_server_request=said)])
    pages = list(listed_sessions(source_of(log), FILTERS, SessionSearch(said="umbrella")))
    assert [row["session_id"] for row in jsonl_of(pages)] == ["said"]


def test_of_no_sessions_there_is_the_heading(empty_database):
    pages = list(listed_sessions(source_of(empty_database), FILTERS, NEWEST_FIRST))
    assert csv_of(pages) == [HEADINGS.split(",")]
    assert jsonl_of(pages) == []


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "=\"a\",'b'\n=2"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(database, formula):
    row = spend_log(session_id=formula, end_user=formula, model_group=formula, spend=-0.5)
    log = database(rows=[row])
    name_user(log.engine, "user-1", alias=formula)
    pages = list(listed_sessions(source_of(log), FILTERS, NEWEST_FIRST))
    (line,) = csv_of(pages)[1:]
    assert [line[column] for column in (1, 5, 6, 16)] == [f"'{formula}"] * 4
    assert line[7] == "-0.5"
    assert jsonl_of(pages)[0]["session_id"] == formula


def test_names_are_masked(database):
    row = spend_log(session_id="ada@example.org", end_user="bo@example.org", user="x@example.org")
    pages = list(listed_sessions(source_of(database(rows=[row])), FILTERS, NEWEST_FIRST))
    (line,) = csv_of(pages, ALL)[1:]
    assert [line[column] for column in (1, 5, 16)] == ["[e-mail]"] * 3
    assert "@" not in json.dumps(jsonl_of(pages, ALL))
    assert jsonl_of(pages)[0]["end_user"] == "bo@example.org"


@pytest.mark.parametrize("length", [2, 3])
def test_where_the_list_goes_on_beyond_the_file_its_last_line_says_so(
    database, monkeypatch, length
):
    monkeypatch.setattr("tracelib.export.session_list.PAGE_LENGTH", length)
    source = source_of(database(rows=rows_of(5)))
    found = list(listed_sessions(source, FILTERS, NEWEST_FIRST))
    note = "The list is longer: this file contains the first 4 sessions."
    lines = csv_of(found, most=4)
    assert (len(lines), lines[-1]) == (6, [note])
    assert jsonl_of(found, most=4)[4:] == [{"note": note}]
    assert len(csv_of(found, most=5)) == 6
    assert [row["session_id"] for row in jsonl_of(found, most=5)] == ["s4", "s3", "s2", "s1", "s0"]


def test_pages_are_asked_for_one_at_a_time(database, monkeypatch):
    monkeypatch.setattr("tracelib.export.session_list.PAGE_LENGTH", 2)
    asked = []

    def counted(*arguments):
        asked.append(arguments)
        return found_sessions(*arguments)

    found_sessions = sessions.found_sessions
    monkeypatch.setattr(sessions, "found_sessions", counted)
    pages = export.listed_sessions(source_of(database(rows=rows_of(4))), FILTERS, NEWEST_FIRST)
    written = export.sessions_jsonl(pages, NONE)
    next(written)
    assert len(asked) == 1
    assert len(list(written)) == 1
    assert len(asked) == 2
