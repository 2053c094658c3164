"""What can be saved: which money bought nothing, and what would have cost less?"""

from tracelib.savings.classes import DECLARED, Declared
from tracelib.savings.waste import Example, Waste, WasteClass, waste, waste_of_bodies

__all__ = ["DECLARED", "Declared", "Example", "Waste", "WasteClass", "waste", "waste_of_bodies"]
