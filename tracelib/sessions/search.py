"""What a person searches sessions for: one frozen value, as the URL holds it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tracelib.choice import LONGEST_VALUE
from tracelib.spendlogs.table import UNSTORABLE, can_be_stored

STATUSES = ("any", "with failures", "without failures")
SORTS = ("recent", "cost", "length", "errors")
PARAMETERS = ("q", "id", "min_cost", "max_cost", "status", "many", "sort")
YES = "yes"
# A Responses id is base64 of a route and the vendor's id: several hundred characters.
LONGEST_ID = 2_000
# Beyond it no cost is meant, and PostgreSQL need not be asked.
GREATEST_COST = 1e15


@dataclass(frozen=True, slots=True)
class SessionSearch:
    """Which sessions are sought, and in which order?

    `text` is part of a name or id: key, team, user, model, deployment, end user or agent.
    `id` is a session id, a request id or a call id, whole; where it is given, nothing else
    narrows the search, neither the time range nor a filter. Costs are US dollars, inclusive.
    """

    text: str = ""
    id: str = ""
    min_cost_usd: float | None = None
    max_cost_usd: float | None = None
    status: str = "any"
    many_requests_only: bool = False
    sort: str = "recent"

    def __post_init__(self) -> None:
        for name in ("text", "id"):
            object.__setattr__(self, name, UNSTORABLE.sub("", getattr(self, name)).strip())

    def to_query(self) -> dict[str, list[str]]:
        """How does the URL say this? Defaults are left out."""
        said = {
            "q": self.text,
            "id": self.id,
            "min_cost": _written(self.min_cost_usd),
            "max_cost": _written(self.max_cost_usd),
            "status": self.status if self.status != "any" else "",
            "many": YES if self.many_requests_only else "",
            "sort": self.sort if self.sort != "recent" else "",
        }
        return {name: [value] for name, value in said.items() if value}


def read_search(query: Mapping[str, Iterable[str]]) -> tuple[SessionSearch, tuple[str, ...]]:
    """What does this URL search for, and which of its parts make no sense?

    The second value holds a sentence for each part that was left out.

    >>> read_search({"q": ["billing"], "min_cost": ["0.5"], "sort": ["cost"]})[0]
    SessionSearch(text='billing', id='', min_cost_usd=0.5, max_cost_usd=None, status='any', \
many_requests_only=False, sort='cost')
    >>> read_search({"min_cost": ["much"]})[1]
    ('The link’s min_cost “much” is no amount and was left out.',)
    """
    said = {name: next(iter(values), "") for name, values in query.items()}
    complaints: list[str] = []
    least, most = _costs(said, complaints)
    search = SessionSearch(
        text=_text(said, "q", LONGEST_VALUE, complaints),
        id=_text(said, "id", LONGEST_ID, complaints),
        min_cost_usd=least,
        max_cost_usd=most,
        status=_one_of(said, "status", STATUSES, complaints),
        many_requests_only=_one_of(said, "many", ("", YES), complaints) == YES,
        sort=_one_of(said, "sort", SORTS, complaints),
    )
    return search, tuple(complaints)


def _costs(said: Mapping[str, str], complaints: list[str]) -> tuple[float | None, float | None]:
    least, most = (_cost(said, name, complaints) for name in ("min_cost", "max_cost"))
    if least is not None and most is not None and least > most:
        complaints.append("The link’s least cost is above its greatest; both were left out.")
        return None, None
    return least, most


def _cost(said: Mapping[str, str], name: str, complaints: list[str]) -> float | None:
    written = said.get(name, "").strip()
    if not written:
        return None
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if abs(value) <= GREATEST_COST:
        return value
    complaints.append(f"The link’s {name} “{written[:40]}” is no amount and was left out.")
    return None


def _text(said: Mapping[str, str], name: str, longest: int, complaints: list[str]) -> str:
    written = said.get(name, "").strip()
    if not written or (len(written) <= longest and can_be_stored(written)):
        return written
    complaints.append(f"The link’s {name} is too long or unreadable and was left out.")
    return ""


def _one_of(
    said: Mapping[str, str], name: str, allowed: tuple[str, ...], complaints: list[str]
) -> str:
    """The first of the allowed values is the default."""
    written = said.get(name, "") or allowed[0]
    if written in allowed:
        return written
    complaints.append(f"The link’s {name} “{written[:40]}” does not exist and was left out.")
    return allowed[0]


def _written(cost: float | None) -> str:
    return "" if cost is None else repr(cost)
