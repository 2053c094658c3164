"""Every question that a page or a program asks of the log, to be asked of odd rows in tests."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from tracelib import (
    facets,
    findings,
    incidents,
    models,
    overview,
    quality,
    savings,
    sessions,
    status,
)
from tracelib.conversation import Reading, first_lines, turn_order, turns
from tracelib.conversation.attempts import same_prompt_neighbours
from tracelib.conversation.links import chained, linked_sessions
from tracelib.conversation.operations import operations
from tracelib.filters import Filters
from tracelib.findings.anomalies import TESTED
from tracelib.selection import Selection
from tracelib.sessions import SessionSearch
from tracelib.source import Postgres
from tracelib.window import fitting_bucket

Ask = Callable[[Postgres], Any]


def of_a_window(filters: Filters) -> dict[str, Ask]:
    """The questions of a window's figures and lists, by name."""
    bucket, plain = fitting_bucket(filters.window), SessionSearch()
    return {
        "totals": lambda source: overview.totals(source, filters),
        "session counts": lambda source: overview.sessions(source, filters),
        "over time": lambda source: overview.over_time(source, filters, bucket),
        "new sessions": lambda source: overview.new_sessions(source, filters, bucket),
        "busy hours": lambda source: overview.busy_hours(source, filters),
        "owners": lambda source: overview.cost_by_owner(source, filters),
        "tags": lambda source: overview.cost_by_tag(source, filters),
        "prompt caching": lambda source: overview.prompt_caching(source, filters),
        "cache savings": lambda source: overview.cache_savings(source, filters),
        "models": lambda source: models.usage_by_model(source, filters),
        "deployments": lambda source: models.deployments(source, filters),
        "failure groups": lambda source: status.failure_groups(source, filters),
        "failures over time": lambda source: status.failures_over_time(source, filters, bucket),
        "newest failures": lambda source: status.newest_failures(source, filters),
        "waste": lambda source: savings.waste(source, filters, newest=10**9),
        "uses": lambda source: savings.uses(source, filters, newest=10**9),
        "incidents": lambda source: incidents.incidents(source, filters, filters.window.end),
        "defects": lambda source: quality.counts(source, filters),
        "drivers": lambda source: findings.drivers(source, filters, False),
        "drivers of failures": lambda source: findings.drivers(source, filters, True),
        **{
            f"hourly by {dimension}": lambda source, dimension=dimension: findings.hourly(
                source, filters, dimension
            )
            for dimension in TESTED
        },
        "loops of sessions": lambda source: findings.repeated_in_sessions(source, filters),
        "loops of keys": lambda source: findings.repeated_by_keys(source, filters),
        "facets": lambda source: facets.facets(source, filters.window.end),
        "suggestions": lambda source: sessions.suggestions(source, filters),
        "sessions over time": lambda source: sessions.sessions_over_time(
            source, filters, plain, bucket
        ),
        **{
            f"sessions by {sort}": lambda source, sort=sort: (
                sessions.found_sessions(source, filters, SessionSearch(sort=sort), limit=500).rows
            )
            for sort in ("recent", "cost", "length")
        },
    }


def of_a_session(selection: Selection, filters: Filters) -> dict[str, Ask]:
    """The questions of one session, by name."""
    (session_id,) = selection.session_ids
    keys = [(f"{session_id}:{selection.api_key}", session_id)]
    return {
        "keys": lambda source: sessions.keys_of(source, session_id),
        "summary": lambda source: sessions.summary(source, selection),
        "requests": lambda source: sessions.requests_of(source, selection),
        "order": lambda source: turn_order(source, selection),
        "turns": lambda source: turns(source, Reading(selection), count=200),
        "links": lambda source: linked_sessions(source, selection),
        "chain": lambda source: chained(source, selection),
        "attempts": lambda source: operations(
            sessions.requests_of(source, selection), same_prompt_neighbours(source, selection)
        ),
        "opening": lambda source: first_lines(source, filters, keys),
    }


def written(answer: Any) -> str:
    """All that an answer holds, as one text in which a word can be looked for."""
    if isinstance(answer, pd.DataFrame):
        return repr(answer.to_dict("records"))
    return repr(answer)
