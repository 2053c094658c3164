"""Two teams in one log never see each other: in no question, on no page, in no file.

Each question that takes a source is asked as one team, and its answer must be the very one that
a log with only that team's requests gives. A question that is not asked here fails the tests.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

import tracelib
from tests.database import Database
from tests.replicas import PLACES
from tests.rows import NOON, row_id
from tests.sources import FILTERS, HOUR, source_of
from tests.two_teams import (
    AMBER,
    BASALT,
    SAID,
    SHARED_KEY,
    name,
    own_keys,
    rows_of,
    selection,
    text_of,
    text_of_page,
)
from tests.visiting import people, signed_in, turned_to, visit
from tracelib import errors, facets, models
from tracelib.changes import MEASURES
from tracelib.conversation.reading import Reading
from tracelib.costs.kinds import KINDS
from tracelib.costs.sums import DIMENSIONS as COST_DIMENSIONS
from tracelib.evidence import Signatory
from tracelib.filters import Filters
from tracelib.findings.anomalies import TESTED
from tracelib.incidents import Interval
from tracelib.overview.totals import REACH
from tracelib.permissions.access import EVERYONE, FULL, Access, Scope
from tracelib.quality import WITH_EXAMPLES
from tracelib.querying.dispatch import is_portable
from tracelib.redaction import NONE
from tracelib.replica.reader import Replica
from tracelib.selection import RowId, Selection
from tracelib.sessions import Scan, SessionSearch, scan
from tracelib.source import NotHeld, Postgres, Source
from tracelib.window import BUCKETS, TimeWindow

BUCKET = BUCKETS["1m"]
ROWS = [*rows_of(AMBER), *rows_of(BASALT)]
AMBERS = Access(Scope(teams=(AMBER,)), "admin")
VIEWER = Access(EVERYONE, "viewer")
# They tell of the database as a whole, and are refused to all but admins.
OF_THE_INSTALLATION = {"status.database.server", "status.database.size"}
# They read other tables, too, or are empty for both teams: `test_ledgers_scopes`.
OF_LEDGERS = {
    *("ledgers.booked.booked", "ledgers.logged.uncounted", "ledgers.daily.daily_details"),
    "ledgers.daily.daily_cells",
    "ledgers.automatic.automatic",
}
# They tell of the proxy or the log as a whole, and are refused to those who see a part.
OF_THE_WHOLE_LOG = {
    "costs.other_names.other_names",
    "incidents.health.health_checks",
    "savings.tool_tables.tools_without_calls",
    "status.retention.retention",
}
# Of these rows it finds nothing, whosever they are.
TELLS_NOTHING = {
    *("changes.markers.first_seen", "changes.prices.price_changes", "changes.recorded.recorded"),
    "findings.repeating.repeated_by_keys",
    "findings.repeating.repeated_in_sessions",
    "quality.by_index.odd",
    "quality.unreadable.unreadable",
    "savings.prices.own_prices",
    "savings.tools.unused_tools",
    "status.database.missing",
}
PLAIN = SessionSearch()
# As far back as its log is looked at, it holds one request, of basalt's.
AFTER_AMBERS_LAST = Filters(
    TimeWindow(NOON + REACH + timedelta(seconds=43), NOON + REACH + 2 * HOUR)
)


def chosen(mark: str) -> tuple[Filters, ...]:
    return FILTERS, replace(FILTERS, team=(mark,), user=(mark,), key=(SHARED_KEY,))


def of_team(mark: str) -> Filters:
    return replace(FILTERS, team=(mark,))


def selections(mark: str) -> Iterable[Selection]:
    """A conversation; a retry, a chain and stitched requests that lead to the other team."""
    alone = "alone-0" if mark == AMBER else "alone-1"
    yield from (selection(mark, one) for one in ("talk", "lost", "chain-3", alone))
    yield Selection(SHARED_KEY, ("shared",))
    yield Selection(SHARED_KEY, (), tuple(rows_called(f"{mark}-talk-2", f"{mark}-again")))


def rows_called(*request_ids: str) -> list[RowId]:
    """The rows of these ids, whosever they are."""
    return [row_id(row) for one in request_ids for row in ROWS if row["request_id"] == one]


def searches(mark: str) -> Iterable[SessionSearch]:
    yield PLAIN
    yield replace(PLAIN, text=f"{mark}@example.com")
    yield replace(PLAIN, id=f"{mark}-call-lost")
    yield replace(PLAIN, tag=f"{mark} tag", end_user=f"{mark} end user", agent=f"{mark} agent")


def scans(mark: str) -> Iterable[SessionSearch]:
    """What is sought in documents."""
    yield replace(PLAIN, said=SAID)
    yield replace(PLAIN, tool=f"{mark}_tool", has_tool_calls=True)
    yield replace(PLAIN, error_class=f"{mark}Error")
    yield replace(PLAIN, metadata_key="note", metadata_value=f"{mark} note")


def whole_scan(whole: Postgres) -> Scan:
    """What somebody has found who may see all."""
    return scan(whole, FILTERS, replace(PLAIN, said=SAID))


# What a question is asked beside the source, by whose requests the arguments name. What is made
# of the whole log by somebody else is made when it is asked.
Asked = Callable[[str], Iterable[tuple[Any, ...]]]


def each(arguments: Callable[[str], Iterable[Any]], *more: Any) -> Asked:
    return lambda mark: ((one, *more) for one in arguments(mark))


def listing(*more: Any) -> Asked:
    return lambda mark: ((FILTERS, one, *more) for one in searches(mark))


def once(*arguments: Any) -> Asked:
    return lambda _: [arguments]


QUESTIONS: dict[str, Asked] = {
    "changes.comparing.changed_sessions": lambda mark: [
        (one, measure) for one in chosen(mark) for measure in MEASURES
    ],
    "changes.comparing.comparison": each(chosen),
    "changes.markers.first_seen": once(FILTERS),
    "changes.prices.price_changes": once(FILTERS),
    "changes.recorded.recorded": once(FILTERS),
    "conversation.links.chained": each(selections),
    "conversation.links.linked_sessions": each(selections),
    "conversation.shown_text.first_lines": lambda mark: [
        (FILTERS, [(f"{one}:{SHARED_KEY}", one) for one in (f"{mark}-talk", "shared")])
    ],
    "conversation.order.turn_order": each(selections),
    "conversation.shown_text.snippets": lambda mark: [
        (rows_called(f"{mark}-talk", f"{mark}-in-shared"), SAID)
    ],
    "conversation.reading.turns": lambda mark: ((Reading(one),) for one in selections(mark)),
    "conversation.attempts.same_prompt_neighbours": each(selections),
    "conversation.turn_diff.diff_between": lambda mark: [
        (selection(mark, "talk"), *rows_called(f"{mark}-talk", f"{mark}-talk-2"))
    ],
    "evidence.counts.evidence": lambda mark: [(of_team(mark),)],
    "evidence.document.evidence_file": lambda mark: [
        (of_team(mark), Signatory("ada@example.com", AMBERS), NOON, is_whole)
        for is_whole in (False, True)
    ],
    "key_review.review.key_review": lambda mark: [(of_team(mark),)],
    "costs.daily.daily_costs": lambda mark: [
        (one, by, (None, mark, f"{mark} {by.replace('_', ' ')}"))
        for one in chosen(mark)
        for by in COST_DIMENSIONS
    ],
    "costs.daily.whole_cost": each(chosen),
    "costs.limits.limits": once(),
    "costs.paces.paces": once(NOON + HOUR, tuple(KINDS)),
    "costs.table.cost_table": lambda mark: [
        (one, by, "day") for one in chosen(mark) for by in COST_DIMENSIONS
    ],
    "findings.drivers.drivers": each(chosen, False),
    "findings.hourly.hourly": lambda mark: [
        (filters, dimension) for filters in chosen(mark) for dimension in TESTED
    ],
    "findings.repeating.repeated_by_keys": each(chosen),
    "findings.repeating.repeated_in_sessions": each(chosen),
    "facets.facets": once(NOON + HOUR),
    "incidents.incidents.incidents": each(chosen, NOON + HOUR),
    "incidents.health.compared_health": lambda mark: [
        (FILTERS, (Interval(f"{mark} model", None, "healthy", NOON, NOON + HOUR),))
    ],
    "export.document.session_document": each(selections, NONE, NOON),
    "export.session_list.listed_sessions": lambda mark: [
        (FILTERS, PLAIN),
        (FILTERS, replace(PLAIN, said=f"{mark} {SAID}")),
    ],
    "ledgers.logged.log_details": lambda mark: [
        (NOON.date(), (SHARED_KEY,), (f"{mark} tag",)),
    ],
    "ledgers.logged.logged": once(NOON.date(), NOON.date()),
    "ledgers.logged.log_cells": once(NOON.date(), NOON.date()),
    "ledgers.windows.logged_from": once((NOON + HOUR / 120).isoformat()),
    "ledgers.logged.models_of_cell": lambda mark: [
        (NOON.date(), SHARED_KEY, f"{mark} provider/{mark} model"),
    ],
    "models.deployments": each(chosen),
    "models.over_time_by_model": lambda mark: [(FILTERS, BUCKET, (f"{mark} model",))],
    "models.usage_by_model": each(chosen),
    "overview.costs.cache_savings": each(chosen),
    "overview.costs.prompt_caching": each(chosen),
    "overview.totals.log_start": each(lambda _: (FILTERS, AFTER_AMBERS_LAST)),
    "overview.over_time.busy_hours": each(chosen),
    "overview.over_time.new_sessions": each(chosen, BUCKET),
    "overview.over_time.over_time": each(chosen, BUCKET),
    "overview.costs.cost_by_owner": each(chosen),
    "overview.costs.cost_by_tag": each(chosen),
    "overview.totals.sessions": each(chosen),
    "overview.totals.totals": each(chosen),
    "quality.by_index.odd": each(chosen, NOON + HOUR),
    "quality.examples.examples": lambda mark: [
        (one, name, NOON + HOUR) for one in chosen(mark) for name in sorted(WITH_EXAMPLES)
    ],
    "quality.counting.counts": each(chosen),
    "quality.sampling.sampled": each(chosen),
    "quality.unreadable.unreadable": once(),
    "savings.caching.resent": each(chosen),
    "savings.prices.own_prices": each(chosen),
    "savings.repricing.uses": each(chosen),
    "savings.tools.unused_tools": each(chosen),
    "savings.waste.waste": each(chosen),
    "savings.waste.waste_of_bodies": each(chosen),
    "sessions.figures.models_of": lambda mark: [
        (FILTERS, [(f"{mark}-talk:{SHARED_KEY}", f"{mark}-talk")])
    ],
    "sessions.listing.found_sessions": listing(),
    "sessions.listing.session_counts": listing(),
    "sessions.lookup.keys_of": lambda mark: [(f"{mark}-talk",), ("shared",)],
    "sessions.lookup.requests_called": lambda mark: [(f"{mark}-talk",), (f"{mark}-call-lost",)],
    "sessions.lookup.requests_of": each(selections),
    "sessions.lookup.session_of_request": lambda mark: [(f"{mark}-talk",), (f"{mark}-call-lost",)],
    "sessions.listing.sessions_over_time": listing(BUCKET),
    "sessions.scanning.scan": lambda mark: ((FILTERS, one) for one in scans(mark)),
    "sessions.scanning.scanned_sessions": once(FILTERS, PLAIN, whole_scan),
    "sessions.search_fields.suggestions": each(chosen),
    "sessions.figures.summary": each(selections),
    "status.failures.newest_failures": each(chosen),
    "status.failures.failure_groups": each(chosen),
    "status.failures.failures_over_time": each(chosen, BUCKET),
    "status.database.missing": once(),
    "status.database.freshness": once(NOON + HOUR),
    "status.failures.losses": each(chosen),
    "stitching.around.conversation_around": each(selections),
}


def offered() -> dict[str, Callable[..., Any]]:
    """The questions that packages offer, and those that a page or the API asks beside them."""
    names = [one.name for one in pkgutil.walk_packages(tracelib.__path__, "tracelib.")]
    modules = [importlib.import_module(name) for name in names]
    floors = ("tracelib.page", "tracelib.api", "tracelib.querying")
    asking = [one for one in modules if one.__name__.startswith(floors)]
    offering = [one for one in modules if hasattr(one, "__all__")]
    offering += [facets, models]
    values = [value for one in (*asking, *offering) for value in vars(one).values()]
    return {_name(one): one for one in values if _is_question(one)}


def _is_question(one: Any) -> bool:
    if not inspect.isfunction(one) or one.__name__.startswith("_"):
        return False
    return any(
        named.annotation in (Source, Postgres)
        for named in inspect.signature(one).parameters.values()
    )


def _name(one: Callable[..., Any]) -> str:
    return f"{one.__module__.removeprefix('tracelib.')}.{one.__name__}"


OFFERED = offered()


def test_every_question_is_asked_here():
    known = QUESTIONS.keys() | OF_THE_INSTALLATION | OF_THE_WHOLE_LOG | OF_LEDGERS
    assert known == OFFERED.keys()


@pytest.fixture(scope="module")
def both(server) -> Iterator[Database]:
    """The log of both teams."""
    yield from _log(server, AMBER, BASALT)


@pytest.fixture(scope="module")
def asked(server, both) -> Iterator[Callable[..., str]]:
    """What a question answers about a team: `asked(name, mark, access, alone)`.

    With `alone` in a log that holds only the requests of amber.
    """
    alone = next(amber := _log(server, AMBER))
    sources = {True: source_of(alone), False: source_of(both)}

    @cache
    def answered(question: str, mark: str, access: Access = FULL, alone: bool = False) -> str:
        source = sources[alone].seen_by(access)
        arguments = QUESTIONS[question](mark)
        made = ([_made(one, sources[False]) for one in some] for some in arguments)
        return "\n".join(_answer(source, OFFERED[question], some) for some in made)

    yield answered
    for source in sources.values():
        source.engine.dispose()
    amber.close()


def _log(server, *marks: str) -> Iterator[Database]:
    database = Database(server)
    try:
        database.insert([row for mark in marks for row in rows_of(mark)])
        name(database.engine)
        own_keys(database.engine, *marks)
        yield database
    finally:
        database.drop()


def _made(argument: Any, whole: Postgres) -> Any:
    return argument(whole) if inspect.isfunction(argument) else argument


def _answer(source: Postgres, ask: Callable[..., Any], arguments: list[Any]) -> str:
    try:
        return text_of(ask(source, *arguments))
    except errors.TraceError as error:
        return f"{type(error).__name__} {error}"


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_knows_nothing_of_the_other_team(question, asked):
    for about in (AMBER, BASALT):
        assert asked(question, about, AMBERS) == asked(question, about, alone=True)
    # Their own prompts say what they go on from, and who asks says what is asked about.
    told = asked(question, AMBER, AMBERS).replace(f"{BASALT}-chain-1", "")
    assert BASALT not in told


PORTABLE = sorted(name for name, one in OFFERED.items() if is_portable(one))


@pytest.fixture(scope="module", params=PLACES)
def replica(both, server, tmp_path_factory, request) -> Iterator[Replica]:
    """The log of both teams as a replica."""
    source = source_of(both)
    folder = tmp_path_factory.mktemp("replica")
    with PLACES[request.param](source, server, folder) as replica:
        yield replica
    source.engine.dispose()


@pytest.mark.parametrize("question", PORTABLE)
def test_a_replica_shows_of_a_team_what_the_log_shows(question, both, replica):
    source = source_of(both)
    for access in (AMBERS, FULL, Access(Scope(), "viewer")):
        for arguments in (one for mark in (AMBER, BASALT) for one in QUESTIONS[question](mark)):
            made = [_made(one, source) for one in arguments]
            try:
                shown = _answer(replace(replica, scope=access.scope), OFFERED[question], made)
            except NotHeld:  # by an ID: PostgreSQL is queried
                continue
            assert shown == _answer(source.seen_by(access), OFFERED[question], made)
    source.engine.dispose()


@pytest.mark.parametrize("question", sorted(QUESTIONS.keys() - TELLS_NOTHING))
def test_without_the_scope_the_other_team_would_have_shown(question, asked):
    assert asked(question, BASALT) != asked(question, BASALT, alone=True)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_viewer_reads_nothing_that_was_said(question, asked):
    assert SAID not in asked(question, AMBER, VIEWER)


def test_without_the_role_what_was_said_would_have_shown(asked):
    telling = {question for question in QUESTIONS if SAID in asked(question, AMBER, alone=True)}
    assert telling == {
        "conversation.shown_text.first_lines",
        "conversation.shown_text.snippets",
        "conversation.reading.turns",
        "conversation.turn_diff.diff_between",
        "export.document.session_document",
    }


PAGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("Home.py", {}),
    ("pages/Overview.py", {}),
    ("pages/Overview.py", {"part": "what changed"}),
    ("pages/Overview.py", {"part": "costs", "by": "tag"}),
    ("pages/Overview.py", {"part": "savings"}),
    ("pages/Models.py", {}),
    ("pages/Status.py", {}),
    ("pages/Status.py", {"part": "ledgers"}),
    ("pages/Status.py", {"part": "keys"}),
    ("pages/Status.py", {"part": "evidence"}),
    ("pages/Status.py", {"part": "data quality"}),
    ("pages/Sessions.py", {"words": "yes"}),
    ("pages/Sessions.py", {"said": SAID}),
    ("pages/Sessions.py", {"session": "shared"}),
    ("pages/Sessions.py", {"session": "{mark}-chain-3", "joined": "yes"}),
    ("pages/Sessions.py", {"session": "{mark}-lost", "joined": "yes"}),
)
DAY = {"range": "custom", "from": "2026-11-23", "to": "2026-11-23", "zone": "UTC"}
WHO = {AMBER: "first", BASALT: "second"}


@pytest.fixture
def visited(both, monkeypatch, fresh_caches) -> Callable[[str], list[str]]:
    """All that each page sends to the one who sees this team's requests."""
    listed = {who: ("admin", {"teams": [mark]}) for mark, who in WHO.items()}
    monkeypatch.setenv("DATABASE_URL", both.url)
    monkeypatch.setenv("TRACELIB_PEOPLE", people(**listed))

    def opened(mark: str) -> list[str]:
        app = visit("Home.py", signed_in(f"{WHO[mark]}@example.com"))
        sent = []
        for page, query in PAGES:
            said = {name: value.format(mark=mark) for name, value in query.items()}
            sent.append(text_of_page(turned_to(app, page, **DAY, **said)))
            assert not app.exception
        return sent

    return opened


def test_no_page_shows_one_team_to_the_other(visited):
    of_basalt, of_amber = visited(BASALT), visited(AMBER)
    for page, theirs, own in zip(PAGES, of_basalt, of_amber, strict=True):
        assert BASALT in theirs, page
        assert AMBER in own, page
        assert BASALT not in own.replace(f"{BASALT}-chain-1", ""), page


def test_somebody_else_in_the_same_tab_finds_nothing_of_the_one_before(visited, both, monkeypatch):
    app = visit("Home.py", signed_in("second@example.com"))
    turned_to(app, "pages/Sessions.py", **DAY, session="basalt-talk")
    app.user = signed_in("first@example.com")
    sent = text_of_page(turned_to(app, "pages/Sessions.py", **DAY, session="amber-talk"))
    assert AMBER in sent
    assert BASALT not in sent
