"""The API as a table: each path, what it takes, what it gives, and the question it asks."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel

from tracelib.api import analytics, answered, answered_sessions, asked, one_session, session_list
from tracelib.api.asked import Asked

BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path. `takes` is read from the query of a GET, from the JSON body of a POST.

    `answer` is called with the caller, what it asked and what the path names; its docstring
    begins with the question. `refuses` are its own ways to, beside those of all.
    """

    method: Literal["GET", "POST"]
    path: str
    takes: type[Asked]
    gives: type[BaseModel]
    answer: Callable[..., BaseModel]
    refuses: tuple[HTTPStatus, ...] = ()
    reads_messages: bool = False

    @property
    def question(self) -> str:
        return (self.answer.__doc__ or "").partition("?")[0] + "?"


OF_A_SESSION = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
ENDPOINTS = (
    Endpoint("GET", "/analytics/overview", asked.Chosen, answered.Overview, analytics.totals),
    Endpoint("GET", "/analytics/models", asked.Chosen, answered.Models, analytics.usage),
    Endpoint(
        "GET", "/analytics/timeseries", asked.OverTime, answered.Timeseries, analytics.over_time
    ),
    Endpoint(
        "POST",
        "/sessions/search",
        asked.Search,
        answered_sessions.Sessions,
        session_list.found,
        (HTTPStatus.FORBIDDEN,),
    ),
    Endpoint(
        "GET",
        "/sessions/{session_id}/summary",
        asked.OfSession,
        answered_sessions.Summary,
        one_session.summary,
        OF_A_SESSION,
    ),
    Endpoint(
        "GET",
        "/sessions/{session_id}/messages",
        asked.Messages,
        answered_sessions.SessionMessages,
        one_session.messages,
        (*OF_A_SESSION, HTTPStatus.FORBIDDEN),
        reads_messages=True,
    ),
    Endpoint("GET", "/failures", asked.Failed, answered.Failures, analytics.failures),
)
