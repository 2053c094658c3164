"""The request parameters of the key review, and of the file of evidence."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tracelib.api.params import MOST_SESSIONS, Chosen
from tracelib.key_review import FINDINGS

if TYPE_CHECKING:
    FindingName = str
else:
    FindingName = Literal[tuple(FINDINGS)]


class Keys(Chosen):
    """Which keys, and which part of them. Filters by model or provider do not apply."""

    finding: FindingName | None = Field(None, description="Only keys with this finding.")
    first: int = Field(1, ge=1, le=1_000_000, description="The first key, counted from 1.")
    count: int = Field(100, ge=1, le=MOST_SESSIONS, description="The number of keys.")


class EvidenceFile(Chosen):
    """Of what there is evidence, and whether of messages, too."""

    messages: bool = Field(
        False, description="Whether the hashes cover messages. Needs the auditor role."
    )
