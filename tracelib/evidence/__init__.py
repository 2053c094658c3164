"""Evidence for an auditor: what the log holds of a range, what it lacks, and a file with hashes."""

from tracelib.evidence.counts import Evidence, evidence
from tracelib.evidence.document import Signatory, evidence_file
from tracelib.evidence.printable import printable
from tracelib.evidence.statement import Statement, statement_of

__all__ = [
    "Evidence",
    "Signatory",
    "Statement",
    "evidence",
    "evidence_file",
    "printable",
    "statement_of",
]
