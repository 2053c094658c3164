"""What an incident is, and what is known of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tracelib.selection import RowId

Level = Literal["all", "provider", "deployment"]


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """What can fail: all traffic, a provider, or a deployment of one.

    `provider` is None for all traffic, and for a deployment whose provider is unknown.
    """

    level: Level = "all"
    provider: str | None = None
    deployment: str | None = None

    @property
    def parent(self) -> "Entity | None":
        """What this is a part of; None for all traffic."""
        if self.level == "deployment" and self.provider is not None:
            return Entity("provider", self.provider)
        return None if self.level == "all" else ALL

    def has(self, other: "Entity") -> bool:
        """Is the other one a part of this?"""
        parent = other.parent
        return parent is not None and (parent == self or self.has(parent))


ALL = Entity()


@dataclass(frozen=True, slots=True)
class Stretch:
    """When an entity had more faults than usual: from `start` to before `end`, aware UTC.

    `is_open` if nothing shows that it is over at the end of what was counted. `usual` is the share
    of faults before, and `usual_of` the entity whose share that is. `parts` are the entities within
    that had more faults than usual too.
    """

    entity: Entity
    start: datetime
    end: datetime
    is_open: bool
    requests: int
    faults: int
    usual: float
    usual_of: Entity
    parts: tuple[Entity, ...] = ()

    @property
    def excess(self) -> float:
        """How many more faults than usual?"""
        return self.faults - self.usual * self.requests


@dataclass(frozen=True, slots=True)
class Hit:
    """A team, user or key with faults in an incident. `id` is None for requests without one."""

    id: str | None
    name: str | None
    failures: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Signature:
    """Equal errors of an incident: the message without numbers and IDs; None if there is none.

    `is_new` if no earlier failure had it, of those that were read.
    """

    error_class: str | None
    error_code: str | None
    text: str | None
    failures: int
    first_at: datetime
    last_at: datetime
    is_new: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A session with faults, and the newest of its failed requests; None if all are hidden."""

    session_id: str
    api_key: str
    key_name: str | None
    model: str
    faults: int
    row: RowId | None


@dataclass(frozen=True, slots=True)
class Incident:
    """A stretch of time in which an entity had more faults than usual.

    `since` and `last_at` are the starts of its first and last fault, aware UTC. It is `is_ongoing`
    if it reaches up to now and nothing shows that it is over. `requests` are those of its time that
    say whether deployments work, `failures` those that failed, `hidden` successes after retries or
    fallbacks; `hidden` is None if there are too many requests to read that. `usual` is the share of
    faults before, of `usual_of`. `teams`, `users` and `keys` are those with the most faults, and
    `team_count` and so on how many there are.
    """

    entity: Entity
    since: datetime
    last_at: datetime
    is_ongoing: bool
    requests: int
    failures: int
    hidden: int | None
    usual: float
    usual_of: Entity
    parts: tuple[Entity, ...] = ()
    teams: tuple[Hit, ...] = ()
    users: tuple[Hit, ...] = ()
    keys: tuple[Hit, ...] = ()
    team_count: int = 0
    user_count: int = 0
    key_count: int = 0
    session_count: int = 0
    signatures: tuple[Signature, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def faults(self) -> int:
        """Failures, and hidden ones."""
        return self.failures + (self.hidden or 0)

    @property
    def rate(self) -> float:
        """The share of requests that were faults."""
        return self.faults / self.requests


@dataclass(frozen=True, slots=True)
class Recent:
    """The requests, and the failures among them, of the last `hours` of the range."""

    hours: int
    requests: int
    failures: int


@dataclass(frozen=True, slots=True)
class Incidents:
    """The incidents of a range, ongoing ones first, then the newest.

    `more` is how many with fewer faults are left out. `read_from` is where the counted time begins:
    before the range, for what is usual, and `until` where it ends. `requests` is how many were
    counted in it, the first of them in the hour `first_at`; None if there are none. `tested` is how
    many entities were tested, and `counts_hidden` whether hidden faults count in the test.
    """

    incidents: tuple[Incident, ...]
    more: int
    read_from: datetime
    until: datetime
    first_at: datetime | None
    requests: int
    tested: int
    counts_hidden: bool
    recent: tuple[Recent, ...] = field(default=())
