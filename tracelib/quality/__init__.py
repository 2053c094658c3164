"""How far can the log be trusted: which rows have a defect, and what does it do to figures?"""

from tracelib.quality.by_index import odd
from tracelib.quality.checks import CHECKS, Check, checks, worst
from tracelib.quality.counting import counts, requests_in
from tracelib.quality.examples import WITH_EXAMPLES, examples
from tracelib.quality.findings import Finding, Findings
from tracelib.quality.sampling import sampled
from tracelib.quality.unreadable import unreadable

__all__ = [
    "CHECKS",
    "WITH_EXAMPLES",
    "Check",
    "Finding",
    "Findings",
    "checks",
    "counts",
    "examples",
    "odd",
    "requests_in",
    "sampled",
    "unreadable",
    "worst",
]
