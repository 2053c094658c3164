"""Models' questions: which are used, what do they cost, and how fast do they answer?"""

from tracelib.models.deployments import deployments
from tracelib.models.over_time import over_time_by_model
from tracelib.models.usage import usage_by_model

__all__ = ["deployments", "over_time_by_model", "usage_by_model"]
