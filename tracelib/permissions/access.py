"""What a person or program may see: whose requests, and whether their messages; and its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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


def read_scope(document: object) -> Scope:
    """The scope in this JSON. Raises ValueError with the end of a sentence about it.

    Either `{"all": true}`, or any of `teams`, `users` and `keys`, lists of IDs.

    >>> read_scope({"teams": ["b", "a"]})
    Scope(is_all=False, teams=('a', 'b'), users=(), keys=())
    """
    if isinstance(document, dict) and [*document] == ["all"] and document["all"] is True:
        return EVERYONE
    if not isinstance(document, dict) or not document or "all" in document:
        raise ValueError('`scope` must be {"all": true}, or contain `teams`, `users` or `keys`.')
    scope = read_ids(document)
    if scope == Scope():
        raise ValueError("`scope` is empty: it needs at least one team, user or key.")
    return scope


def read_ids(document: Mapping[str, object]) -> Scope:
    """The scope with these IDs. Raises ValueError with the end of a sentence about it."""
    if unknown := document.keys() - set(KINDS):
        raise ValueError(f"`scope` has the unknown field {min(map(str, unknown))[:40]!r}.")
    teams, users, keys = (_ids(kind, document.get(kind, [])) for kind in KINDS)
    if any(key.startswith("sk-") for key in keys):
        raise ValueError(
            "`scope.keys` must be the hashes that LiteLLM stores, not the keys themselves."
        )
    return Scope(teams=teams, users=users, keys=keys)


def _ids(kind: str, named: object) -> tuple[str, ...]:
    ids = named if isinstance(named, list) else [None]
    if len(ids) > MOST_IDS or not all(_is_id(one) for one in ids):
        raise ValueError(f"`scope.{kind}` must be a list of at most {MOST_IDS} IDs.")
    return tuple(ids)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID
