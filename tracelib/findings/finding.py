"""A finding: what needs attention, why, how much it is, and where its requests are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Literal

from tracelib.choice import MOST_VALUES, Choice
from tracelib.filters import Filters
from tracelib.ledgers.windows import Run
from tracelib.ranges import Between
from tracelib.window import TimeWindow

Page = Literal["Overview", "Models", "Sessions", "Status"]
# A finding without money is ranked by the people it hits, next to those with money.
USD_A_PERSON = 10.0
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where exactly the requests of a finding are: a page, its range and filters, and `more`."""

    page: Page
    choice: Choice
    more: tuple[tuple[str, str], ...] = ()

    def query(self) -> Mapping[str, list[str]]:
        """The parameters of the page's URL."""
        return self.choice.to_query() | {name: [value] for name, value in self.more}


def evidence(
    page: Page,
    window: TimeWindow,
    more: Mapping[str, str] = NOTHING,
    ids: Mapping[str, Sequence[str]] = NOTHING,
) -> Evidence:
    """The requests of this time with these IDs of dimensions; the range is fixed in UTC.

    Of very many IDs, which no link may have, none is chosen.
    """
    few: Any = {name: tuple(some) for name, some in ids.items() if len(some) <= MOST_VALUES}
    choice = Choice(range=Between(window.start, window.end), **few)
    return Evidence(page, choice, tuple(more.items()))


@dataclass(frozen=True, slots=True)
class Finding:
    """What needs attention.

    `id` is the same as long as it lasts. `source` is one of `sources.SOURCES`; `about` are the
    dimension and the ID that it is about. `usd` is its size in money up to now, None if it has
    none or it is unknown; `people` how many it hits, 0 if that is unknown. `since` is None if it
    is unknown, `until` while it lasts. `private_name` is the name of a person in the headline.
    """

    id: str
    source: str
    about: tuple[str, str]
    headline: str
    cause: str
    remedy: str
    usd: float | None = None
    people: int = 0
    requests: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    evidence: Evidence | None = None
    private_name: str = ""

    @property
    def public_headline(self) -> str:
        """The headline without the name of a person, to send it out."""
        if not self.private_name:
            return self.headline
        return self.headline.replace(self.private_name, "(name withheld)")

    @property
    def weight(self) -> float:
        """By what is it ranked? Money, with an amount for each person that it hits."""
        return max(self.usd or 0.0, 0.0) + self.people * USD_A_PERSON


def finding_id(source: str, *about: str) -> str:
    """The ID of a finding of this source about these, in any process and at any time.

    >>> finding_id("loops", "a") == finding_id("loops", "a") != finding_id("loops", "b")
    True
    """
    text = "\0".join((source, *about))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Found:
    """What a source has found: `tested` says in words what was tested, `notes` what was not."""

    findings: tuple[Finding, ...] = ()
    tested: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


# Which findings are there as of a moment, of the requests that match the filters? `Run` runs
# queries. The window of the filters is not meant: each source reads what it needs.
FindingSource = Callable[[Run, Filters, datetime], Found]


@dataclass(frozen=True, slots=True)
class Failed:
    """A source that has no findings to show, and why, as a sentence."""

    source: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What needs attention as of `now`.

    `findings` come by weight, those that last first; `ended` are those that were over within the
    last day, the latest first. `total` counts also those beyond the limit.
    """

    now: datetime
    findings: tuple[Finding, ...] = ()
    ended: tuple[Finding, ...] = ()
    total: int = 0
    tested: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failed: tuple[Failed, ...] = field(default=())
