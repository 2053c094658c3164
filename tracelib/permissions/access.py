"""What a person or program may see: whose requests, and whether their messages; and its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

Role = Literal["viewer", "auditor", "admin"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose requests may be seen: everyone's, or those of any of these teams, users and keys.

    IDs as LiteLLM stores them: of a team, of an internal user, the hash of a key. Equal scopes are
    equal values with the same text. A scope without IDs shows nothing.
    """

    is_all: bool = False
    teams: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("teams", "users", "keys"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))


@dataclass(frozen=True, slots=True)
class Access:
    """What one person or program may see.

    A viewer sees figures, an auditor also messages, an admin also the state of the installation.
    """

    scope: Scope
    role: Role

    @property
    def reads_messages(self) -> bool:
        """May messages be read?"""
        return self.role in ("auditor", "admin")

    @property
    def sees_installation(self) -> bool:
        """May the state of the database and of this installation be seen?"""
        return self.role == "admin"


EVERYONE = Scope(is_all=True)
FULL = Access(EVERYONE, "admin")

KINDS = ("teams", "users", "keys")
MOST_IDS = 1_000
LONGEST_ID = 300
LONGEST_NAME = 40  # of an unknown field, in a sentence
OF_FIELDS = ("missing", "extra_forbidden")
ROLE_SENTENCE = f"`role` must be one of {', '.join(get_args(Role))}."
SCOPE_SENTENCE = '`scope` must be {"all": true}, or contain `teams`, `users` or `keys`.'
# By the path of the field; see `complaint`.
SCOPE_SENTENCES = {
    "scope": SCOPE_SENTENCE,
    "scope.unknown": "`scope` has the unknown field {}.",
    **{
        f"scope.{kind}": f"`scope.{kind}` must be a list of at most {MOST_IDS} IDs."
        for kind in KINDS
    },
}


class Document(BaseModel):
    """A JSON object in a setting: no value is converted, and an unknown field is a mistake."""

    model_config = ConfigDict(strict=True, extra="forbid", regex_engine="python-re")


class Claim(Document):
    """IDs that the directory states of a person, by the name of the claim."""

    claim: str


def _id(text: str) -> str:
    if not 0 < len(text) <= LONGEST_ID:
        raise ValueError
    return text


def _hash(key: str) -> str:
    if key.startswith("sk-"):
        raise ValueError(
            "`scope.keys` must be the hashes that LiteLLM stores, not the keys themselves."
        )
    return key


Id = Annotated[str, AfterValidator(_id)]
Ids = Annotated[list[Id], Field(max_length=MOST_IDS)]
Hashes = Annotated[list[Annotated[Id, AfterValidator(_hash)]], Field(max_length=MOST_IDS)]


class PersonScope(Document):
    """The scope of a person: `{"all": true}`, or IDs of any kind, each listed or from a claim."""

    all: bool = False
    teams: Ids | Claim = []
    users: Ids | Claim = []
    keys: Hashes | Claim = []

    @model_validator(mode="after")
    def _is_all_or_ids(self) -> Self:
        fields = self.model_fields_set
        if self.all and fields == {"all"}:
            return self
        if not fields or "all" in fields:
            raise ValueError(SCOPE_SENTENCE)
        if not any(getattr(self, kind) for kind in KINDS):
            raise ValueError("`scope` is empty: it needs at least one team, user or key.")
        return self

    def claimed(self) -> tuple[tuple[str, str], ...]:
        """The kinds of IDs that come from a claim, each with its claim."""
        ids = ((kind, getattr(self, kind)) for kind in KINDS)
        return tuple((kind, one.claim) for kind, one in ids if isinstance(one, Claim))

    def listed(self) -> Scope:
        """The scope with the listed IDs."""
        ids = {kind: getattr(self, kind) for kind in KINDS}
        return Scope(self.all, **{k: tuple(one) for k, one in ids.items() if isinstance(one, list)})


class ProgramScope(PersonScope):
    """The scope of a program, which has no claims."""

    teams: Ids = []
    users: Ids = []
    keys: Hashes = []


def complaint(error: ValidationError, sentences: Mapping[str, str]) -> str:
    """What is wrong with a document, as a sentence that quotes no value, as pydantic's own would.

    It is that of a validator, or the one in `sentences` for the path of the field, such as
    `scope.teams`; for `scope.missing` if that is missing; for `scope.unknown` if the object has an
    unknown field; for the empty path if the document is no object. The document's own missing and
    unknown fields come first.
    """
    mistakes = error.errors(include_url=False, include_input=False)
    first = min(mistakes, key=lambda one: len(one["loc"]) > 1 or one["type"] not in OF_FIELDS)
    path = [str(part) for part in first["loc"]]
    unknown = ".".join([*path[:-1], "unknown"])
    if first["type"] == "extra_forbidden" and unknown in sentences:
        return sentences[unknown].format(repr(path[-1][:LONGEST_NAME]))
    if own := str(first.get("ctx", {}).get("error", "")):
        return own
    paths = (".".join([*path, first["type"]]), ".".join(path[:2]), ".".join(path[:1]), "")
    return next(sentences[one] for one in paths if one in sentences)
