"""What is compared: sums of requests by day, owner, key, model, provider and tool."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any, Literal, NamedTuple

# Digits of a dollar in which ledgers are compared: LiteLLM adds up doubles, which have noise below.
PLACES = Decimal("1e-12")
# Sums of the greatest amounts have more digits than Python's own context.
DIGITS = Context(prec=60)
NONE_USD = Decimal(0)
Owner = Literal["user", "team", "tag"]
By = Literal["day", "key", "owner"]


def rounded(usd: Decimal | float | None) -> Decimal:
    """The amount with the digits in which ledgers are compared; None is 0.

    >>> rounded(None), rounded(Decimal("4e17") / 3)
    (Decimal('0E-12'), Decimal('133333333333333333.333333333300'))
    """
    return Decimal(usd or 0).quantize(PLACES, context=DIGITS)


class Cell(NamedTuple):
    """Requests that LiteLLM books in one row: owner is a user, a team or a tag; "" is none."""

    day: date
    owner: str
    key: str
    model: str
    provider: str
    tool: str

    def named(self, by: By) -> str:
        """Its day as 2026-11-28, its key, or its owner."""
        return self.day.isoformat() if by == "day" else str(getattr(self, by))


class Sums(NamedTuple):
    """What the requests of a cell add up to, in US dollars, and when they were seen, naive UTC.

    In the log: when the first and the last started. In a daily table: when its rows were made and
    last changed. None is unknown.
    """

    requests: int = 0
    failures: int = 0
    usd: Decimal = NONE_USD
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums(
            self.requests + other.requests,
            self.failures + other.failures,
            DIGITS.add(self.usd, other.usd),
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            min(filter(None, (self.first_at, other.first_at)), default=None),
            max(filter(None, (self.last_at, other.last_at)), default=None),
        )


def sums_of(values: Sequence[Any]) -> Sums:
    """The sums in these columns, in the order of `sums.SUMS`."""
    requests, failures, usd, prompt, completion, first_at, last_at = values
    return Sums(
        int(requests or 0),
        int(failures or 0),
        rounded(usd),
        int(prompt or 0),
        int(completion or 0),
        first_at,
        last_at,
    )


class LogRow(NamedTuple):
    """Sums of requests in the log. `user` and `team` are "" if there is none."""

    day: date
    user: str
    team: str
    key: str
    model: str
    provider: str
    tool: str
    sums: Sums


class BookedRow(NamedTuple):
    """Sums of a cell."""

    cell: Cell
    sums: Sums


Cells = Mapping[Cell, Sums]


def by_user(row: LogRow) -> Cell:
    """The cell of these requests in the daily table of users."""
    return Cell(row.day, row.user, row.key, row.model, row.provider, row.tool)


def by_team(row: LogRow) -> Cell:
    """The cell of these requests in the daily table of teams."""
    return Cell(row.day, row.team, row.key, row.model, row.provider, row.tool)


def summed(rows: Iterable[tuple[Cell, Sums]], lacking: frozenset[str] = frozenset()) -> Cells:
    """The sums of each cell, without the columns that one of the two ledgers lacks."""
    found: dict[Cell, Sums] = {}
    without: dict[str, Any] = dict.fromkeys(lacking, "")
    for cell, sums in rows:
        known = cell._replace(**without) if without else cell
        found[known] = found[known].plus(sums) if known in found else sums
    return found


def of_log(
    rows: Iterable[LogRow], cell: Callable[[LogRow], Cell], lacking: frozenset[str] = frozenset()
) -> Cells:
    """The sums of each cell of these rows of the log."""
    return summed(((cell(row), row.sums) for row in rows), lacking)
