"""Retries and fallbacks as one operation: requested model, serving model, cost of the failures."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Literal

import pandas as pd

from tracelib.conversation.attempts import Attempted, Light, attempted_requests
from tracelib.selection import RowId, row_ids

How = Literal["call id", "metadata", "call id alone", "same prompt"]

INFERRED: tuple[How, ...] = ("call id alone", "same prompt")
NEAR = timedelta(seconds=10)
# Neither is a value of a row: None means that a prompt is unknown.
ANY_PROMPT, ANY_CALL = object(), object()

# When it ended, the chain whose last request it is, and the length of the chain then.
Failure = tuple[datetime, int, int]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: requests that are attempts at the same thing.

    `rows` are its rows in order; LiteLLM stores none for most of its own retries and fallbacks, so
    `attempts` may be higher, and is a minimum. `reasons` are the error classes of the failed ones,
    None for each that is not stored. `served_model` and `served_by` (the deployment) are None if
    every attempt failed, `asked_model` if a fallback responded and the requested model is not
    stored.

    `lost_ms` is the time until the serving attempt began, or the whole time if none succeeded;
    `lost_usd` is the cost of the failed attempts. Both are None if attempts that they would have to
    include are not stored.
    """

    rows: tuple[RowId, ...]
    started_at: datetime
    asked_model: str | None
    served_model: str | None
    served_by: str | None
    reasons: tuple[str | None, ...]
    attempts: int
    lost_ms: float | None
    lost_usd: float | None
    how: How

    @property
    def is_inferred(self) -> bool:
        """Is the connection between the attempts inferred, rather than recorded by LiteLLM?"""
        return self.how in INFERRED


@dataclass(frozen=True, slots=True)
class _Chain:
    """Requests that each retried the failed one before."""

    requests: tuple[Attempted, ...]
    how: How


def operations(
    requests: pd.DataFrame, same_prompt: pd.DataFrame | None = None
) -> tuple[Operation, ...]:
    """Which of these requests took more than one attempt?

    `requests` are light rows, `same_prompt` those of `same_prompt_neighbours`, which may belong to
    other sessions. A request is a retry of one of its key that failed within 10 s before it started
    and had the same prompt: recorded if call ID and prompt match; inferred by the prompt alone, or
    by the call ID if one of the prompts is unknown. Attempts inside LiteLLM are those its metadata
    names. By start, ties by request ID. Operations of neighbours only are left out.
    """
    chains = _chains(attempted_requests(requests, same_prompt))
    found = [_operation(chain) for chain in chains if _attempts(chain.requests) > 1]
    own = set(row_ids(requests)) if found else set()
    return tuple(one for one in found if own.intersection(one.rows))


def _chains(requests: Iterable[Attempted]) -> list[_Chain]:
    chains: list[_Chain] = []
    waiting: dict[Hashable, list[Failure]] = defaultdict(list)
    for request in requests:
        how, index = _tries_again(request, chains, waiting)
        if index is None:
            index = len(chains)
            chains.append(_Chain((request,), how))
        else:
            chains[index] = _longer(chains[index], request, how)
        if request.row.is_failure:
            failure = (request.row.ended_at, index, len(chains[index].requests))
            for key in _failure_keys(request.row):
                heappush(waiting[key], failure)
    return chains


def _tries_again(
    request: Attempted, chains: Sequence[_Chain], waiting: Mapping[Hashable, list[Failure]]
) -> tuple[How, int | None]:
    """Which chain does this request continue, and how is that known?

    Requests come by start, so a failure that is skipped here is of no use to a later one.
    """
    started_at = request.row.started_at
    for how, key in _retry_keys(request.row):
        failures = waiting.get(key, [])
        # Parallel requests of one prompt overlap: neither is a retry of the other.
        while failures and failures[0][0] <= started_at:
            ended_at, index, length = heappop(failures)
            if started_at - ended_at <= NEAR and len(chains[index].requests) == length:
                return how, index
    return ("call id" if request.billed else "metadata"), None


def _retry_keys(row: Light) -> Iterator[tuple[How, Hashable]]:
    """The keys under which this request may retry a failed one, the best proof first.

    A client chooses call IDs, so an ID proves nothing without the same prompt.
    """
    if row.call_id and row.prompt_md5:
        yield "call id", (row.api_key, row.call_id, row.prompt_md5)
        yield "call id alone", (row.api_key, row.call_id, None)
    elif row.call_id:
        yield "call id alone", (row.api_key, row.call_id, ANY_PROMPT)
    if row.prompt_md5:
        yield "same prompt", (row.api_key, ANY_CALL, row.prompt_md5)


def _failure_keys(row: Light) -> Iterator[Hashable]:
    """Under which keys may a later request show that it retries this failed one?"""
    if row.call_id:
        yield (row.api_key, row.call_id, row.prompt_md5)
        yield (row.api_key, row.call_id, ANY_PROMPT)
    if row.prompt_md5:
        yield (row.api_key, ANY_CALL, row.prompt_md5)


def _longer(chain: _Chain, request: Attempted, how: How) -> _Chain:
    """The chain with one more request. An inferred chain stays inferred."""
    known = chain.how if chain.how in INFERRED else how
    return replace(chain, requests=(*chain.requests, request), how=known)


def _attempts(requests: Iterable[Attempted]) -> int:
    return sum(1 + request.failed_before for request in requests)


def _operation(chain: _Chain) -> Operation:
    first, last = chain.requests[0].row, chain.requests[-1].row
    is_served = not last.is_failure
    return Operation(
        rows=tuple(one for request in chain.requests for one in request.rows),
        started_at=first.started_at,
        asked_model=first.asked_model or (None if first.attempted_fallbacks else first.model),
        served_model=last.model if is_served else None,
        served_by=last.deployment if is_served else None,
        reasons=tuple(reason for request in chain.requests for reason in request.reasons),
        attempts=_attempts(chain.requests),
        lost_ms=_lost_ms(chain.requests),
        lost_usd=_lost_usd(chain.requests),
        how=chain.how,
    )


def _lost_ms(requests: Sequence[Attempted]) -> float | None:
    first, last = requests[0].row, requests[-1]
    # Versions before 1.85 log only the end of a failure.
    if first.is_failure and first.ended_at <= first.started_at:
        return None
    if last.row.is_failure:
        return _elapsed_ms(first.started_at, last.row.ended_at)
    return None if last.failed_before else _elapsed_ms(first.started_at, last.row.started_at)


def _elapsed_ms(start: datetime, end: datetime) -> float:
    return (end - start) / timedelta(milliseconds=1)


def _lost_usd(requests: Sequence[Attempted]) -> float | None:
    if any(request.failed_before > len(request.billed) for request in requests):
        return None
    return sum((request.lost_usd for request in requests), 0.0)
