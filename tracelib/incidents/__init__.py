"""Incidents: since when do more requests fail than usual, for whom, and is it over?"""

from tracelib.incidents.budget import Burn, burns
from tracelib.incidents.health import (
    Compared,
    Interval,
    compared_health,
    health_checks,
    worth_comparing,
)
from tracelib.incidents.incidents import incidents
from tracelib.incidents.values import (
    ALL,
    Entity,
    Example,
    Hit,
    Incident,
    Incidents,
    Recent,
    Signature,
)

__all__ = [
    "ALL",
    "Burn",
    "Compared",
    "Entity",
    "Example",
    "Hit",
    "Incident",
    "Incidents",
    "Interval",
    "Recent",
    "Signature",
    "burns",
    "compared_health",
    "health_checks",
    "incidents",
    "worth_comparing",
]
