"""What LiteLLM itself says of its traffic, by its own endpoints."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tests.live.answers import Json
from tests.live.proxy import Proxy


@dataclass(frozen=True)
class Figures:
    """What some requests come to. `tokens` are all, those served from the cache too."""

    requests: int = 0
    failures: int = 0
    cost_usd: Decimal = Decimal(0)
    tokens: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.requests + other.requests,
            self.failures + other.failures,
            self.cost_usd + other.cost_usd,
            self.tokens + other.tokens,
        )


def dollars(value: float) -> Decimal:
    """An amount without the noise of adding floats: LiteLLM adds doubles, the app exactly."""
    return Decimal(value).quantize(Decimal("1e-12"))


@dataclass(frozen=True)
class Ledger:
    """The endpoints of a proxy, asked about the days from `first` to `last`."""

    proxy: Proxy
    first: date
    last: date

    @property
    def _days(self) -> dict[str, str]:
        return {"start_date": f"{self.first}", "end_date": f"{self.last}"}

    def log(self, **filters: object) -> list[Json]:
        """The rows that LiteLLM's own page of its log lists, newest first."""
        times = {
            "start_date": f"{self.first} 00:00:00",
            "end_date": f"{self.last + timedelta(1)} 00:00:00",
        }
        page = self.proxy.ask("/spend/logs/ui", page_size=1_000, **times, **filters)
        assert page["total"] == len(page["data"]), "there is a second page"
        return page["data"]

    def activity(self) -> Json:
        """Requests and tokens, of all and day by day."""
        return self.proxy.ask("/global/activity", **self._days)

    def activity_by_model(self) -> dict[str, tuple[int, int]]:
        """Requests and tokens of the ten models with the most requests."""
        return {
            one["model"]: (one["sum_api_requests"], one["sum_total_tokens"])
            for one in self.proxy.ask("/global/activity/model", **self._days)
        }

    def cache_hits(self) -> Json:
        """Cache hits, failures and classes of error."""
        return self.proxy.ask("/global/activity/cache_hits", **self._days)

    def daily(self, what: str) -> Json:
        """The tables that LiteLLM keeps for `user`, `team`, `tag` or `customer`."""
        return self.proxy.ask(f"/{what}/daily/activity", page_size=1_000, **self._days)

    def daily_by(self, what: str, part: str) -> dict[str, Figures]:
        """The figures of such a table for each of its `entities`, `model_groups` or `api_keys`."""
        found: dict[str, Figures] = defaultdict(Figures)
        for day in self.daily(what)["results"]:
            for name, one in day["breakdown"][part].items():
                found[name] += _of_metrics(one["metrics"])
        return dict(found)

    def daily_by_date(self) -> dict[str, Figures]:
        """The figures of each UTC day."""
        results = self.daily("user")["results"]
        return {day["date"]: _of_metrics(day["metrics"]) for day in results}


def _of_metrics(metrics: Mapping[str, float]) -> Figures:
    return Figures(
        int(metrics["api_requests"]),
        int(metrics["failed_requests"]),
        dollars(metrics["spend"]),
        int(metrics["total_tokens"]),
    )


def by(column: str, rows: Iterable[Json]) -> dict[str, Figures]:
    """The figures of the rows of the log for each value of a column."""
    return by_value(lambda row: row[column], rows)


def by_value(value: Callable[[Json], str], rows: Iterable[Json]) -> dict[str, Figures]:
    """The figures of the rows of the log for each value of this function."""
    found: dict[str, Figures] = defaultdict(Figures)
    for row in rows:
        failed = int(row["status"] == "failure")
        found[value(row)] += Figures(1, failed, dollars(row["spend"]), row["total_tokens"])
    return dict(found)


def is_hit(row: Json) -> bool:
    """Was this request answered from LiteLLM's cache?"""
    return row["cache_hit"] == "True"
