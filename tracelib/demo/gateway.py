"""The proxy's handling of a request: its deployment, duration, outcome and failures."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from tracelib.demo import brownout, failures
from tracelib.demo.brownout import Brownout
from tracelib.demo.cast import Deployment, Key, Model, models, newcomer
from tracelib.demo.exchange import Ask, Failure, Outcome, Usage

# Of all requests; a little below what is common, because the outage and the loop add theirs.
_FAULT_RATE = 0.018
_RETRY_RATE = 0.015
_FALLBACK_RATE = 0.006
_REFUSALS = {"BudgetExceededError": 0.0012, "GuardrailRaisedException": 0.0016}


@dataclass(frozen=True, slots=True)
class Outage:
    """A provider does not respond in the half-open time [start, end), seconds since 1970.

    In the time of the brownout a deployment is too slow.
    """

    provider: str
    start: float
    end: float
    brownout: Brownout = brownout.NEVER

    def hits(self, provider: str, at: float) -> bool:
        """Is that provider down at that time?"""
        return provider == self.provider and self.start <= at < self.end


def new_id(rng: Random) -> str:
    """A UUID as text."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def send(rng: Random, ask: Ask, outage: Outage) -> Outcome:
    """The outcome of this request. Always one, as LiteLLM always writes one row."""
    refusal = _refusal(rng, ask)
    if refusal is not None:
        return _failed(rng, ask, ask.model.deployments[0], refusal, 0.02)
    deployment = ask.model.pick(rng)
    if outage.hits(deployment.provider, ask.at):
        return _in_outage(rng, ask, deployment, outage)
    if outage.brownout.hits(deployment.model, ask.at) and rng.random() < 0.7:
        return _in_brownout(rng, ask, deployment)
    if rng.random() < _FAULT_RATE:
        return _faulty(rng, ask, deployment)
    if _may_fall_back(ask) and rng.random() < _FALLBACK_RATE:
        return _fallen_back(rng, ask, outage, waited_s=rng.uniform(0.8, 9.0))
    retries = 1 if rng.random() < _RETRY_RATE else 0
    waited_s = rng.uniform(0.6, 4.0) if retries else 0.0
    return _succeeded(rng, ask, ask.model, deployment, waited_s, retries=retries)


def replay(rng: Random, original: Outcome, ask: Ask) -> Outcome:
    """The same response from LiteLLM's cache: at once, without cost, with its old tokens."""
    ended = ask.at + rng.uniform(0.0004, 0.004)
    return replace(
        original,
        ask=ask,
        call_id=new_id(rng),
        request_id=f"{original.request_id}_cache_hit{ask.at:.6f}",
        ended=ended,
        first_token=ended,
        written=ended + rng.uniform(2, 12),
        spend=0.0,
        costs=dict.fromkeys(original.costs, 0.0),
        is_cache_hit=True,
        fallbacks=0,
        retries=0,
    )


def refuse(rng: Random, ask: Ask, failure: Failure) -> Outcome:
    """The outcome of a request that fails for a given reason."""
    return _failed(rng, ask, ask.model.deployments[0], failure, 0.02)


def _refusal(rng: Random, ask: Ask) -> Failure | None:
    draw = rng.random()
    if draw < _REFUSALS["BudgetExceededError"]:
        return failures.over_budget(ask)
    if draw < sum(_REFUSALS.values()) and ask.call_type == "acompletion":
        return failures.guarded()
    return None


def _may_fall_back(ask: Ask) -> bool:
    """Fallbacks are configured for chat completions only; coding clients want their own model."""
    return ask.model.fallback is not None and ask.call_type == "acompletion"


def _in_outage(rng: Random, ask: Ask, deployment: Deployment, outage: Outage) -> Outcome:
    if _may_fall_back(ask) and rng.random() < 0.45:
        return _fallen_back(rng, ask, outage, waited_s=rng.uniform(1.5, 22.0))
    failure = failures.outage(rng, ask, deployment.provider)
    waited_s = 60.2 if failure.error_class == "Timeout" else rng.uniform(0.3, 8.0)
    return _failed(rng, ask, deployment, failure, waited_s)


def _in_brownout(rng: Random, ask: Ask, deployment: Deployment) -> Outcome:
    if brownout.is_retried(rng):
        waited_s = rng.uniform(6, 25)
        return _succeeded(rng, ask, ask.model, deployment, waited_s, retries=rng.randint(1, 2))
    return _failed(rng, ask, deployment, brownout.timeout(rng, ask), 60.2)


def _faulty(rng: Random, ask: Ask, deployment: Deployment) -> Outcome:
    draw = rng.random()
    if ask.stream and draw < 0.35:
        return _broken(rng, ask, deployment)
    if draw > 0.96:
        return _failed(rng, ask, deployment, failures.disconnected(), rng.uniform(2, 20))
    failure = failures.provider_fault(rng, ask, deployment.provider)
    waited_s = 60.1 if failure.error_class == "Timeout" else rng.uniform(0.15, 2.5)
    return _failed(rng, ask, deployment, failure, waited_s)


def _fallen_back(rng: Random, ask: Ask, outage: Outage, waited_s: float) -> Outcome:
    other = models()[ask.model.fallback or ask.model.name]
    chosen = other.pick(rng)
    if outage.hits(chosen.provider, ask.at):
        chosen = other.deployments[-1]
    return _succeeded(rng, ask, other, chosen, waited_s, fallbacks=1)


def _succeeded(
    rng: Random,
    ask: Ask,
    model: Model,
    deployment: Deployment,
    waited_s: float,
    *,
    fallbacks: int = 0,
    retries: int = 0,
) -> Outcome:
    usage = ask.usage if not fallbacks else replace(ask.usage, cached=0, written=0)
    first_s = waited_s + ask.extra_s + _first_token_s(rng, model, usage)
    rest_s = usage.completion / (model.tokens_per_s * rng.lognormvariate(0, 0.22))
    ended = ask.at + first_s + rest_s
    costs = usage.cost(model.price)
    return Outcome(
        ask=ask,
        model=model,
        deployment=deployment,
        call_id=(call_id := new_id(rng)),
        request_id=_request_id(rng, ask, call_id),
        ended=ended,
        first_token=ask.at + first_s if ask.stream else ended,
        written=ended + rng.uniform(2, 12),
        usage=usage,
        spend=costs["total_cost"],
        costs=costs,
        fallbacks=fallbacks,
        retries=retries,
        overhead_ms=round(rng.lognormvariate(2.3, 0.5), 3),
    )


def _failed(
    rng: Random, ask: Ask, deployment: Deployment, failure: Failure, waited_s: float
) -> Outcome:
    ended = ask.at + waited_s * rng.uniform(0.9, 1.1)
    call_id = new_id(rng)
    return Outcome(
        ask=ask,
        model=ask.model,
        deployment=deployment,
        call_id=call_id,
        request_id=call_id,
        ended=ended,
        first_token=ended,
        written=ended + rng.uniform(2, 12),
        usage=Usage(prompt=failure.tokens or ask.usage.prompt) if failure.reached else Usage(),
        spend=0.0,
        costs={},
        failure=failure,
        retries=2 if failure.error_class == "RateLimitError" and rng.random() < 0.4 else 0,
    )


def _broken(rng: Random, ask: Ask, deployment: Deployment) -> Outcome:
    """A stream that is interrupted: failed, but with the cost of what had arrived."""
    whole = _succeeded(rng, ask, ask.model, deployment, 0.0)
    share = rng.uniform(0.1, 0.8)
    usage = replace(ask.usage, completion=int(ask.usage.completion * share))
    costs = usage.cost(ask.model.price)
    return replace(
        whole,
        request_id=whole.call_id,
        ended=whole.first_token + (whole.ended - whole.first_token) * share,
        usage=usage,
        spend=costs["total_cost"],
        costs=costs,
        failure=failures.broken_stream(deployment.provider),
    )


def _first_token_s(rng: Random, model: Model, usage: Usage) -> float:
    """Long prompts are read at about 12,000 tokens a second, cached ones ten times as fast."""
    fresh = usage.prompt - usage.cached
    reading_s = fresh / 12_000 + usage.cached / 120_000
    slow = rng.uniform(2, 6) if rng.random() < 0.02 else 1.0
    return model.first_token_s * rng.lognormvariate(0, 0.35) * slow + reading_s


def _request_id(rng: Random, ask: Ask, call_id: str) -> str:
    if ask.call_type == "anthropic_messages":
        return f"msg_{rng.getrandbits(96):024x}"
    if ask.call_type == "atext_completion":
        return f"cmpl-{rng.getrandbits(96):024x}"
    if ask.call_type == "aresponses":
        return f"resp_{rng.getrandbits(640):0160x}"
    if ask.call_type == "acompletion":
        return f"chatcmpl-{rng.getrandbits(96):024x}"
    return call_id


DAYS = 30
"""The length of the story."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The events. Times are in seconds since 1970.

    newcomer_from  when the new model is first offered
    runaway_at     when an agent begins to go round in circles
    elsewhere_from when a key is first used by a program and from a network that are not its own
    unpriced_from  when a model has no price any more
    """

    outage: Outage
    newcomer_from: float
    runaway_at: float
    elsewhere_from: float
    unpriced_from: float

    def model_for(self, rng: Random, key: Key, at: float) -> Model:
        """Which model does that key request at that time?"""
        share = key.newcomer_share * self._adoption(at)
        if share and rng.random() < share:
            return newcomer()
        names = list(key.models)
        name = names[0] if len(names) == 1 else rng.choices(names, list(key.models.values()))[0]
        return models()[name]

    def _adoption(self, at: float) -> float:
        """The new model is adopted over eight days."""
        return min(max((at - self.newcomer_from) / (8 * 86_400), 0.0), 1.0)


def scene(anchor: datetime) -> Scene:
    """The events of a story up to `anchor`, an aware time."""
    midnight = anchor.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    outage = _working_day(midnight - timedelta(days=4)) + timedelta(hours=9, minutes=12)
    night = _working_day(midnight - timedelta(days=9)) + timedelta(minutes=47)
    return Scene(
        outage=Outage(
            "anthropic",
            outage.timestamp(),
            outage.timestamp() + 3.1 * 3600,
            brownout.brownout(midnight),
        ),
        newcomer_from=(midnight - timedelta(days=14, hours=-9)).timestamp(),
        runaway_at=night.timestamp(),
        elsewhere_from=(midnight - timedelta(days=2)).timestamp(),
        unpriced_from=(midnight - timedelta(days=5, hours=-8)).timestamp(),
    )


def _working_day(day: datetime) -> datetime:
    """That day, or the Friday before if it is on a week-end."""
    return day - timedelta(days=max(day.weekday() - 4, 0))
