"""The key review, and the evidence of a range, for programs."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from tracelib import key_review as review
from tracelib.api import auditing_params, params
from tracelib.api import auditing_responses as responses
from tracelib.api.caller import Caller
from tracelib.api.problems import forbidden
from tracelib.api.responses import Window
from tracelib.api.values import records, window
from tracelib.evidence import Signatory, evidence, evidence_file, statement_of
from tracelib.key_review import FINDINGS, KeyReview


def keys(caller: Caller, given: auditing_params.Keys) -> responses.Keys:
    """Which keys need attention, and why?"""
    filters = given.filters(caller.now)
    found: KeyReview = caller.query(review.key_review, filters)
    rows = found.rows
    if given.finding:
        rows = rows[rows["finding"] == given.finding]
    matching = [part for _, part in rows.groupby("key", sort=False)]
    page = matching[given.first - 1 : given.first - 1 + given.count]
    after = given.first + len(page)
    return responses.Keys(
        window=window(filters.window),
        keys=found.keys,
        reviewed=found.reviewed,
        keys_with_findings=len(matching),
        log_from=found.log_from,
        unknown=list(found.unknown),
        counts=[_count(found, name) for name in FINDINGS],
        found=[_key(part) for part in page],
        next_first=after if after <= len(matching) else None,
    )


def log_evidence(caller: Caller, given: params.Chosen) -> responses.Evidence:
    """What does the log hold of this range, and what does it lack?"""
    filters = given.filters(caller.now)
    found = caller.query(evidence, filters)
    statement = statement_of(found)
    counts = ("requests", "failures", "with_prompt", "with_response", "without_key")
    days = found.days.rename(columns={"day": "date"})
    return responses.Evidence(
        window=window(filters.window),
        is_complete=statement.is_complete,
        complete=statement.complete,
        missing=list(statement.missing),
        not_stored=list(statement.not_stored),
        unknown=list(statement.unknown),
        **{name: found.total(name) for name in counts},
        unresolved_requests=found.unresolved_rows,
        unresolved_keys=found.unresolved_keys,
        refused_before_logging_at_least=found.refused,
        in_daily_totals_only_at_least=found.unlogged,
        among_newest=responses.Marked(**asdict(found.marks)),
        oldest_in_log=found.oldest,
        newest_in_log=found.newest,
        days=[responses.EvidenceDay(**row) for row in records(days)],
    )


def signed_off_evidence(caller: Caller, given: auditing_params.EvidenceFile) -> bytes:
    """What is the evidence of a range, as a signed-off file with hashes? Audited first.

    Raises a Problem for messages that the token may not read.
    """
    access = caller.token.access
    if given.messages and not access.reads_messages:
        raise forbidden("Messages need the auditor role.")
    filters = given.filters(caller.now)
    window = filters.window
    caller.note("exported", format="evidence", range=(window.start, window.end))
    signatory = Signatory(caller.token.name, access)
    made: bytes = caller.query_alone(
        evidence_file, filters, signatory, datetime.now(UTC), given.messages
    )
    return made


def _count(found: KeyReview, name: str) -> responses.FindingCount:
    return responses.FindingCount(finding=name, keys=found.count_of(name), **asdict(FINDINGS[name]))


def _key(part: pd.DataFrame) -> responses.ReviewedKey:
    rows = records(part)
    named = {name: rows[0][name] for name in ("key_name", "user_name", "team_name")}
    return responses.ReviewedKey(**named, findings=[_finding(row) for row in rows])


def _finding(row: dict[str, Any]) -> responses.KeyFinding:
    return responses.KeyFinding(
        finding=row["finding"],
        since=row["since"],
        evidence=row["evidence"],
        remedy=FINDINGS[row["finding"]].remedy,
        shown_by=_shown(row) if row["link_start"] is not None else None,
    )


def _shown(row: dict[str, Any]) -> responses.Shown:
    return responses.Shown(
        requests=row["requests"],
        window=Window(start=row["link_start"], end=row["link_end"]),
        failures_only=row["failures_only"],
        tag=row["tag"],
        address=row["address"],
    )
