"""Retries and fallbacks as one operation: what was asked for, what served it, what it cost."""

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
# Neither is what a row may hold: None stands for a prompt that is not known.
ANY_PROMPT, ANY_CALL = object(), object()

# When it ended, the chain it is the last of, and how long that was then.
Failure = tuple[datetime, int, int]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that was asked for, however many attempts it took.

    `rows` are its rows in order; LiteLLM stores none for most of its own retries and
    fallbacks, so `attempts` may be more, and is the least there were. `reasons` are the error
    classes of the failed ones, None for each that is not stored. `served_model` and
    `served_by` (the deployment) are None where every attempt failed, `asked_model` where a
    fallback answered and the model asked for is not stored.

    `lost_ms` is the time until the attempt that served began, or all of it where none did;
    `lost_usd` what the failed attempts cost. Both are None where attempts are not stored
    that they would have to count.
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
        """Is it LiteLLM that says these belong together, or do they only look like it?"""
        return self.how in INFERRED


@dataclass(frozen=True, slots=True)
class _Chain:
    """Requests that each tried again what the one before had failed to do."""

    requests: tuple[Attempted, ...]
    how: How


def operations(
    requests: pd.DataFrame, same_prompt: pd.DataFrame | None = None
) -> tuple[Operation, ...]:
    """Which of these requests took more than one attempt?

    `requests` are light rows, `same_prompt` those of `same_prompt_neighbours`, which may stand
    in other sessions. A request tries another of its key again that failed within 10 s before it
    started, and had the same prompt: told by both call id and prompt, or inferred by the prompt
    alone, or by the call id where one of the prompts is not known. Attempts inside LiteLLM are
    those its metadata names. In the order they started, ties by request id; none of neighbours
    alone.
    """
    chains = _chains(attempted_requests(requests, same_prompt))
    found = [_operation(chain) for chain in chains if _attempts(chain.requests) > 1]
    asked_about = set(row_ids(requests)) if found else set()
    return tuple(one for one in found if asked_about.intersection(one.rows))


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
            for key in _waits_under(request.row):
                heappush(waiting[key], failure)
    return chains


def _tries_again(
    request: Attempted, chains: Sequence[_Chain], waiting: Mapping[Hashable, list[Failure]]
) -> tuple[How, int | None]:
    """Which chain does this request go on with, and how is that known?

    Requests come as they started, so a failure passed over here is of no use to a later one.
    """
    started_at = request.row.started_at
    for how, key in _goes_on_under(request.row):
        failures = waiting.get(key, [])
        # Parallel requests of one prompt overlap: neither tries the other again.
        while failures and failures[0][0] <= started_at:
            ended_at, index, length = heappop(failures)
            if started_at - ended_at <= NEAR and len(chains[index].requests) == length:
                return how, index
    return ("call id" if request.billed else "metadata"), None


def _goes_on_under(row: Light) -> Iterator[tuple[How, Hashable]]:
    """What may show that this request tries a failed one again, the best proof first.

    A client chooses call ids, so one proves nothing without the same prompt.
    """
    if row.call_id and row.prompt_md5:
        yield "call id", (row.api_key, row.call_id, row.prompt_md5)
        yield "call id alone", (row.api_key, row.call_id, None)
    elif row.call_id:
        yield "call id alone", (row.api_key, row.call_id, ANY_PROMPT)
    if row.prompt_md5:
        yield "same prompt", (row.api_key, ANY_CALL, row.prompt_md5)


def _waits_under(row: Light) -> Iterator[Hashable]:
    """By what may a later request show that it tries this failed one again?"""
    if row.call_id:
        yield (row.api_key, row.call_id, row.prompt_md5)
        yield (row.api_key, row.call_id, ANY_PROMPT)
    if row.prompt_md5:
        yield (row.api_key, ANY_CALL, row.prompt_md5)


def _longer(chain: _Chain, request: Attempted, how: How) -> _Chain:
    """What is inferred once stays inferred."""
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
    # Versions before 1.85 note of a failure only when it ended.
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
