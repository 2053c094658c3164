"""What somebody may see: whose requests, which words, and how much of the installation."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.database import Database
from tests.rows import NOON, failure, spend_log
from tests.sources import FILTERS, source_of
from tracelib import conversation, errors, export, overview, sessions, status, stitching
from tracelib.api import problems
from tracelib.conversation.reading import Reading
from tracelib.conversation.turn_diff import diff_between
from tracelib.page.base import auditing
from tracelib.permissions.access import EVERYONE, FULL, Access, Scope
from tracelib.permissions.people import Listed
from tracelib.permissions.tokens import Token
from tracelib.querying import permissions
from tracelib.querying.installation import Installation, installation, source
from tracelib.querying.query import Query
from tracelib.querying.runner import run_alone, run_together
from tracelib.schema import BODY_COLUMNS
from tracelib.selection import RowId, session
from tracelib.sessions import Scan, SessionSearch

ADMIN, AUDITOR, VIEWER = (Access(EVERYONE, role) for role in ("admin", "auditor", "viewer"))
ROWS = [
    spend_log(team_id="t-1", user="u-1", api_key="k-1", spend=1.0),
    spend_log(team_id="t-2", user="u-1", api_key="k-2", spend=2.0),
    spend_log(team_id="t-2", user="u-2", api_key="k-1", spend=4.0),
    spend_log(team_id="", user="", api_key="", spend=8.0),
    failure(team_id=None, user=None, api_key="k-3", spend=16.0),
]


@pytest.fixture(scope="module")
def log(server):
    database = Database(server)
    database.insert(ROWS)
    yield database
    database.drop()


@pytest.mark.parametrize(
    ("scope", "cost"),
    [
        (EVERYONE, 31.0),
        (Scope(), 0.0),
        (Scope(teams=("t-2",)), 6.0),
        (Scope(users=("u-1",)), 3.0),
        (Scope(keys=("k-1",)), 5.0),
        (Scope(keys=("k-3",)), 16.0),
        (Scope(teams=("t-1",), users=("u-2",), keys=("k-2",)), 7.0),
        (Scope(teams=("t-3", "T-1", "t", "%"), users=("u%",)), 0.0),
        (Scope(teams=("",), users=("",)), 0.0),
        (Scope(teams=("\0", "\ud800", "t-1")), 1.0),
        (Scope(users=("' OR 1=1 --",)), 0.0),
    ],
)
def test_a_scope_is_the_sum_of_its_teams_users_and_keys(log, scope, cost):
    whole = source_of(log)
    seen = overview.totals(whole.seen_by(Access(scope, "viewer")), FILTERS)
    assert (seen.cost_usd or 0.0) == cost
    whole.engine.dispose()


@pytest.mark.parametrize("version", ["2025-03-26", "latest"])
def test_a_scope_holds_on_every_version(database, version):
    old = source_of(database(version=version, rows=ROWS))
    seen = old.seen_by(Access(Scope(teams=("t-2",)), "admin"))
    assert overview.totals(seen, FILTERS).requests == 2


def test_equal_scopes_are_equal_values():
    assert Scope(teams=("b", "a", "a")) == Scope(teams=("a", "b"))
    assert repr(Scope(keys=("b", "a"))) == repr(Scope(keys=("a", "b")))


def test_what_a_role_shows():
    shown = [(one.reads_messages, one.sees_installation) for one in (VIEWER, AUDITOR, ADMIN)]
    assert shown == [(False, False), (True, False), (True, True)]


def test_a_viewer_is_not_even_asked_for_what_was_said(log):
    seen = source_of(log).seen_by(VIEWER)
    assert seen.schema.columns.isdisjoint(BODY_COLUMNS)
    gaps = status.missing(seen)
    assert set(gaps.loc[gaps["kind"] == "grant", "name"]) == BODY_COLUMNS


@pytest.fixture
def installed(log, fresh_caches, monkeypatch) -> Installation:
    monkeypatch.setenv("DATABASE_URL", log.url)
    return installation()


SAID = session(ROWS[0]["session_id"], "k-1")
EVERY_ROLE = {VIEWER, AUDITOR, ADMIN}
REFUSED = [
    (conversation.first_lines, (FILTERS, ()), {AUDITOR, ADMIN}),
    (conversation.snippets, ((), "said"), {AUDITOR, ADMIN}),
    (conversation.turns, (Reading(SAID),), {AUDITOR, ADMIN}),
    (diff_between, (SAID, RowId("a", NOON), RowId("b", NOON)), {AUDITOR, ADMIN}),
    (stitching.conversation_around, (SAID,), {AUDITOR, ADMIN}),
    (sessions.scan, (FILTERS, SessionSearch(said="refund"), None, 1.0), {AUDITOR, ADMIN}),
    (sessions.scan, (FILTERS, SessionSearch(tool="refund"), None, 1.0), {AUDITOR, ADMIN}),
    (sessions.scan, (FILTERS, SessionSearch(has_tool_calls=True), None, 1.0), {AUDITOR, ADMIN}),
    (sessions.scan, (FILTERS, SessionSearch(error_class="E"), None, 1.0), EVERY_ROLE),
    (sessions.scan, (FILTERS, SessionSearch(metadata_key="k"), None, 1.0), EVERY_ROLE),
    (sessions.scanned_sessions, (FILTERS, SessionSearch(said="a"), Scan()), {AUDITOR, ADMIN}),
    (sessions.found_sessions, (FILTERS, SessionSearch(said="a"), None, 9), {AUDITOR, ADMIN}),
    (sessions.session_counts, (FILTERS, SessionSearch(tool="a")), {AUDITOR, ADMIN}),
    (sessions.found_sessions, (FILTERS, SessionSearch("name"), None, 9), EVERY_ROLE),
    (status.server, (), {ADMIN}),
    (status.size, (), {ADMIN}),
    (overview.totals, (FILTERS,), EVERY_ROLE),
]


@pytest.mark.parametrize(("ask", "arguments", "for_whom"), REFUSED)
def test_a_question_is_answered_for_some_roles(installed, ask, arguments, for_whom):
    now = datetime.now(UTC)
    for access in (ADMIN, AUDITOR, VIEWER):
        whose = replace(installed, access=access)
        (answer,) = run_together(whose, now, [Query(ask, arguments)])
        if access in for_whom:
            assert answer.error is None
        else:
            assert (answer.value, type(answer.error)) == (None, errors.NotForThisRole)


EXPORTED = (export.listed_sessions, (FILTERS, SessionSearch(said="a")), {AUDITOR, ADMIN})


@pytest.mark.parametrize(("function", "arguments", "for_whom"), [*REFUSED, EXPORTED])
def test_a_query_that_is_run_alone_is_refused_to_the_same_roles(
    installed, function, arguments, for_whom
):
    for access in {ADMIN, AUDITOR, VIEWER} - for_whom:
        with pytest.raises(errors.NotForThisRole):
            run_alone(replace(installed, access=access), Query(function, arguments))


def test_a_refused_search_is_not_recorded(installed, tmp_path):
    log = tmp_path / "audit.jsonl"
    settings = replace(installed.settings, audit_log=str(log))
    view = SimpleNamespace(installed=replace(installed, settings=settings, access=VIEWER))
    with pytest.raises(errors.NotForThisRole):
        auditing.record_search(view, SessionSearch(said="refund"))
    auditing.record_search(view, SessionSearch("name"))
    assert not log.exists()


def test_a_program_is_told_that_its_role_does_not_show_this():
    problem = problems.of_error(errors.NotForThisRole())
    assert (problem.status, problem.detail.split(".")[0]) == (403, "Your role does not show this")


def test_one_answer_is_never_given_to_another(installed):
    now = datetime.now(UTC)
    asked = [Query(overview.totals, (FILTERS,))]
    costs = []
    for access in (FULL, Access(Scope(teams=("t-2",)), "admin"), Access(Scope(), "admin"), FULL):
        (answer,) = run_together(replace(installed, access=access), now, asked)
        costs.append(answer.value.requests)
    assert costs == [5, 2, 0, 5]


def test_all_ask_over_one_connection(installed):
    whole, part = (source(replace(installed, access=one)) for one in (FULL, VIEWER))
    assert whole.engine is part.engine


def test_a_change_of_who_may_come_in_opens_no_other_connection(installed):
    listed = (Listed(FULL, "ada@example.com"),)
    token = Token("ci", b"digest", FULL)
    changed = replace(installed.settings, people=listed, api_tokens=(token,))
    assert source(replace(installed, settings=changed)).engine is source(installed).engine


def test_what_a_server_says_in_an_error_is_for_admins(installed):
    error = errors.QuestionRefused("column secret of host db.internal")
    assert permissions.for_access(error, ADMIN) is error
    told = permissions.for_access(error, AUDITOR)
    assert (type(told), told.detail) == (errors.QuestionRefused, "")
