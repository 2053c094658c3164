"""One request and what became of it, before it takes the shape of a LiteLLM row."""

from dataclasses import dataclass, field, replace
from typing import Any

from tracelib.demo.cast import Key
from tracelib.demo.catalog import Deployment, Model, Price


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as LiteLLM counts them: `prompt` includes what the provider read from its cache."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    written: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    def cost(self, price: Price) -> dict[str, float]:
        """What they cost in US dollars, under the names of LiteLLM's cost_breakdown."""
        plain = self.prompt - self.cached - self.written
        read = price.input if price.cached is None else price.cached
        cached = self.cached * read / 1e6
        written = self.written * (price.written or price.input) / 1e6
        parts = {"input_cost": plain * price.input / 1e6 + cached + written}
        if self.cached or self.written:
            parts |= {"cache_read_cost": cached, "cache_creation_cost": written}
        parts["output_cost"] = self.completion * price.output / 1e6
        parts["total_cost"] = parts["input_cost"] + parts["output_cost"]
        return parts


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client sent. `body` is the JSON body, `answer` what a model would say to it.

    at       seconds since 1970
    session  the session id that LiteLLM stores; `names_session` tells whether the client sent it
    answer   the stored `response` without the parts that every response of its kind has
    """

    key: Key
    model: Model
    call_type: str
    at: float
    body: dict[str, Any]
    answer: dict[str, Any]
    usage: Usage
    session: str
    names_session: bool = False
    stream: bool = False
    end_user: str = ""
    tags: tuple[str, ...] = ()
    # A pause that the model itself makes, beyond what its speed explains.
    extra_s: float = 0.0

    def again(self, at: float) -> "Ask":
        """The same request sent once more."""
        return replace(self, at=at)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request was refused or broke.

    reached  whether a provider was asked at all
    extra    more of error_information
    tokens   of the prompt, where the error tells them
    """

    error_class: str
    code: str
    message: str
    normalized: str
    reached: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request went. Times are seconds since 1970, `spend` is US dollars."""

    ask: Ask
    model: Model
    deployment: Deployment
    call_id: str
    request_id: str
    ended: float
    first_token: float
    written: float
    usage: Usage
    spend: float
    costs: dict[str, float]
    failure: Failure | None = None
    fallbacks: int = 0
    retries: int = 0
    is_cache_hit: bool = False
    overhead_ms: float = 0.0
