"""What happens in the story and when, counted from the day on which it was first told."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from tracelib.demo import catalog
from tracelib.demo.cast import Key
from tracelib.demo.gateway import Outage

DAYS = 30
"""How long the story is."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The events. Times are in seconds since 1970.

    newcomer_from  when the new model is first offered
    runaway_at     when an agent begins to go round in circles
    """

    outage: Outage
    newcomer_from: float
    runaway_at: float

    def model_for(self, rng: Random, key: Key, at: float) -> catalog.Model:
        """Which model does that key ask for at that time?"""
        share = key.newcomer_share * self._adoption(at)
        if share and rng.random() < share:
            return catalog.newcomer()
        names = list(key.models)
        name = names[0] if len(names) == 1 else rng.choices(names, list(key.models.values()))[0]
        return catalog.models()[name]

    def _adoption(self, at: float) -> float:
        """The new model is taken up over eight days."""
        return min(max((at - self.newcomer_from) / (8 * 86_400), 0.0), 1.0)


def scene(anchor: datetime) -> Scene:
    """The events of a story told up to `anchor`, an aware time."""
    midnight = anchor.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    outage = _working_day(midnight - timedelta(days=4)) + timedelta(hours=9, minutes=12)
    night = _working_day(midnight - timedelta(days=9)) + timedelta(minutes=47)
    return Scene(
        outage=Outage("anthropic", outage.timestamp(), outage.timestamp() + 3.1 * 3600),
        newcomer_from=(midnight - timedelta(days=14, hours=-9)).timestamp(),
        runaway_at=night.timestamp(),
    )


def _working_day(day: datetime) -> datetime:
    """That day, or the Friday before where it lies in a week-end."""
    return day - timedelta(days=max(day.weekday() - 4, 0))
