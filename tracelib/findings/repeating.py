"""Requests that repeat: many in a row, nearly equal, without a pause that a person makes."""

from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Subquery, and_, case, cast, func, literal, or_, select
from sqlalchemy.types import BigInteger, Double, Integer

from tracelib.filters import Filters
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.measures import first_of, last_of
from tracelib.spendlogs.types import MONEY

# A loop of a session, and of a key whose client names no session: other callers may share a key.
FEWEST, FEWEST_OF_KEY = 15, 60
PAUSE_MS, PAUSE_OF_KEY_MS = 180_000, 60_000
SHARE_ALIKE, SHARE_ALIKE_OF_KEY = 0.8, 0.9
# So many without a pause are a finding though they differ.
UNATTENDED = 100
MOST_SESSIONS, MOST = 500, 20
# Completions are alike within this many tokens or this share; so are prompts that grow evenly.
TOKENS, SHARE = 20, 0.25
GROWTH_TOKENS, GROWTH_SHARE = 48, 0.02


def repeated_in_sessions(source: Source, filters: Filters) -> pd.DataFrame:
    """Which sessions have many requests in a row that no person has sent one by one?

    A row per run of requests of one session and model, highest cost first, at most 20:

        session_id, api_key, key, user, team, model     text
        key_name, user_name       text
        requests, alike, failures, tool_calls     int; alike are nearly equal to the one before
        first_prompt, last_prompt     int, the smallest and the largest prompt, in tokens
        first_at, last_at         aware UTC, the first and the last start
        cost_usd                  US dollars

    Nearly equal are completions of about the same length, after prompts that stay the same or grow
    by the same amount each time. Runs end at a pause of 3 minutes. Those of 15 requests or more are
    returned if four in five are alike, those of 100 or more in any case.
    """
    requests = source.requests(filters)
    busy = (
        select(requests.c.session_group)
        .group_by(requests.c.session_group)
        .having(func.count() >= FEWEST)
        .order_by(func.count().desc(), requests.c.session_group)
        .limit(MOST_SESSIONS)
    )
    runs = _runs(requests, "session_group", requests.c.session_group.in_(busy), PAUSE_MS)
    are_alike = runs.c.alike >= SHARE_ALIKE * (runs.c.requests - 1)
    chosen = and_(runs.c.requests >= FEWEST, or_(are_alike, runs.c.requests >= UNATTENDED))
    return source.frame(_named(source, runs, chosen))


def repeated_by_keys(source: Source, filters: Filters) -> pd.DataFrame:
    """Which keys have sent many requests in a row that are nearly equal, in whatever sessions?

    As `repeated_in_sessions`, without an end at a new session: runs end at a pause of a minute, and
    those of 60 requests or more are returned if nine in ten are alike.
    """
    requests = source.requests(filters)
    runs = _runs(requests, "key_group", requests.c.key_group != "", PAUSE_OF_KEY_MS)
    are_alike = runs.c.alike >= SHARE_ALIKE_OF_KEY * (runs.c.requests - 1)
    return source.frame(_named(source, runs, and_(runs.c.requests >= FEWEST_OF_KEY, are_alike)))


def _runs(requests: Subquery, by: str, condition: ColumnElement[bool], pause_ms: int) -> Subquery:
    """The runs of requests of one group and model; rows that differ in nothing need no order."""
    wanted = ("session_id", "api_key", "key_group", "user", "team", "model", "start_order")
    own = [*wanted, "started_at", "prompt_tokens", "completion_tokens", "is_failure", "tool"]
    own += ["spend_usd"]
    partition = [requests.c[by], requests.c.model]
    order = [requests.c[one] for one in ("start_order", "prompt_tokens", "completion_tokens")]
    over: dict[str, Any] = {"partition_by": partition, "order_by": order}
    before = measures.named(
        start_before=func.lag(requests.c.start_order).over(**over),
        prompt_before=func.lag(requests.c.prompt_tokens).over(**over),
        prompt_second=func.lag(requests.c.prompt_tokens, 2).over(**over),
        completion_before=func.lag(requests.c.completion_tokens).over(**over),
    )
    columns = [requests.c[one] for one in own]
    numbered = func.row_number().over(**over).label("place")
    steps = select(requests.c[by].label("grouped"), *columns, *before, numbered).where(condition)
    if not _has_sample(requests):
        steps = steps.add_columns(requests.c.request_id)
    stepped = steps.subquery("steps")
    paused = measures.elapsed_ms(stepped.c.start_before, stepped.c.start_order) > pause_ms
    begins = case((or_(stepped.c.start_before.is_(None), paused), 1), else_=0)
    run = func.sum(begins).over(
        partition_by=[stepped.c.grouped, stepped.c.model], order_by=stepped.c.place
    )
    marked = select(
        stepped,
        cast(run, BigInteger).label("run"),
        case((and_(begins == 0, _is_alike(stepped)), 1), else_=0).label("is_alike"),
    ).subquery("marked")
    return _figures(marked)


def _has_sample(requests: Subquery) -> bool:
    """Are names found without the ID of a request?"""
    return "metadata" not in requests.c


def _is_alike(step: Subquery) -> ColumnElement[bool]:
    grown = _minus(step.c.prompt_tokens, step.c.prompt_before)
    grown_before = _minus(step.c.prompt_before, step.c.prompt_second)
    completion = func.abs(_minus(step.c.completion_tokens, step.c.completion_before))
    is_even = func.abs(grown - grown_before) <= _tolerance(
        step.c.prompt_before, GROWTH_TOKENS, GROWTH_SHARE
    )
    return and_(
        completion <= _tolerance(step.c.completion_before, TOKENS, SHARE),
        or_(step.c.prompt_second.is_(None), is_even),
    )


def _minus(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return cast(one, BigInteger) - cast(other, BigInteger)


def _tolerance(tokens: ColumnElement[int], least: int, share: float) -> ColumnElement[Any]:
    return func.greatest(literal(float(least), Double()), cast(tokens, Double) * share)


def _figures(marked: Subquery) -> Subquery:
    one = marked.c
    figures = measures.named(
        session_id=first_of(one.session_id),
        api_key=first_of(one.api_key),
        key_group=func.min(measures.alphabetical(one.key_group), type_=one.key_group.type),
        user=last_of(one.user),
        team=last_of(one.team),
        requests=func.count(),
        alike=cast(func.sum(one.is_alike), BigInteger),
        failures=measures.failures(marked),
        tool_calls=func.count(one.tool),
        first_prompt=func.min(one.prompt_tokens, type_=Integer()).filter(one.prompt_tokens > 0),
        last_prompt=func.max(one.prompt_tokens, type_=Integer()),
        first_at=func.min(one.started_at),
        last_at=func.max(one.started_at),
        cost_usd=func.coalesce(func.sum(one.spend_usd, type_=MONEY), 0, type_=MONEY),
    )
    grouped = (one.grouped, one.model, one.run)
    sample = last_of(one.request_id).label("sample") if "request_id" in one else None
    added = [] if sample is None else [sample]
    return select(one.model, *figures, *added).group_by(*grouped).subquery("runs")


def _named(source: Source, runs: Subquery, chosen: ColumnElement[bool]) -> Select[Any]:
    largest = (
        select(runs, key_or_none(runs.c.key_group).label("key"))
        .where(chosen)
        .order_by(*_order(runs))
        .limit(MOST)
        .subquery("largest")
    )
    sample = largest.c.sample if "sample" in largest.c else literal("")
    names = [
        source.name_of(one, largest.c[one], sample).label(f"{one}_name") for one in ("key", "user")
    ]
    shown = ("session_id", "api_key", "key", "user", "team", "model", "requests", "alike")
    figures = ("failures", "tool_calls", "first_prompt", "last_prompt", "first_at", "last_at")
    columns = [largest.c[one] for one in (*shown, *figures, "cost_usd")]
    return select(*columns, *names).order_by(*_order(largest))


def _order(runs: Subquery) -> list[ColumnElement[Any]]:
    tie = [measures.alphabetical(runs.c[one]) for one in ("session_id", "api_key", "model")]
    return [runs.c.cost_usd.desc(), runs.c.requests.desc(), *tie, runs.c.first_at]
