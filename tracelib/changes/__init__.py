"""What changed against the window before, and what drove it?"""

from tracelib.changes.comparing import Comparison, changed_sessions, comparison
from tracelib.changes.effects import CostEffects, cost_effects
from tracelib.changes.markers import Marker, first_seen, of_models
from tracelib.changes.measures import DIMENSIONS, MEASURES, Group, Measure, Sums
from tracelib.changes.prices import price_changes
from tracelib.changes.recorded import recorded
from tracelib.changes.splitting import Mover, Split, split, splits
from tracelib.changes.words import headline

# The queries of changes of the installation, each with filters of a window only.
MARKERS = (first_seen, price_changes, recorded)

__all__ = [
    "DIMENSIONS",
    "MARKERS",
    "MEASURES",
    "Comparison",
    "CostEffects",
    "Group",
    "Marker",
    "Measure",
    "Mover",
    "Split",
    "Sums",
    "changed_sessions",
    "comparison",
    "cost_effects",
    "first_seen",
    "headline",
    "of_models",
    "price_changes",
    "recorded",
    "split",
    "splits",
]
