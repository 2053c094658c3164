"""What can be saved: which money bought nothing, and what would have cost less?"""

from tracelib.savings.amounts import (
    Context,
    Misses,
    ToolCost,
    context,
    misses,
    tool_costs,
)
from tracelib.savings.caching import CAUSES, resent
from tracelib.savings.classes import DECLARED, Declared
from tracelib.savings.prices import DIRECT, PriceBook, own_prices, price_book
from tracelib.savings.repricing import Repriced, WhatIf, repriced, uses, what_if
from tracelib.savings.tool_tables import tools_without_calls
from tracelib.savings.tools import unused_tools
from tracelib.savings.waste import Example, Waste, WasteClass, together, waste, waste_of_bodies

__all__ = [
    "CAUSES",
    "DECLARED",
    "DIRECT",
    "Context",
    "Declared",
    "Example",
    "Misses",
    "PriceBook",
    "Repriced",
    "ToolCost",
    "Waste",
    "WasteClass",
    "WhatIf",
    "context",
    "misses",
    "own_prices",
    "price_book",
    "repriced",
    "resent",
    "together",
    "tool_costs",
    "tools_without_calls",
    "unused_tools",
    "uses",
    "waste",
    "waste_of_bodies",
    "what_if",
]
