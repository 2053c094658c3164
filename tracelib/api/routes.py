"""The routes of the API."""

import json
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from anyio import CapacityLimiter
from pydantic import BaseModel
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tracelib import errors, metrics
from tracelib.api import responses
from tracelib.api.auditing_params import EvidenceFile
from tracelib.api.caller import JSON, Caller, from_body, from_query, tick
from tracelib.api.guarded import AT_ONCE, Gate, Guarded, Visit, not_found, unknown
from tracelib.api.health import health, sees_whole
from tracelib.api.openapi import BASE, ENDPOINTS, Endpoint, document
from tracelib.api.params import Nothing, Search
from tracelib.api.problems import forbidden
from tracelib.permissions.tokens import Token
from tracelib.querying.app_state import metrics_text
from tracelib.querying.installation import Installation

AUTHENTICATING = 8
# A search for message text, or a file of hashes, reads for seconds.
SEARCH_COST = 10


class _Anything(PathConvertor):
    """An ID may contain slashes and line breaks: clients choose them."""

    regex = "(?s:.*)"


register_url_convertor("anything", _Anything())


def routes(installed: Callable[[], Installation]) -> list[BaseRoute]:
    """Which paths does the API have? For `st.App(routes=…)`, or any Starlette app.

    `installed` is called for each request, in a thread. Without TRACELIB_API_TOKENS every path
    except /health responds with 404.
    """
    let_in = partial(Guarded, installed, Gate(), CapacityLimiter(AUTHENTICATING))
    # Monitoring does not queue behind queries, and blocks no one while the database is slow.
    watched = partial(let_in, CapacityLimiter(AUTHENTICATING), is_open=True)
    guarded = partial(let_in, CapacityLimiter(AT_ONCE))
    return [
        Route("/health", watched("GET", _health, failed=_no_health)),
        Route("/metrics", guarded("GET", _metrics)),
        Route(f"{BASE}/openapi.json", guarded("GET", _document)),
        *(
            Route(
                BASE + one.path.replace("{session_id}", "{session_id:anything}"),
                guarded(one.method, partial(_endpoint, one)),
            )
            for one in ENDPOINTS
        ),
        Route("/api", guarded(None, _nowhere)),
        Route("/api/{rest:anything}", guarded(None, _nowhere)),
    ]


def _endpoint(one: Endpoint, visit: Visit) -> Response:
    token = _known(visit)
    if one.reads_messages and not token.access.reads_messages:
        raise forbidden("Messages need the auditor role.")
    request, query = visit.request, visit.request.scope["query_string"]
    if one.method == "POST":
        from_query(Nothing, query)
        given = from_body(one.takes, request.headers.get("content-type", ""), visit.body)
    else:
        given = from_query(one.takes, query)
    if isinstance(given, EvidenceFile) or (isinstance(given, Search) and given.text):
        visit.charge(SEARCH_COST - 1)
    caller = Caller(visit.installed, token, tick(visit.installed))
    found = one.respond(caller, given, **request.path_params)
    return Response(found, media_type=JSON) if isinstance(found, bytes) else _json(found)


def _document(visit: Visit) -> Response:
    from_query(Nothing, visit.request.scope["query_string"])
    return Response(json.dumps(document()), media_type=JSON)


def _metrics(visit: Visit) -> Response:
    from_query(Nothing, visit.request.scope["query_string"])
    if not sees_whole(_known(visit)):
        raise forbidden("Metrics cover all requests; this token’s scope does not.")
    return Response(metrics_text(visit.installed), media_type=metrics.CONTENT_TYPE)


def _health(visit: Visit) -> Response:
    """The health; monitoring may append any parameters to the address."""
    return _as_status(health(visit.installed, visit.token))


def _no_health(_error: errors.TraceError) -> Response:
    return _as_status(responses.Health(status="down"))


def _as_status(found: responses.Health) -> Response:
    is_down = found.status == "down"
    return _json(found, HTTPStatus.SERVICE_UNAVAILABLE if is_down else HTTPStatus.OK)


def _nowhere(_visit: Visit) -> Response:
    raise not_found()


def _known(visit: Visit) -> Token:
    if visit.token is None:
        raise unknown()
    return visit.token


def _json(model: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(model.model_dump_json(exclude_unset=True), status, media_type=JSON)
