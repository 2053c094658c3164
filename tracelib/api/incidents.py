"""Incidents, for programs."""

from tracelib import incidents
from tracelib.api import incident_responses as responses
from tracelib.api import params
from tracelib.api.caller import Caller
from tracelib.api.responses import Window
from tracelib.api.values import window
from tracelib.incidents import Entity, Hit, Incident, words


def found_incidents(caller: Caller, given: params.Chosen) -> responses.FoundIncidents:
    """Since when do more requests fail than usual, for whom, and is it over?"""
    filters = given.filters(caller.now)
    found = caller.query(incidents.incidents, filters, caller.now)
    budget = caller.installed.settings.error_budget
    return responses.FoundIncidents(
        window=window(filters.window),
        sentence=words.headline(found, filters.zone),
        compared=Window(start=found.read_from, end=found.until),
        requests=found.requests,
        tested=found.tested,
        counts_hidden=found.counts_hidden,
        incidents=[_incident(one, filters.zone) for one in found.incidents],
        more=found.more,
        error_budget=budget,
        burn=[
            responses.BudgetBurn(
                hours=one.hours,
                requests=one.requests,
                failures=one.failures,
                rate=one.rate,
                is_fast=one.is_fast,
            )
            for one in incidents.burns(found.recent, budget)
        ],
    )


def _incident(one: Incident, zone: str) -> responses.IncidentResponse:
    return responses.IncidentResponse(
        entity=_entity(one.entity),
        sentence=words.sentence(one, zone),
        since=one.since,
        last_at=one.last_at,
        ongoing=one.is_ongoing,
        requests=one.requests,
        failures=one.failures,
        hidden=one.hidden,
        rate=one.rate,
        usual=one.usual,
        usual_of=_entity(one.usual_of),
        parts=list(map(_entity, one.parts)),
        team_count=one.team_count,
        user_count=one.user_count,
        key_count=one.key_count,
        session_count=one.session_count,
        teams=list(map(_hit, one.teams)),
        users=list(map(_hit, one.users)),
        keys=list(map(_hit, one.keys)),
        errors=_errors(one),
        sessions=_sessions(one),
    )


def _entity(one: Entity) -> responses.IncidentEntity:
    return responses.IncidentEntity(
        level=one.level, provider=one.provider, deployment=one.deployment
    )


def _hit(one: Hit) -> responses.IncidentHit:
    return responses.IncidentHit(id=one.id, name=one.name, failures=one.failures, hidden=one.hidden)


def _errors(one: Incident) -> list[responses.IncidentError]:
    return [
        responses.IncidentError(
            error_class=error.error_class,
            error_code=error.error_code,
            signature=error.text,
            failures=error.failures,
            first_at=error.first_at,
            last_at=error.last_at,
            is_new=error.is_new,
        )
        for error in one.signatures
    ]


def _sessions(one: Incident) -> list[responses.IncidentSession]:
    return [
        responses.IncidentSession(
            session_id=session.session_id,
            api_key=session.api_key,
            api_key_alias=session.key_name,
            model=session.model,
            faults=session.faults,
            failed_request_id=session.row.request_id if session.row else None,
        )
        for session in one.examples
    ]
