"""The API as a table: each path with its parameters, response and function; and as OpenAPI 3.1."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from tracelib.api import (
    analytics,
    auditing,
    auditing_params,
    auditing_responses,
    change_responses,
    changed,
    cost_params,
    cost_responses,
    costs,
    data_quality,
    finding_params,
    finding_responses,
    findings,
    incident_responses,
    incidents,
    ledger_responses,
    ledgers,
    one_session,
    params,
    responses,
    savings,
    savings_responses,
    session_list,
    session_responses,
)
from tracelib.api.caller import JSON
from tracelib.api.params import Params
from tracelib.api.problems import MEDIA_TYPE, ProblemDocument
from tracelib.metrics import CONTENT_TYPE
from tracelib.selection import LONGEST_ID

BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path. `takes` is read from the query of a GET, from the JSON body of a POST.

    `respond` is called with the caller, the parameters and the values in the path; its docstring
    begins with the question. Without a model to give, that is a file in JSON. `refuses` are its own
    error responses, in addition to the common ones.
    """

    method: Literal["GET", "POST"]
    path: str
    takes: type[Params]
    gives: type[BaseModel] | None
    respond: Callable[..., BaseModel | bytes]
    refuses: tuple[HTTPStatus, ...] = ()
    reads_messages: bool = False

    @property
    def summary(self) -> str:
        return (self.respond.__doc__ or "").partition("?")[0] + "?"


SESSION_ERRORS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
ENDPOINTS = (
    Endpoint("GET", "/analytics/overview", params.Chosen, responses.Overview, analytics.totals),
    Endpoint("GET", "/analytics/models", params.Chosen, responses.Models, analytics.usage),
    Endpoint(
        "GET", "/analytics/timeseries", params.OverTime, responses.Timeseries, analytics.over_time
    ),
    Endpoint(
        "POST",
        "/sessions/search",
        params.Search,
        session_responses.Sessions,
        session_list.found,
        (HTTPStatus.FORBIDDEN,),
    ),
    Endpoint(
        "GET",
        "/sessions/{session_id}/summary",
        params.OfSession,
        session_responses.Summary,
        one_session.summary,
        SESSION_ERRORS,
    ),
    Endpoint(
        "GET",
        "/sessions/{session_id}/messages",
        params.Messages,
        session_responses.SessionMessages,
        one_session.messages,
        (*SESSION_ERRORS, HTTPStatus.FORBIDDEN),
        reads_messages=True,
    ),
    Endpoint("GET", "/failures", params.Failed, responses.Failures, analytics.failures),
    Endpoint("GET", "/costs", cost_params.CostsBy, cost_responses.Costs, costs.cost_by_group),
    Endpoint(
        "GET", "/ledgers", params.LedgerDays, ledger_responses.Ledgers, ledgers.compared_ledgers
    ),
    Endpoint("GET", "/keys", auditing_params.Keys, auditing_responses.Keys, auditing.keys),
    Endpoint("GET", "/evidence", params.Chosen, auditing_responses.Evidence, auditing.log_evidence),
    Endpoint(
        "GET",
        "/evidence/file",
        auditing_params.EvidenceFile,
        None,
        auditing.signed_off_evidence,
        (HTTPStatus.FORBIDDEN,),
    ),
    Endpoint(
        "GET",
        "/findings",
        finding_params.Findings,
        finding_responses.Findings,
        findings.current_findings,
    ),
    Endpoint(
        "GET", "/data-quality", params.Chosen, responses.DataQuality, data_quality.data_quality
    ),
    Endpoint(
        "GET",
        "/incidents",
        params.Chosen,
        incident_responses.FoundIncidents,
        incidents.found_incidents,
    ),
    Endpoint("GET", "/changes", params.Changed, change_responses.Changes, changed.what_changed),
    Endpoint("GET", "/savings", params.Saved, savings_responses.Savings, savings.can_be_saved),
)

REFERENCE = "#/components/schemas/{model}"
# The error responses of every path with a token.
COMMON = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
BODY_ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
BEARER: list[dict[str, list[str]]] = [{"bearer": []}]


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LLM traceability dashboard",
            "version": "1",
            "description": "The figures and conversations of the pages, for programs. Costs are in "
            "US dollars, times in UTC; null is unknown, 0 is none.",
        },
        "paths": {f"{BASE}{one.path}": _path(one) for one in ENDPOINTS} | _others(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _path(one: Endpoint) -> dict[str, Any]:
    own = (*one.refuses, *(BODY_ERRORS if one.method == "POST" else ()))
    operation: dict[str, Any] = {
        "operationId": one.respond.__name__,
        "summary": one.summary,
        "security": BEARER,
        "parameters": _named_in_path(one),
        "responses": _responses(one.gives, JSON, (*COMMON, *own)),
    }
    if one.method == "POST":
        content = {JSON: {"schema": _reference(one.takes)}}
        operation["requestBody"] = {"required": True, "content": content}
    else:
        operation["parameters"] += _parameters(one.takes)
    return {one.method.lower(): operation}


def _others() -> dict[str, Any]:
    health = {
        "operationId": "health",
        "summary": "Is the database responding, and do requests arrive in its log?",
        "description": "Needs no token; without one it returns only the status.",
        "security": [{}, *BEARER],
        "responses": _responses(responses.Health, JSON, COMMON)
        | {"503": _response("Down", {JSON: {"schema": _reference(responses.Health)}})},
    }
    metrics = {
        "operationId": "metrics",
        "summary": "What has this process done? OpenMetrics.",
        "security": BEARER,
        "responses": _responses(None, CONTENT_TYPE, (*COMMON, HTTPStatus.FORBIDDEN)),
    }
    return {"/health": {"get": health}, "/metrics": {"get": metrics}}


def _named_in_path(one: Endpoint) -> list[dict[str, Any]]:
    if "{session_id}" not in one.path:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    return [{"name": "session_id", "in": "path", "required": True, "schema": schema}]


def _parameters(takes: type[Params]) -> list[dict[str, Any]]:
    schema = takes.model_json_schema(ref_template=REFERENCE)
    return [
        {"name": name, "in": "query", "schema": _without_null(field)}
        for name, field in schema["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter without null: a query leaves it out instead."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**kinds[0], **rest}


def _responses(
    gives: type[BaseModel] | None, media_type: str, refuses: tuple[HTTPStatus, ...]
) -> dict[str, Any]:
    unnamed = {"type": "object" if media_type == JSON else "string"}
    schema = _reference(gives) if gives else unnamed
    problem = {MEDIA_TYPE: {"schema": _reference(ProblemDocument)}}
    return {"200": _response("OK", {media_type: {"schema": schema}})} | {
        str(status.value): _response(status.phrase, problem) for status in sorted(set(refuses))
    }


def _response(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": content}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _schemas() -> dict[str, Any]:
    taken: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (one.takes, "validation") for one in ENDPOINTS if one.method == "POST"
    ]
    models: list[type[BaseModel]] = [
        *(one.gives for one in ENDPOINTS if one.gives),
        responses.Health,
        ProblemDocument,
    ]
    given: list[tuple[type[BaseModel], JsonSchemaMode]] = [(one, "serialization") for one in models]
    _, schemas = models_json_schema([*taken, *given], ref_template=REFERENCE)
    found: dict[str, Any] = schemas["$defs"]
    return found
