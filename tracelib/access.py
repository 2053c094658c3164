"""What a person may see: whose requests, and whether their messages."""

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
