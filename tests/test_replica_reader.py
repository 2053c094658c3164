"""The replica answers every portable question as PostgreSQL does, or leaves it to PostgreSQL."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Numeric, cast, func, literal, select
from sqlalchemy.exc import CompileError

from tests import litellm, rows
from tests.database import Database
from tests.questions import Ask, of_a_window
from tests.replicas import PLACES, opened, seen, written
from tests.rows import NOON, failure, key_of, name_key, name_team, spend_log
from tests.sources import FILTERS, WINDOW, records, source_of
from tests.test_scopes import OFFERED
from tracelib import changes, costs, errors, ledgers, models, overview, sessions, status
from tracelib.costs.kinds import KINDS
from tracelib.costs.sums import DIMENSIONS
from tracelib.filters import NONE, Filters
from tracelib.ledgers.logged import Logged, models_of_cell
from tracelib.ledgers.subtotals import EVERY, SUMMED, added_up
from tracelib.permissions.access import Access, Scope
from tracelib.querying.dispatch import is_portable
from tracelib.replica import manifest as manifests
from tracelib.replica.dialect import compiled
from tracelib.replica.files import AT_ONCE, Files
from tracelib.replica.reader import Replica
from tracelib.replica.settings import ReplicaSettings
from tracelib.sessions import SessionSearch
from tracelib.sessions.cursor import Cursor
from tracelib.sessions.search import SORTS
from tracelib.source import NotHeld, Postgres
from tracelib.spendlogs.types import MONEY
from tracelib.window import TimeWindow, fitting_bucket

DAY = timedelta(days=1)
SEARCHES = {
    "cost": SessionSearch(sort="cost"),
    "errors": SessionSearch(sort="errors"),
    "duration": SessionSearch(sort="duration"),
    "tokens": SessionSearch(sort="tokens"),
    "named": SessionSearch(text="a"),
    "of a key": SessionSearch(text="alice-key"),
    "tagged": SessionSearch(tag="prod"),
    "narrow": SessionSearch(min_cost_usd=0.00001, max_models=2, min_requests=1),
    "long": SessionSearch(many_requests_only=True, min_duration_s=0.1),
    "of an API": SessionSearch(call_type="acompletion", min_models=1),
    "failing": SessionSearch(status="with failures", min_error_share=0.1),
}
KEYS = ("", "litellm_proxy_master_key")
MOST_DAYS = 40 * DAY
# Read bodies, or are about PostgreSQL itself.
NOT_PORTABLE = {"suggestions"}


def questions(filters: Filters) -> dict[str, Ask]:
    """Every question that a replica answers, about this window."""
    bucket = fitting_bucket(filters.window)
    asks = {name: ask for name, ask in of_a_window(filters).items() if name not in NOT_PORTABLE}
    names = ("gpt-4o", "claude")
    first = filters.window.start.date()
    # PostgreSQL reads the days of a ledger one by one.
    last = min(filters.window.end.date(), first + MOST_DAYS)
    asks |= {
        "series": lambda source: models.over_time_by_model(source, filters, bucket, names),
        "losses": lambda source: status.losses(source, filters, newest=10**9),
        "log start": lambda source: overview.log_start(source, filters),
        "count": lambda source: sessions.session_counts(source, filters, SessionSearch()),
        "ledgers": lambda source: whole_log(ledgers.logged(source, first, last)),
        "cells of ledgers": lambda source: ledgers.log_cells(source, first, last),
        "details": lambda source: ledgers.log_details(source, first + DAY, KEYS, ("prod",)),
        "ledgers from": lambda source: ledgers.logged_from(
            source, filters.window.start.isoformat()
        ),
        "models of a cell": lambda source: models_of_cell(source, first + DAY, "", "gpt-4o"),
        "comparison": lambda source: changes.comparison(source, filters),
        "first seen": lambda source: changes.first_seen(source, filters),
        **{
            f"changed sessions by {measure}": lambda source, measure=measure: (
                changes.changed_sessions(source, filters, measure)
            )
            for measure in changes.MEASURES
        },
        "whole cost": lambda source: costs.whole_cost(source, filters),
        "paces": lambda source: costs.paces(source, filters.window.end, tuple(KINDS)),
        "page by page": lambda source: pages(source, filters, SessionSearch(sort="length")),
    }
    for by in DIMENSIONS:
        asks[f"cost by {by}"] = lambda source, by=by: (
            costs.cost_table(source, filters, by, "day", 4),
            costs.daily_costs(source, filters, by, (None, "team-1", "gpt-4o", "prod")),
        )
    for name, search in SEARCHES.items():
        asks[f"list {name}"] = lambda source, search=search: (
            sessions.found_sessions(source, filters, search, limit=500).rows
        )
    return asks


def whole_log(log: Logged) -> tuple[Any, ...]:
    """The subtotals of all days, which PostgreSQL reads one by one, and the tags."""
    sums = {(owner, by): added_up(by, owner, log.subtotals, {}) for owner in SUMMED for by in EVERY}
    checks = sorted(
        (one.owner, one.id, one.check)
        for part in log.subtotals
        for one in part.rows
        if one.by == "day"
    )
    return sums, checks, log.tags


def pages(source: Any, filters: Filters, search: SessionSearch, limit: int = 7) -> list[str]:
    found, after = [], None
    for _ in range(40):
        page = sessions.found_sessions(source, filters, search, after, limit)
        found += list(page.rows["session_key"])
        if page.next is None:
            return found
        after = page.next
    return found


def assert_same(name: str, found: Any, expected: Any) -> None:
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True, obj=name)
    else:
        assert found == expected, name


def assert_all_same(replica: Replica, source: Postgres, filters: Filters) -> None:
    for name, ask in questions(filters).items():
        assert_same(name, ask(replica), ask(source))


def whole(database: Database) -> Filters:
    """A window with all rows of this log, and a day around them."""
    ((first, last),) = database.execute(
        'SELECT min("startTime"), max("startTime") FROM "LiteLLM_SpendLogs"'
    )
    start, end = first.replace(tzinfo=UTC) - DAY, last.replace(tzinfo=UTC) + DAY
    return Filters(TimeWindow(start, end), zone="Asia/Kolkata")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_portable_question_has_the_same_answer_on_true_rows(
    database, version, place, server, tmp_path
):
    log = database(version, rows.real_rows())
    source = source_of(log)
    with PLACES[place](source, server, tmp_path) as replica:
        assert_all_same(replica, source, whole(log))


def test_it_is_asked_every_portable_question():
    portable = {name for name, one in OFFERED.items() if is_portable(one)}
    assert portable == {
        *("changes.comparing.changed_sessions", "changes.comparing.comparison"),
        "changes.markers.first_seen",
        *("findings.drivers.drivers", "findings.hourly.hourly"),
        *("findings.repeating.repeated_by_keys", "findings.repeating.repeated_in_sessions"),
        *("facets.facets", "models.deployments", "models.over_time_by_model"),
        *("incidents.incidents.incidents", "incidents.health.compared_health"),
        *("models.usage_by_model", "overview.costs.cache_savings", "overview.costs.cost_by_owner"),
        *("overview.costs.cost_by_tag", "overview.costs.prompt_caching"),
        *("overview.over_time.busy_hours", "overview.over_time.new_sessions"),
        "overview.over_time.over_time",
        *("overview.totals.log_start", "overview.totals.sessions", "overview.totals.totals"),
        *("costs.daily.daily_costs", "costs.daily.whole_cost", "costs.paces.paces"),
        "costs.table.cost_table",
        *("ledgers.logged.logged", "ledgers.logged.log_cells", "ledgers.logged.log_details"),
        *("ledgers.windows.logged_from", "ledgers.logged.models_of_cell"),
        *("sessions.listing.found_sessions", "sessions.listing.session_counts"),
        *("quality.counting.counts", "sessions.figures.models_of"),
        *("savings.caching.resent", "savings.repricing.uses", "savings.tools.unused_tools"),
        *("savings.waste.waste", "savings.waste.waste_of_bodies"),
        "sessions.listing.sessions_over_time",
        *("status.failures.failure_groups", "status.failures.failures_over_time"),
        *("status.failures.losses", "status.failures.newest_failures"),
    }


@pytest.fixture(scope="module", params=PLACES)
def both(server, tmp_path_factory, request) -> Iterator[tuple[Replica, Postgres]]:
    """The true rows in three copies a day apart, as a replica and as the log."""
    folder = tmp_path_factory.mktemp("replica")
    log = Database(server)
    try:
        made = rows.real_rows()
        log.insert(made)
        log.execute(
            """CREATE TEMP TABLE copy AS SELECT * FROM "LiteLLM_SpendLogs" """,
            *(
                f"""INSERT INTO "LiteLLM_SpendLogs" SELECT (jsonb_populate_record(copy,
                jsonb_build_object('request_id', request_id || '-{day}',
                'session_id', nullif(session_id, '') || '-{day}',
                'startTime', "startTime" - interval '{day} days 7 hours',
                'endTime', "endTime" - interval '{day} days 7 hours'))).* FROM copy"""
                for day in (1, 2)
            ),
        )
        name_team(log.engine, "team-red", "Red team")
        source = source_of(log)
        with PLACES[request.param](source, server, folder) as replica:
            yield replica, source
        source.engine.dispose()
    finally:
        log.drop()


LAST = datetime(2026, 11, 23, 9, tzinfo=UTC)
windows = st.builds(
    lambda back, length: TimeWindow(LAST - back - length, LAST - back),
    st.timedeltas(timedelta(0), 3 * DAY),
    st.timedeltas(timedelta(milliseconds=1), 4 * DAY),
)
some = {
    "model": ["gpt-4o", "claude", "no such model", "bad-auth"],
    "provider": ["openai", "anthropic", NONE],
    "user": ["alice@example.com", "bob", NONE],
    "team": ["team-red", "team-blue", NONE],
    "key": [key_of("x"), NONE, "litellm-internal-health-check"],
}
filters = st.builds(
    Filters,
    window=windows,
    zone=st.sampled_from(["UTC", "Europe/Paris", "Asia/Kolkata", "America/St_Johns"]),
    **{
        name: st.lists(st.sampled_from(values), max_size=2).map(tuple)
        for name, values in some.items()
    },
)
scopes = st.just(Scope(is_all=True)) | st.builds(
    Scope,
    teams=st.lists(st.sampled_from(["team-red", "team-blue", "x"]), max_size=2).map(tuple),
    users=st.lists(st.sampled_from(["bob", "alice@example.com"]), max_size=1).map(tuple),
    keys=st.lists(st.sampled_from(["litellm-internal-health-check"]), max_size=1).map(tuple),
)
EXAMPLES = int(os.environ.get("TRACELIB_REPLICA_EXAMPLES", "30"))


@settings(max_examples=EXAMPLES)
@given(filters, scopes, st.data())
def test_any_filters_window_zone_and_scope_have_the_same_answer(both, filters, scope, data):
    replica, source = both
    access = Access(scope, "viewer")
    replica, source = replace(replica, scope=scope), source.seen_by(access)
    asks = questions(filters)
    some_names = st.lists(st.sampled_from(sorted(asks)), min_size=4, max_size=4)
    names = data.draw(some_names)
    for name in names:
        assert_same(name, asks[name](replica), asks[name](source))


ODD = {
    "spend": [float("nan"), float("inf"), float("-inf"), 1e300, 1e-15, -0.1, 0.1 + 0.2, 1e15],
    "model_group": ["", 'a "quoted", name', "two\nlines", "é😀", "\\N", "x" * 150, "NULL"],
    "user": ["", "a,b", '"', "\\.", " ", "null"],
    "session_id": ["", None, "s:1", "s,\n1"],
    "request_tags": [[], ["", "a", "a", "User-Agent: x"], {"no": "list"}, '"text"', ["b\x1fc"]],
    "startTime": [NOON, datetime(1999, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)],
}


@pytest.mark.parametrize("place", PLACES)
def test_odd_values_are_what_the_relation_makes_of_them(database, place, server, tmp_path):
    made = [spend_log(**{name: value}) for name, values in ODD.items() for value in values]
    made += [failure(user="u" * 2_000_000), failure(metadata={"error_information": "no object"})]
    log = database(rows=made)
    log.execute(
        """UPDATE "LiteLLM_SpendLogs" SET "startTime" = 'infinity' WHERE spend = 1e-15""",
        """UPDATE "LiteLLM_SpendLogs" SET "endTime" = '20000-01-01' WHERE spend = -0.1""",
    )
    source = source_of(log)
    with PLACES[place](source, server, tmp_path) as replica:
        # A start before 2000 or after 2200 is a wrong clock, and at that edge in a replica.
        for window in (WINDOW, TimeWindow(datetime(2000, 1, 2, tzinfo=UTC), NOON + 400 * DAY)):
            assert_all_same(replica, source, Filters(window))


@pytest.mark.parametrize("place", PLACES)
def test_names_are_those_of_the_tables_or_of_the_newest_row(database, place, server, tmp_path):
    gone = key_of("gone")
    made = [
        spend_log(metadata={"user_api_key_alias": "in the row"}, api_key=gone),
        spend_log(team_id="t", metadata={"user_api_key_team_alias": "also in the row"}),
        spend_log(team_id="t2"),
    ]
    log = database(rows=made)
    name_key(log.engine, rows.KEY, "in the table")
    name_team(log.engine, "t2", "Second team")
    source = source_of(log)
    with PLACES[place](source, server, tmp_path) as replica:
        owners = overview.cost_by_owner(replica, FILTERS)
    names = dict(zip(owners["id"], owners["name"], strict=True))
    assert (names[gone], names[rows.KEY]) == ("in the row", "in the table")
    assert (names["t"], names["t2"]) == ("also in the row", "Second team")


def test_what_it_does_not_hold_is_left_to_postgresql(database, tmp_path):
    source = source_of(database(rows=[spend_log(), spend_log(startTime=NOON - 3 * DAY)]))
    with opened(written(source, tmp_path)) as files:
        replica = seen(files)
        for ask in (
            lambda: sessions.found_sessions(replica, FILTERS, SessionSearch(id="x")),
            lambda: replica.by_id("request_id", ["x"]),
            lambda: replica.finds_calls(),
        ):
            with pytest.raises(NotHeld):
                ask()
        hour = int(NOON.timestamp()) // 3600
        filling = replace(replica, manifest=replace(replica.manifest, complete_from=hour))
        assert overview.totals(filling, FILTERS).requests == 1
        with pytest.raises(NotHeld):
            overview.totals(filling, FILTERS.previous())
        listed = sessions.found_sessions(filling, FILTERS, SessionSearch()).rows
        assert records(listed[["requests", "goes_on"]]) == [{"requests": 1, "goes_on": None}]


MOMENTS = ("0001-01-01T00:00:00", "2026-11-23T08:30:00", "9999-12-31T23:59:59")


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("last_start", MOMENTS)
def test_any_place_in_the_list_leads_to_the_same_page(both, sort, last_start):
    moment = datetime.fromisoformat(last_start)
    value = f"{last_start}+00:00" if sort == "recent" else "3"
    after = Cursor(sort, value, moment, "m").written()
    asked = Filters(TimeWindow(LAST - 4 * DAY, LAST + DAY)), SessionSearch(sort=sort), after, 5
    shown, expected = (sessions.found_sessions(source, *asked) for source in both)
    assert (shown.next is None, shown.complaint) == (expected.next is None, expected.complaint)
    assert_same(sort, shown.rows, expected.rows)


@pytest.mark.parametrize("sort", ["recent", "length"])
def test_sessions_that_differ_only_by_their_keys_come_in_their_order(sort, database, tmp_path):
    """More of them than are read beyond a page, and pages that end among them."""
    names = [f"{number:03}-{'aZé😀'[number % 4]}" for number in range(150)]
    logs = [spend_log(session_id=name, startTime=NOON) for name in names]
    logs += [spend_log(session_id=name, startTime=NOON + DAY / 48) for name in ("late", "later")]
    source = source_of(database(rows=logs))
    expected = [f"{name}:{rows.KEY}" for name in ("late", "later", *sorted(names))]
    search = SessionSearch(sort=sort)
    with opened(written(source, tmp_path)) as files:
        for one in (seen(files), source):
            assert pages(one, FILTERS, search, limit=49) == expected


def test_a_number_without_a_precision_is_refused_rather_than_rounded():
    with pytest.raises(CompileError):
        compiled(select(cast(literal("0.0001"), Numeric)))
    text, values = compiled(select(cast(literal("0.0001"), MONEY)))
    assert (text, values) == ("SELECT CAST($1 AS NUMERIC(38, 15)) AS anon_1", ["0.0001"])


def test_a_question_that_takes_too_long_is_stopped(both):
    replica, _ = both
    one, other = (
        func.generate_series(1, 100_000).table_valued("n", name=name).render_derived()
        for name in ("one", "other")
    )
    both_of_them = one.join(other, one.c.n * other.c.n % 7 == 1)
    slow = select(func.count()).select_from(both_of_them)
    hasty = replace(replica, timeout_s=0.3)
    started = time.perf_counter()
    with pytest.raises(errors.QuestionTooSlow):
        hasty.rows(slow)
    assert time.perf_counter() - started < 10


def test_queries_run_two_at_once_and_the_others_wait_their_turn(tmp_path):
    files = Files(ReplicaSettings(tmp_path), 1)
    with ThreadPoolExecutor(1) as threads:
        for _ in range(AT_ONCE):
            files._turns.acquire()
        waiting = threads.submit(files.rows, "SELECT 7", [], 5.0)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        files._turns.release()
        assert waiting.result(10) == [(7,)]
    files.close()


def test_a_replica_that_was_replaced_is_read_as_it_is_now(database, tmp_path):
    log = database(rows=[spend_log()])
    source = source_of(log)
    made = written(source, tmp_path)
    with opened(made) as files:
        before = seen(files)
        log.insert([spend_log()])
        for path in tmp_path.glob("manifest*.json"):
            path.unlink()
        written(source, tmp_path)
        assert overview.totals(seen(files), FILTERS).requests == 2
        assert overview.totals(before, FILTERS).requests == 1


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "manifest.json").write_text("{"), errors.ReplicaDamaged.sentence),
        (
            lambda folder: _edit(folder, f'"format":{manifests.FORMAT}', '"format":99'),
            errors.ReplicaOfNewerVersion.sentence,
        ),
        (
            lambda folder: [_truncate(path) for path in folder.glob("span-*.duckdb")],
            errors.ReplicaDamaged.sentence,
        ),
        (
            lambda folder: [path.unlink() for path in folder.glob("span-*.duckdb")],
            errors.ReplicaDamaged.sentence,
        ),
    ],
    ids=["no JSON", "newer", "truncated", "missing"],
)
def test_a_replica_that_cannot_be_read_is_none_and_says_so(
    database, tmp_path, damage: Callable, sentence: str
):
    made = written(source_of(database(rows=[spend_log()])), tmp_path)
    damage(tmp_path)
    with opened(made) as files:
        assert files.current() is None
        assert files.sentence.startswith(sentence)


def _edit(folder, old: str, new: str) -> None:
    path = folder / "manifest.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _truncate(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_without_a_folder_there_is_no_replica(tmp_path):
    with opened(ReplicaSettings(tmp_path / "none")) as files:
        assert (files.current(), files.sentence) == (None, "")
    assert isinstance(files, Files)
