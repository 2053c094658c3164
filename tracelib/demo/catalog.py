"""Which models the invented proxy offers, what they cost and how fast they are."""

import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; `written` is what a provider asks to fill its prompt cache."""

    input: float
    output: float
    cached: float | None = None
    written: float | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One place behind a public model: LiteLLM's `model`, `model_id` and `api_base`."""

    model: str
    base: str
    weight: float = 1.0
    id: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(f"{self.model} {self.base}".encode()).hexdigest()
        object.__setattr__(self, "id", digest)

    @property
    def provider(self) -> str:
        """LiteLLM's `custom_llm_provider`."""
        return self.model.partition("/")[0]

    @property
    def plain_model(self) -> str:
        """The provider's own name for the model."""
        return self.model.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Model:
    """A public name (`model_group`) with its deployments. Speeds are medians."""

    name: str
    price: Price
    first_token_s: float
    tokens_per_s: float
    context: int
    deployments: tuple[Deployment, ...]
    reasons: bool = False
    is_newcomer: bool = False
    fallback: str | None = None

    def pick(self, rng: Random) -> Deployment:
        """The deployment that LiteLLM's router would choose."""
        if len(self.deployments) == 1:
            return self.deployments[0]
        weights = [deployment.weight for deployment in self.deployments]
        return rng.choices(self.deployments, weights)[0]


@cache
def models() -> dict[str, Model]:
    """Which models are there, by public name?"""
    data = tomllib.loads(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))
    return {name: _model(name, entry) for name, entry in data.items()}


@cache
def newcomer() -> Model:
    """Which model is offered only from the middle of the story on?"""
    return next(model for model in models().values() if model.is_newcomer)


def _model(name: str, entry: dict[str, Any]) -> Model:
    deployments = tuple(Deployment(**deployment) for deployment in entry["deployments"])
    price = Price(**entry["price"])
    return Model(name=name, **{**entry, "price": price, "deployments": deployments})
