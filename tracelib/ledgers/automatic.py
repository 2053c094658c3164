"""The tags that LiteLLM adds itself: not compared, but sorted and written along with the others."""

from dataclasses import dataclass
from datetime import date

from tracelib.filters import Filters
from tracelib.ledgers.cells import BookedRow
from tracelib.ledgers.daily import daily
from tracelib.ledgers.logged import log_by_tag, window_of
from tracelib.source import Postgres
from tracelib.spendlogs.measures import automatic_tags


@dataclass(frozen=True, slots=True)
class Automatic:
    """The sums of LiteLLM's own tags in the log and in the daily table, by cell."""

    log: tuple[BookedRow, ...] = ()
    daily: tuple[BookedRow, ...] = ()


def automatic(source: Postgres, day: date) -> Automatic:
    """What do the tags that LiteLLM adds itself add up to on a UTC day, in both ledgers?

    Nothing if the daily table of tags may not be read, or for a viewer of a part.
    """
    booked = daily(source, "tag", day, day, day, is_automatic=True)
    if booked is None or not source.schema.scope.is_all:
        return Automatic()
    requests = source.requests(Filters(window_of(day, day)))
    return Automatic(log_by_tag(source, requests, automatic_tags), booked.rows)
