"""Rows with anything that PostgreSQL can store: every query runs."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.fuzzed import DAY, HOUR, SEARCHES, SEEDS, Case, failing, filled
from tests.replicas import PLACES
from tests.rows import NOON
from tests.test_replica_reader import assert_same
from tests.test_scopes import OFFERED
from tracelib import sessions
from tracelib.changes import MEASURES, Comparison, Group
from tracelib.conversation import Reading
from tracelib.costs import CostTable
from tracelib.costs.kinds import KINDS
from tracelib.costs.sums import DIMENSIONS as COST_DIMENSIONS
from tracelib.evidence import Signatory
from tracelib.facets import Facets
from tracelib.findings.anomalies import TESTED
from tracelib.incidents import Interval
from tracelib.permissions.access import FULL
from tracelib.quality import WITH_EXAMPLES
from tracelib.quality.counting import UNRESOLVED
from tracelib.querying.dispatch import is_portable
from tracelib.redaction import ALL
from tracelib.selection import row_ids
from tracelib.sessions import SessionSearch, scan
from tracelib.source import NotHeld
from tracelib.window import fitting_bucket

TODAY = NOON.date()
SCANS = (
    SessionSearch(said="a"),
    SessionSearch(said="Ш x", has_tool_calls=True),
    SessionSearch(tool="get_weather"),
    SessionSearch(error_class="RateLimitError", metadata_key="status", metadata_value="failure"),
    SessionSearch(used_fallback=True),
)


def bucketed(case: Case) -> Iterator[tuple[Any, ...]]:
    return ((one, fitting_bucket(one.window)) for one in case.looks)


def looks(case: Case) -> Iterator[tuple[Any, ...]]:
    return ((one,) for one in case.looks)


def selections(case: Case) -> Iterator[tuple[Any, ...]]:
    return ((one,) for one in case.selections)


def searches(case: Case) -> Iterator[tuple[Any, ...]]:
    return ((case.looks[n % 3], one) for n, one in enumerate(SEARCHES))


def keys_of(case: Case) -> tuple[str, ...]:
    return tuple(sorted({one.api_key for one in case.selections}))[:10]


def ids(case: Case) -> Iterator[tuple[Any, ...]]:
    return ((one,) for row in case.rows[:10] for one in (row.request_id, "session 1"))


QUESTIONS = {
    "changes.comparing.changed_sessions": lambda case: [
        (one, measure) for one in case.looks for measure in MEASURES
    ],
    "changes.comparing.comparison": looks,
    "changes.markers.first_seen": looks,
    "changes.prices.price_changes": looks,
    "changes.recorded.recorded": looks,
    "conversation.links.chained": selections,
    "conversation.links.linked_sessions": selections,
    "conversation.shown_text.first_lines": lambda case: [(one, case.keys) for one in case.looks],
    "conversation.order.turn_order": selections,
    "conversation.shown_text.snippets": lambda case: [(case.rows, "a"), (case.rows, "no such")],
    "conversation.reading.turns": lambda case: ((Reading(one),) for one in case.selections),
    "conversation.attempts.same_prompt_neighbours": selections,
    "conversation.turn_diff.diff_between": lambda case: [
        (one, rows[0], rows[-1])
        for one in case.selections[:20]
        if (rows := row_ids(sessions.requests_of(case.source, one)))
    ],
    "costs.daily.daily_costs": lambda case: [
        (one, by, (None, "a", *keys_of(case))) for one in case.looks for by in COST_DIMENSIONS
    ],
    "costs.daily.whole_cost": looks,
    "costs.limits.limits": lambda _: [()],
    "costs.other_names.other_names": lambda case: [
        ("end_user", keys_of(case)),
        ("agent", ("a", None)),
    ],
    "costs.paces.paces": lambda _: [(NOON + HOUR, tuple(KINDS))],
    "costs.table.cost_table": lambda case: [
        (one, by, period, 5)
        for one in case.looks
        for by in COST_DIMENSIONS
        for period in ("day", "month")
    ],
    "evidence.counts.evidence": looks,
    "evidence.document.evidence_file": lambda case: [
        (case.looks[0], Signatory(None, FULL), NOON, with_bodies) for with_bodies in (False, True)
    ],
    "findings.drivers.drivers": lambda case: [
        (one, are_failures) for one in case.looks for are_failures in (False, True)
    ],
    "findings.hourly.hourly": lambda case: [
        (one, dimension) for one in case.looks for dimension in TESTED
    ],
    "findings.repeating.repeated_by_keys": looks,
    "findings.repeating.repeated_in_sessions": looks,
    "facets.facets": lambda _: [(NOON + HOUR,)],
    "incidents.health.health_checks": lambda case: ((one.window,) for one in case.looks),
    "incidents.health.compared_health": lambda case: (
        (one, (Interval("gpt-4o", None, "healthy", NOON, NOON + HOUR),)) for one in case.looks
    ),
    "incidents.incidents.incidents": lambda case: ((one, one.window.end) for one in case.looks),
    "key_review.review.key_review": looks,
    "ledgers.automatic.automatic": lambda _: [(TODAY,)],
    "ledgers.booked.booked": lambda _: [(TODAY, TODAY, TODAY)],
    "ledgers.daily.daily_cells": lambda _: [(TODAY, TODAY)],
    "ledgers.daily.daily_details": lambda case: [(TODAY, keys_of(case), ("a",))],
    "ledgers.logged.log_cells": lambda _: [(TODAY, TODAY)],
    "ledgers.logged.log_details": lambda case: [(TODAY, keys_of(case), ("a",))],
    "ledgers.logged.logged": lambda _: [(TODAY, TODAY)],
    "ledgers.windows.logged_from": lambda _: [(NOON.isoformat(),)],
    "ledgers.logged.models_of_cell": lambda case: ((TODAY, key, "gpt-4o") for key in keys_of(case)),
    "ledgers.logged.uncounted": lambda case: [(TODAY, keys_of(case))],
    "export.document.session_document": lambda case: ((one, ALL, NOON) for one in case.selections),
    "export.session_list.listed_sessions": searches,
    "models.deployments": looks,
    "models.over_time_by_model": lambda case: [
        (one, bucket, ("gpt-4o", "", "unknown")) for one, bucket in bucketed(case)
    ],
    "models.usage_by_model": looks,
    "overview.costs.cache_savings": looks,
    "overview.costs.prompt_caching": looks,
    "overview.totals.log_start": looks,
    "overview.over_time.busy_hours": looks,
    "overview.over_time.new_sessions": bucketed,
    "overview.over_time.over_time": bucketed,
    "overview.costs.cost_by_owner": looks,
    "overview.costs.cost_by_tag": looks,
    "overview.totals.sessions": looks,
    "overview.totals.totals": looks,
    "sessions.figures.models_of": lambda case: [(one, case.keys) for one in case.looks],
    "sessions.listing.found_sessions": searches,
    "sessions.listing.session_counts": searches,
    "sessions.lookup.keys_of": ids,
    "sessions.lookup.requests_called": ids,
    "sessions.lookup.requests_of": selections,
    "sessions.lookup.session_of_request": ids,
    "sessions.listing.sessions_over_time": lambda case: [
        (look, search, fitting_bucket(look.window)) for look, search in searches(case)
    ],
    "sessions.scanning.scan": lambda _: ((DAY, one, None, 20.0) for one in SCANS),
    "sessions.scanning.scanned_sessions": lambda case: (
        (DAY, one, scan(case.source, DAY, one, None, 20.0)) for one in SCANS
    ),
    "sessions.search_fields.suggestions": looks,
    "sessions.figures.summary": selections,
    "quality.by_index.odd": lambda case: ((one, NOON + HOUR) for one in case.looks),
    "quality.examples.examples": lambda case: (
        (one, name, NOON + HOUR) for one in case.looks for name in sorted(WITH_EXAMPLES)
    ),
    "quality.counting.counts": looks,
    "quality.sampling.sampled": looks,
    "quality.unreadable.unreadable": lambda _: [()],
    "savings.caching.resent": looks,
    "savings.prices.own_prices": looks,
    "savings.repricing.uses": looks,
    "savings.tool_tables.tools_without_calls": looks,
    "savings.tools.unused_tools": looks,
    "savings.waste.waste": looks,
    "savings.waste.waste_of_bodies": looks,
    "status.database.missing": lambda _: [()],
    "status.database.freshness": lambda _: [(NOON + HOUR,)],
    "status.database.server": lambda _: [()],
    "status.database.size": lambda _: [()],
    "status.retention.retention": lambda _: [(NOON + HOUR,)],
    "status.failures.newest_failures": looks,
    "status.failures.failure_groups": looks,
    "status.failures.failures_over_time": bucketed,
    "status.failures.losses": lambda case: ((one, 10**9) for one in case.looks),
    "stitching.around.conversation_around": lambda case: ((one,) for one in case.selections[:15]),
}


def test_every_query_is_among_them():
    assert QUESTIONS.keys() == OFFERED.keys()


@pytest.fixture(scope="module", params=SEEDS)
def case(request, server) -> Iterator[Case]:
    with filled(server, request.param) as made:
        yield made


def test_every_query_runs_and_the_replica_agrees(case, server, tmp_path):
    place = sorted(PLACES)[case.seed % 2]
    with PLACES[place](case.source, server, tmp_path) as replica:
        runs = [
            (f"{name} ({number})", lambda a=arguments, n=name: run(case, replica, OFFERED[n], a))
            for name, given in QUESTIONS.items()
            for number, arguments in enumerate(given(case))
        ]
        assert not failing(runs)


def run(case: Case, replica: Any, query: Any, arguments: tuple[Any, ...]) -> None:
    found = value_of(query(case.source, *arguments))
    if is_portable(query):
        try:
            held = value_of(query(replica, *arguments))
        except NotHeld:
            return
        assert_same(query.__name__, without_names(held), without_names(found))


def value_of(found: Any) -> Any:
    if isinstance(found, sessions.SessionPage):
        return found.rows
    return list(found) if isinstance(found, Iterator) else found


def without_names(found: Any) -> Any:
    """The same but names: where no table has one, it is that of some row of the ID.

    LiteLLM writes the same name into all of them; here each row may have another.
    """
    if isinstance(found, pd.DataFrame):
        return found.drop(columns=[one for one in found if one.endswith("name")])
    if isinstance(found, Comparison):
        return replace(found, groups=without_names(found.groups))
    if isinstance(found, tuple) and all(isinstance(one, Group) for one in found):
        return [replace(one, name=None) for one in found]
    if isinstance(found, CostTable):
        groups = [(one.id, one.costs) for one in found.groups]
        return groups, found.others, found.other_groups, found.total
    if isinstance(found, Facets):
        return {
            name: {(one.id, one.requests) for one in values}
            for name, values in found.by_dimension.items()
        }
    if isinstance(found, tuple):
        return [one for one in found if getattr(one, "name", None) != UNRESOLVED]
    return found
