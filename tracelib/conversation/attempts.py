"""The rows of requests, with those that LiteLLM wrote for attempts it had to pay for."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import pandas as pd

from tracelib.selection import RowId

# LiteLLM numbers the rows of earlier attempts that a provider billed, after the request's id.
_BILLED = re.compile(r"(.+)-attempt-\d+", re.DOTALL)
# All attempts of a call are noted with about its start.
LONGEST_CALL = timedelta(minutes=30)

Call = tuple[str, str]  # a key, and a call id


@dataclass(frozen=True, slots=True)
class Light:
    """A light row of a request, None where nothing is known."""

    request_id: str
    call_id: str | None
    api_key: str
    started_at: datetime
    ended_at: datetime
    model: str
    deployment: str | None
    is_failure: bool
    cost_usd: float
    error_class: str | None
    asked_model: str | None
    attempted_retries: int | None
    attempted_fallbacks: int | None
    prompt_md5: str | None = None

    @property
    def id(self) -> RowId:
        """Which row of the log it is."""
        return RowId(self.request_id, self.started_at)


@dataclass(frozen=True, slots=True)
class Attempted:
    """A request: its own row, and one for each earlier attempt that was billed."""

    row: Light
    billed: tuple[Light, ...] = ()

    @property
    def rows(self) -> tuple[RowId, ...]:
        return tuple(row.id for row in (*self.billed, self.row))

    @property
    def failed_before(self) -> int:
        """How many attempts failed before the one of the row, at least?

        LiteLLM counts retries anew after a fallback, so that there may have been more.
        """
        told = (self.row.attempted_retries or 0) + (self.row.attempted_fallbacks or 0)
        return max(told, len(self.billed))

    @property
    def reasons(self) -> tuple[str | None, ...]:
        """Why each attempt failed. A billed one's row repeats the error of the last: unknown."""
        own = (self.row.error_class,) if self.row.is_failure else ()
        return (*(None for _ in range(self.failed_before)), *own)

    @property
    def lost_usd(self) -> float:
        """What the failed attempts that have a row cost, US dollars."""
        own = self.row.cost_usd if self.row.is_failure else 0.0
        return own + sum(row.cost_usd for row in self.billed)


def attempted_requests(
    requests: pd.DataFrame, same_prompt: pd.DataFrame | None = None
) -> tuple[Attempted, ...]:
    """Which of these requests may be more than one attempt? Each once, with its billed attempts.

    By start, ties by request id. A billed attempt whose request is not there stands alone. A
    request that neither failed nor shares a call or a prompt with one that did is left out.
    """
    known = [requests] if same_prompt is None else [requests, same_prompt]
    rows = {row.id: row for frame in _in_question(known) for row in _rows(frame)}
    ordered = sorted(rows.values(), key=lambda row: (row.started_at, row.request_id))
    called: dict[Call, list[Light]] = defaultdict(list)
    for row in ordered:
        called[row.api_key, row.call_id or row.request_id].append(row)
    own: list[Light] = []
    billed: dict[RowId, list[Light]] = defaultdict(list)
    for row in ordered:
        owner = _nearest(row, called.get((row.api_key, _billed_for(row)), ()))
        (own if owner is None else billed[owner.id]).append(row)
    return tuple(Attempted(row, tuple(billed[row.id])) for row in own)


def _in_question(known: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Of each frame the rows that failed, were tried again, or share a call or prompt with one."""
    failed = [frame[frame["is_failure"].astype("bool")] for frame in known]
    calls = {call for frame in failed for call in _calls(frame)}
    calls |= {found[1] for call in calls if (found := _BILLED.fullmatch(call))}
    prompts = {
        md5 for frame in failed if "prompt_md5" in frame for md5 in frame["prompt_md5"].dropna()
    }
    return [frame[_is_in_question(frame, calls, prompts)] for frame in known]


def _is_in_question(frame: pd.DataFrame, calls: set[str], prompts: set[str]) -> "pd.Series[bool]":
    tried = frame[["attempted_retries", "attempted_fallbacks"]].fillna(0).gt(0).any(axis="columns")
    found = tried | _calls(frame).isin(calls)
    if "prompt_md5" in frame:
        found |= frame["prompt_md5"].isin(prompts)
    return found


def _calls(frame: pd.DataFrame) -> "pd.Series[str]":
    """The call of each request, which is known by its own id where it has none."""
    named = frame["call_id"]
    return named.where(named.notna() & (named != ""), frame["request_id"])


def _nearest(attempt: Light, requests: Iterable[Light]) -> Light | None:
    """The request under whose call id an attempt was made; a client may use one id again."""
    near = (one for one in requests if abs(one.started_at - attempt.started_at) <= LONGEST_CALL)
    return min(near, key=lambda one: abs(one.started_at - attempt.started_at), default=None)


def _billed_for(row: Light) -> str:
    """The call that this row is an earlier attempt of; empty for a request's own row."""
    found = _BILLED.fullmatch(row.call_id or row.request_id)
    return found[1] if found and row.is_failure else ""


def _rows(frame: pd.DataFrame) -> Iterator[Light]:
    known = [field.name for field in fields(Light) if field.name in frame]
    plain = frame[known].astype(object).where(frame[known].notna(), None)
    return (Light(*values) for values in plain.itertuples(index=False, name=None))
