"""What pages ask of the log, for `benchmarks.replica`, and LiteLLM for the same figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tracelib import facets, incidents, models, overview, quality, savings, sessions, status
from tracelib.filters import Filters
from tracelib.sessions import SessionSearch
from tracelib.sessions.search import SORTS
from tracelib.source import Source
from tracelib.window import TimeWindow, fitting_bucket

PAGE_LENGTH = 50
SEARCH = "Session search"
COUNTED = 10_000
BUSIEST = tuple(f"model-{number}" for number in range(5))
SEARCHES = {
    "every session": SessionSearch(),
    "by a name": SessionSearch(text="key 42"),
    "of a tag": SessionSearch(tag="batch"),
    "of an end user": SessionSearch(end_user="end-42"),
    "of an agent": SessionSearch(agent="agent-5"),
    "of an API": SessionSearch(call_type="acompletion"),
    "with failures": SessionSearch(status="with failures"),
    "of many requests": SessionSearch(many_requests_only=True),
    "of high cost, few models": SessionSearch(min_cost_usd=0.01, max_models=3, min_requests=3),
    "long and large": SessionSearch(min_duration_s=60, min_tokens=10_000, min_error_share=0.1),
}
CHOSEN = {
    "of a model": {"model": ("model-3",)},
    "of a user": {"user": ("user-42",)},
    "of two teams": {"team": ("team-3", "team-7")},
}


@dataclass(frozen=True)
class Question:
    """A question of a page about so many days, and which of LiteLLM's endpoints has the figures.

    `waits` if the page asks it once it has the results of the others, `on_replica_only` if it is
    one of many of its kind.
    """

    page: str
    name: str
    days: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    litellm: str | None = None
    waits: bool = False
    on_replica_only: bool = False

    def ask(self, source: Source) -> None:
        """Ask it of this source. Raises a TraceError or NotHeld."""
        self.function(source, *self.arguments)


@dataclass(frozen=True)
class Answered:
    """A question, and how many seconds its answer took; None if it was stopped or not asked."""

    question: Question
    replica_s: float | None = None
    direct_s: float | None = None
    litellm_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is written to the file."""
        one = self.question
        return {
            "page": one.page,
            "question": one.name,
            "days": one.days,
            "direct_s": self.direct_s,
            "replica_s": self.replica_s,
            "litellm_s": self.litellm_s,
        }


def of_pages(end: datetime, days: int) -> dict[str, list[Question]]:
    """The questions that each page asks at once, about so many days before that moment."""
    filters = Filters(TimeWindow(end - timedelta(days=days), end))
    found: dict[str, list[Question]] = {}
    for page, rows in _rows(filters).items():
        found[page] = [Question(page, name, days, *row) for name, *row in rows]
    series = found["Models"][-1]
    found["Models"][-1] = replace(series, waits=True)
    return found


def _rows(filters: Filters) -> dict[str, list[tuple[Any, ...]]]:
    """By page: the name of each question, its function and arguments, and LiteLLM's endpoint."""
    bucket = (filters, fitting_bucket(filters.window))
    one, day, model = (filters,), "/global/activity", "/global/activity/model"
    listed = (filters, SessionSearch(), None, PAGE_LENGTH)
    spread = (filters, SessionSearch(), bucket[1])
    return {
        "Overview": [*_of_overview(filters, bucket)],
        "Home": [
            ("totals", overview.totals, one, day),
            ("over time", overview.over_time, bucket, day),
            ("new sessions", overview.new_sessions, bucket),
            ("models", models.usage_by_model, one, model),
        ],
        "Models": [
            ("models", models.usage_by_model, one, model),
            ("deployments", models.deployments, one),
            ("series by model", models.over_time_by_model, (*bucket, BUSIEST)),
        ],
        "Sessions": [
            ("list", sessions.found_sessions, listed, "session list"),
            ("sessions over time", sessions.sessions_over_time, spread),
        ],
        "Data quality": [("defects", quality.counts, one)],
        "Savings": [
            ("waste", savings.waste, one),
            ("waste of bodies", savings.waste_of_bodies, one),
            ("sent again", savings.resent, one),
            ("unused tools", savings.unused_tools, one),
            ("uses", savings.uses, one),
        ],
        "Status": [
            ("failure groups", status.failure_groups, one),
            ("failures over time", status.failures_over_time, bucket),
            ("newest failures", status.newest_failures, one, "/spend/logs/ui of failures"),
            ("losses", status.losses, one),
            ("incidents", incidents.incidents, (filters, filters.window.end)),
        ],
    }


def _of_overview(filters: Filters, bucket: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    one, before = (filters,), (filters.previous(),)
    yield "totals", overview.totals, one, "/global/activity"
    yield "totals before", overview.totals, before
    yield "session counts before", overview.sessions, before
    yield "over time", overview.over_time, bucket, "/global/activity"
    yield "new sessions", overview.new_sessions, bucket
    yield "owners", overview.cost_by_owner, one
    yield "tags", overview.cost_by_tag, one
    yield "cache savings", overview.cache_savings, one
    yield "prompt caching", overview.prompt_caching, one
    yield "busy hours", overview.busy_hours, one
    yield "log start", overview.log_start, one


def apart(end: datetime, days: int) -> Iterator[Question]:
    """Questions that are not asked with each page: drop-downs, the count of sessions, searches."""
    filters = Filters(TimeWindow(end - timedelta(days=days), end))
    yield Question("Every page", "drop-downs", days, facets.facets, (end,))
    counted = (filters, SessionSearch())
    endpoint = "session count"
    yield Question("Sessions", "count", days, sessions.session_counts, counted, endpoint)
    chosen = {name: replace(filters, **one) for name, one in CHOSEN.items()}
    searches = {name: (filters, search) for name, search in SEARCHES.items()}
    searches |= {name: (one, SessionSearch()) for name, one in chosen.items()}
    for name, (narrowed, search) in searches.items():
        yield from _in_each_order(name, days, narrowed, search)


def _in_each_order(
    name: str, days: int, filters: Filters, search: SessionSearch
) -> Iterator[Question]:
    for sort in SORTS:
        arguments = (filters, replace(search, sort=sort), None, PAGE_LENGTH)
        question = Question(SEARCH, f"{name}, by {sort}", days, sessions.found_sessions, arguments)
        yield replace(question, on_replica_only=sort != "recent" and search != SessionSearch())


# As LiteLLM 1.109 queries them, without what narrows to a person's own rows.
SESSION = "COALESCE(NULLIF(session_id, ''), request_id)"
WITHIN = '"startTime" >= :start AND "startTime" < :end'
LISTED = """request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens,
    "startTime", "endTime", "completionStartTime", model, model_id, model_group,
    custom_llm_provider, api_base, "user", metadata, cache_hit, cache_key, request_tags, team_id,
    organization_id, end_user, requester_ip_address, session_id, status, mcp_namespaced_tool_name,
    agent_id, litellm_call_id, COALESCE(request_duration_ms,
    (EXTRACT(EPOCH FROM ("endTime" - "startTime")) * 1000)::INTEGER) AS request_duration_ms"""
DAY = """date_trunc('day', "startTime")"""
FIGURES = "COUNT(*) AS api_requests, SUM(total_tokens) AS total_tokens"
LOGS = '"LiteLLM_SpendLogs"'
ACTIVITY = f"SELECT {DAY} AS date, {FIGURES} FROM {LOGS} WHERE {WITHIN} GROUP BY {DAY}"  # noqa: S608
BY_MODEL = f"""SELECT model_group, {DAY} AS date, {FIGURES} FROM {LOGS} WHERE {WITHIN}
    GROUP BY model_group, {DAY}"""  # noqa: S608
FAILED = f"{WITHIN} AND status = 'failure'"
COUNT = f"SELECT COUNT(*) FROM (SELECT 1 FROM {LOGS} WHERE {{}} LIMIT {COUNTED + 1}) AS bounded"  # noqa: S608
LIST = f"""SELECT {LISTED} FROM {LOGS} WHERE {{}} ORDER BY "startTime" DESC
    LIMIT {PAGE_LENGTH} OFFSET 0"""  # noqa: S608
SESSION_COUNT = COUNT.format(f"{WITHIN} GROUP BY {SESSION}, api_key")
SESSION_PAGE = f"""SELECT {SESSION} AS session_key, api_key, MAX("startTime")::text AS last_activity
    FROM {LOGS} WHERE {WITHIN} GROUP BY {SESSION}, api_key
    ORDER BY MAX("startTime") DESC, {SESSION} DESC, api_key DESC LIMIT {PAGE_LENGTH + 1}"""  # noqa: S608
REPRESENTATIVES = f"""SELECT * FROM (SELECT DISTINCT ON ({SESSION}, api_key) {LISTED} FROM {LOGS}
    WHERE {WITHIN} AND ({SESSION}, api_key) IN
    (SELECT * FROM unnest(CAST(:sessions AS text[]), CAST(:keys AS text[])))
    ORDER BY {SESSION}, api_key, "startTime" DESC, request_id) AS representatives"""  # noqa: S608
TOTALS = f"""SELECT session_id, api_key, COUNT(*), SUM(spend), SUM(request_duration_ms),
    COUNT(*) FILTER (WHERE LOWER(cache_hit) = 'true'), SUM(prompt_tokens), SUM(completion_tokens),
    SUM(total_tokens), ARRAY_AGG(DISTINCT model) FROM {LOGS}
    WHERE session_id = ANY(:sessions) AND api_key = ANY(:keys)
    GROUP BY session_id, api_key"""  # noqa: S608
ENDPOINTS: dict[str, Sequence[str]] = {
    "/global/activity": (ACTIVITY,),
    "/global/activity/model": (BY_MODEL,),
    "/spend/logs/ui": (COUNT.format(WITHIN), LIST.format(WITHIN)),
    "/spend/logs/ui of failures": (COUNT.format(FAILED), LIST.format(FAILED)),
    "session count": (SESSION_COUNT,),
    "session list": (SESSION_PAGE, SESSION_COUNT, REPRESENTATIVES, TOTALS),
}


def as_litellm(
    connection: sa.Connection, endpoint: str, end: datetime, days: int
) -> list[sa.Row[Any]]:
    """What LiteLLM reads for this endpoint, about so many days before that moment."""
    moment = end.replace(tzinfo=None)
    values: dict[str, Any] = {"start": moment - timedelta(days=days), "end": moment}
    rows: list[sa.Row[Any]] = []
    for statement in ENDPOINTS[endpoint]:
        rows = list(connection.execute(sa.text(statement), values).all())
        if statement is SESSION_PAGE:
            values |= {
                "sessions": [one.session_key for one in rows[:PAGE_LENGTH]],
                "keys": [one.api_key for one in rows[:PAGE_LENGTH]],
            }
    return rows
