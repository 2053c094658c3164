"""The clients of the sample traffic: an invented company with its teams, people and keys."""

import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Team:
    """A team. If it stores no prompts, its rows have `{}` as bodies."""

    id: str
    alias: str
    stores_prompts: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """The owner of keys."""

    id: str
    alias: str

    @property
    def email(self) -> str:
        """The address at example.com, which belongs to no one."""
        return self.alias.lower().replace(" ", ".") + "@example.com"


@dataclass(frozen=True, slots=True)
class Key:
    """A virtual key and the habits of the program that uses it.

    work       kind of work -> how many begin in a busy hour
    models     public model name -> weight
    rhythm     one of rhythm.RHYTHMS
    newcomer_share  0 to 1: how much of its traffic the new model takes in the end
    is_deleted  given up when the new model came; its rows are still there
    address     of its machine; empty for one made of its alias
    """

    alias: str
    team: Team
    user: User
    client: str
    work: dict[str, float]
    models: dict[str, float]
    tags: tuple[str, ...] = ()
    rhythm: str = "office"
    sends_session: bool = False
    end_users: bool = False
    redacted: bool = False
    agent: str | None = None
    newcomer_share: float = 0.0
    is_deleted: bool = False
    address: str = ""
    token: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(f"sk-sample-{self.alias}".encode()).hexdigest()
        object.__setattr__(self, "token", digest)


@dataclass(frozen=True, slots=True)
class Cast:
    """All teams, users and keys, in the order of cast.toml; idle keys begin no work."""

    organization_id: str
    organization_alias: str
    teams: tuple[Team, ...]
    users: tuple[User, ...]
    keys: tuple[Key, ...]
    idle_keys: tuple[Key, ...] = ()

    def key(self, alias: str) -> Key:
        """The key of that alias. Raises KeyError for an unknown one."""
        for key in (*self.keys, *self.idle_keys):
            if key.alias == alias:
                return key
        raise KeyError(alias)


@cache
def cast() -> Cast:
    """The teams, users and keys of the story."""
    data = tomllib.loads(Path(__file__).with_name("cast.toml").read_text(encoding="utf-8"))
    teams = tuple(Team(**team) for team in data["teams"])
    users = tuple(User(id, alias) for id, alias in data["users"].items())
    return Cast(
        data["organization"]["id"],
        data["organization"]["alias"],
        teams,
        users,
        tuple(_key(entry, teams, users) for entry in data["keys"]),
        tuple(_key(entry, teams, users) for entry in data["idle_keys"]),
    )


def _key(entry: dict[str, Any], teams: tuple[Team, ...], users: tuple[User, ...]) -> Key:
    team = next(team for team in teams if team.id == entry["team"])
    user = next(user for user in users if user.id == entry["user"])
    return Key(**{**entry, "team": team, "user": user, "tags": tuple(entry["tags"])})


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; `written` is the price of writing to the provider cache."""

    input: float
    output: float
    cached: float | None = None
    written: float | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of a public model: LiteLLM's `model`, `model_id` and `api_base`."""

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
    """The models, by public name."""
    data = tomllib.loads(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))
    return {name: _model(name, entry) for name, entry in data.items()}


@cache
def newcomer() -> Model:
    """The model that is offered only from the middle of the story on."""
    return next(model for model in models().values() if model.is_newcomer)


def _model(name: str, entry: dict[str, Any]) -> Model:
    deployments = tuple(Deployment(**deployment) for deployment in entry["deployments"])
    price = Price(**entry["price"])
    return Model(name=name, **{**entry, "price": price, "deployments": deployments})
