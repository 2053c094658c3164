"""What is found of one key, by its facts and its use."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from tracelib import formatting
from tracelib.key_review.catalogue import DORMANT, NEW
from tracelib.key_review.granted import in_words, unused_models, unused_tools
from tracelib.spendlogs.measures import AUTOMATIC_TAG
from tracelib.window import TimeWindow

Row = Mapping[str, Any]
# The oldest request need not be from the first hour of the 90 days.
TOLERANCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of a key; the fields are the columns of a review."""

    finding: str
    key: str
    key_name: str
    evidence: str
    user_name: str | None = None
    team_name: str | None = None
    since: datetime | None = None
    requests: int | None = None
    link_start: datetime | None = None
    link_end: datetime | None = None
    failures_only: bool = False
    tag: str | None = None
    address: str | None = None
    only_address: str | None = None


@dataclass(frozen=True, slots=True)
class OfKey:
    """The rows of `usage_of_keys` of one key, by kind."""

    models: list[Row] = field(default_factory=list)
    tools: list[Row] = field(default_factory=list)
    networks: list[Row] = field(default_factory=list)
    agents: list[Row] = field(default_factory=list)

    def total(self, name: str) -> Any:
        """The sum of a count over all models."""
        return sum(row[name] for row in self.models)

    def first(self, name: str) -> datetime | None:
        return min((row[name] for row in self.models if row[name]), default=None)

    def last(self, name: str) -> datetime | None:
        return max((row[name] for row in self.models if row[name]), default=None)


@dataclass(frozen=True, slots=True)
class Used:
    """The use of every key, as far as the log was read; `is_known` is False if it was not."""

    by_key: Mapping[str, OfKey]
    is_known: bool

    @staticmethod
    def of(used: pd.DataFrame | None) -> "Used":
        """The rows of `usage_of_keys`, by key."""
        by_key: defaultdict[str, OfKey] = defaultdict(OfKey)
        if used is None:
            return Used(by_key, False)
        plain = used.astype(object).where(used.notna(), None)
        for row in plain[~plain["kind"].isin(["unknown", "log"])].to_dict("records"):
            getattr(by_key[row["key"]], f"{row['kind']}s").append(row)
        return Used(dict(by_key), True)


@dataclass(frozen=True, slots=True)
class Grants:
    """The names of MCP servers by ID, and the tools that the index has for each stored key."""

    servers: Mapping[str, tuple[str, ...]]
    called: Mapping[str, set[str]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What keys are judged by: the range, the oldest request that was read, use and grants."""

    window: TimeWindow
    log_from: datetime | None
    used: Used
    grants: Grants

    @property
    def covers_dormancy(self) -> bool:
        """Does the log reach back 90 days from the end of the range?"""
        return self.log_from is not None and self.log_from <= self.dormant_before + TOLERANCE

    @property
    def dormant_before(self) -> datetime:
        return self.window.end - DORMANT


def findings_of(key: Row, judged: Judged) -> Iterator[Finding]:
    """What is found of this key? `key` is a row of `Keys`.

    Of a key that is blocked or expired, only what happened since: it cannot be used.
    """
    use = judged.used.by_key.get(key["key"], OfKey())
    expires = key["expires_at"]
    if key["is_blocked"] or (expires and expires <= judged.window.end):
        yield from _disabled(key, use, judged)
        return
    yield from _without_limits(key)
    yield from _rotation(key, judged)
    if judged.used.is_known:
        yield from _new_origins(key, use, judged)
    unused = _unused(key, use, judged)
    if unused:
        yield unused
    elif judged.used.is_known and _age(key, judged) >= NEW:
        yield from _ungranted(key, use, judged)


def _finding(key: Row, name: str, evidence: str, **more: Any) -> Finding:
    owner = {one: key[one] for one in ("user_name", "team_name")}
    return Finding(name, key["key"], key["key_name"], evidence, **owner, **more)


def _age(key: Row, judged: Judged) -> timedelta:
    """How old is the key at the end of the range? Old enough if its creation is unknown."""
    created: datetime | None = key["created_at"]
    return judged.window.end - created if created else DORMANT


def _disabled(key: Row, use: OfKey, judged: Judged) -> Iterator[Finding]:
    expires, end = key["expires_at"], judged.window.end
    is_expired = bool(expires and expires <= end)
    late, late_usd = use.total("expired_requests"), use.total("expired_usd")
    if is_expired and late_usd > 0:
        yield _finding(
            key,
            "spend_after_expiry",
            f"{formatting.money(float(late_usd))} in "
            f"{formatting.counted(late, 'request')} after it expired.",
            since=expires,
            requests=late,
            link_start=max(expires, judged.window.start - DORMANT),
            link_end=end,
        )
    if is_expired and not key["is_blocked"]:
        yield from _tried_after_expiry(key, use, judged)
    else:
        yield from _tried_while_blocked(key, use, judged)


def _tried_after_expiry(key: Row, use: OfKey, judged: Judged) -> Iterator[Finding]:
    failures, newest = use.total("expired_failures"), use.last("last_failure_at")
    if failures and newest and newest >= judged.window.start:
        what = f"{formatting.counted(failures, 'failure')} since"
        yield _tried(key, f"The key is expired; {what}.", failures, key["expires_at"], judged)


def _tried_while_blocked(key: Row, use: OfKey, judged: Judged) -> Iterator[Finding]:
    """When a key was blocked is not known: only a failure after its last success can be a try."""
    succeeded, failed = use.last("last_success_at"), use.last("last_failure_at")
    failures = use.total("failures")
    if failures and failed and (succeeded is None or failed > succeeded):
        since = succeeded or use.first("first_at")
        count = formatting.counted(failures, "failure")
        success = "the newest after its last success" if succeeded else "and no success"
        what = f"The key is blocked; {count} in the range, {success}."
        yield _tried(key, what, failures, since, judged)


def _tried(
    key: Row, evidence: str, failures: int, since: datetime | None, judged: Judged
) -> Finding:
    start = judged.window.start
    if not key["is_blocked"] and since:
        start = max(since, start - DORMANT)
    return _finding(
        key,
        "disabled_but_tried",
        evidence,
        since=since,
        requests=failures,
        link_start=start,
        link_end=judged.window.end,
        failures_only=True,
    )


def _without_limits(key: Row) -> Iterator[Finding]:
    """Facts that are None because they may not be read are no findings."""
    if key["knows_expiry"] and key["expires_at"] is None:
        yield _finding(key, "no_expiry", "No expiry is set.", since=key["created_at"])
    if key["has_budget"] is False:
        evidence = "No budget of the key, none that is linked, none of its team."
        yield _finding(key, "no_budget", evidence, since=key["created_at"])
    if key["knows_owner"] and not key["user_id"] and not key["team_id"]:
        yield _finding(key, "no_owner", "No user and no team.", since=key["created_at"])


def _rotation(key: Row, judged: Judged) -> Iterator[Finding]:
    due = key["rotation_at"]
    if key["rotates"] and due and due < judged.window.end:
        late = formatting.age(due, judged.window.end)
        yield _finding(key, "rotation_overdue", f"Its rotation was due {late}.", since=due)


def _new_origins(key: Row, use: OfKey, judged: Judged) -> Iterator[Finding]:
    """Networks and programs of the range, if others were known before it."""
    kinds = (
        ("new_network", use.networks, "knew_network", "from"),
        ("new_agent", use.agents, "knew_agent", "by"),
    )
    for name, new, known, word in kinds:
        if not any(row[known] for row in use.models):
            continue
        for row in new:
            requests = formatting.counted(row["requests"], "request")
            is_one = name == "new_network" and row["addresses"] == 1
            yield _finding(
                key,
                name,
                f"{requests} {word} {row['value']}.",
                since=row["first_at"],
                requests=row["requests"],
                link_start=judged.window.start,
                link_end=judged.window.end,
                tag=f"{AUTOMATIC_TAG} {row['value']}" if name == "new_agent" else None,
                address=row["address"] if is_one else None,
            )


def _unused(key: Row, use: OfKey, judged: Judged) -> Finding | None:
    """Was the key never used, or not for 90 days? None if it was, or if it is not known."""
    last = max((one for one in (key["last_active_at"], use.last("last_at")) if one), default=None)
    if last is not None:
        if last >= judged.dormant_before:
            return None
        return _finding(key, "dormant", f"Last used {_day(last)}.", since=last)
    if _is_never_used(key, judged) and _age(key, judged) >= NEW:
        evidence = "No activity, no spend, no request in the log."
        return _finding(key, "never_used", evidence, since=key["created_at"], requests=0)
    if judged.used.is_known and judged.covers_dormancy and _age(key, judged) >= DORMANT:
        return _finding(key, "dormant", "No request in the log for 90 days.")
    return None


def _is_never_used(key: Row, judged: Judged) -> bool:
    """Without LiteLLM's note of the last use, only the log since the creation can tell."""
    spend, created = key["spend_usd"], key["created_at"]
    if spend is None or spend > 0:
        return False
    in_log = created is not None and judged.log_from is not None and judged.log_from <= created
    return bool(key["knows_last_use"] or (judged.used.is_known and in_log))


def _ungranted(key: Row, use: OfKey, judged: Judged) -> Iterator[Finding]:
    """What the key may use and did not, since it was made or as far as the log reaches."""
    since = max((one for one in (key["created_at"], judged.log_from) if one), default=None)
    used = [row["value"] for row in use.models]
    models, granted = unused_models(key["models"], key["team_models"], used)
    if models:
        evidence = in_words(models, granted, "models")
        yield _finding(key, "unused_models", evidence, since=since)
    called = {*(row["value"] for row in use.tools), *judged.grants.called.get(key["key"], ())}
    tools, compared = unused_tools(
        key["mcp_servers"], key["mcp_tools"], judged.grants.servers, called
    )
    if tools:
        evidence = in_words(tools, compared, "servers and tools")
        yield _finding(key, "unused_tools", evidence, since=since)


def _day(moment: datetime) -> str:
    return f"on {moment.day} {moment:%B %Y}"
