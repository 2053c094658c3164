"""Incidents: since when do more requests fail than usual, for whom, and is it over?"""

from tracelib.incidents.budget import Burn, burns
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
    "Entity",
    "Example",
    "Hit",
    "Incident",
    "Incidents",
    "Recent",
    "Signature",
    "burns",
    "incidents",
]
