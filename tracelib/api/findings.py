"""What needs attention, for programs."""

from concurrent.futures import Future

from tracelib import errors, findings
from tracelib.api import finding_params
from tracelib.api import finding_responses as responses
from tracelib.api.caller import Caller
from tracelib.findings import Finding, Report
from tracelib.findings.message import link
from tracelib.querying.attention import ATTENTION, Outcome
from tracelib.window import recent

PATIENCE_S = 60.0


def current_findings(caller: Caller, given: finding_params.Findings) -> responses.Findings:
    """What needs attention now, since when, how much is it, and where are its requests?"""
    filters = given.filters(recent("7d", caller.now))
    _, future = ATTENTION.report(caller.installed, filters, caller.now)
    return _response(_report(future))


def _report(future: "Future[Outcome]") -> Report:
    try:
        outcome = future.result(PATIENCE_S)
    except TimeoutError:
        raise errors.StillRunning() from None
    if outcome.report is None:
        raise outcome.error or errors.OwnFault()
    return outcome.report


def _response(report: Report) -> responses.Findings:
    return responses.Findings(
        as_of=report.now,
        findings=[_finding(one) for one in report.findings],
        ended=[_finding(one) for one in report.ended],
        total=report.total,
        tested=list(report.tested),
        not_tested=list(report.notes),
        failed=[
            responses.FailedSource(source=one.source, reason=one.sentence) for one in report.failed
        ],
        rule=findings.RULE,
        false_alarms=findings.FALSE_ALARMS,
    )


def _finding(one: Finding) -> responses.Finding:
    return responses.Finding(
        id=one.id,
        source=one.source,
        headline=one.headline,
        cause=one.cause,
        what_to_do=one.remedy,
        usd=one.usd,
        users_hit=one.people or None,
        requests=one.requests,
        since=one.since,
        until=one.until,
        evidence=None if one.evidence is None else link(one.evidence),
    )
