"""Which virtual keys need attention: unused, unlimited, disabled but tried, used elsewhere?"""

from tracelib.key_review.catalogue import FINDINGS, FindingKind
from tracelib.key_review.review import KeyReview, key_review
from tracelib.key_review.scans import together

__all__ = ["FINDINGS", "FindingKind", "KeyReview", "key_review", "together"]
