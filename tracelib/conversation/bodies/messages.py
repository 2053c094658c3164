"""Messages made of parts, whatever API they were sent to, and LiteLLM's marks in their texts."""

import re
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "text", "reasoning", "tool_call", "tool_result", "citation", "image", "audio", "file", "data"
]


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message, ready to be shown as plain text.

    `text` is never markup: it holds what a caller sent, so a page must escape it. Binary content is
    not included; its text describes it ("image/png, 12.4 kB, stored cut"). A citation has the title
    of the source as its name; its text is the address, then the quoted text.
    """

    kind: Kind
    text: str
    name: str | None = None  # of the tool, the file or the cited source
    call_id: str | None = None  # pairs a tool result with its call
    is_json: bool = False
    size_bytes: int | None = None
    truncated_chars: int = 0  # number of characters that LiteLLM cut out
    is_redacted: bool = False
    is_error: bool = False  # whether a tool reported that it failed
    reference: str | None = None  # the provider's ID, which later requests refer to
    # The provider's ID of the item it belongs to, which later requests may send instead of it.
    item_id: str | None = field(default=None, repr=False, compare=False)
    # Distinguishes parts with equal text: the bytes of an image, arguments whatever their spacing.
    fingerprint: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its role, and its parts in order (none if it was empty).

    `ending` describes how a response ended if not normally: "Cut off at the token limit (length)".
    `choice` numbers the choices of one response from 1; None if there is only one.
    """

    role: str  # system, developer, user, assistant, tool, or as stored
    parts: tuple[Part, ...]
    name: str | None = None
    ending: str | None = None
    choice: int | None = None


REDACTED_WORDS = "Redacted by LiteLLM before it was stored"

_REDACTED = frozenset({"redacted-by-litellm", "REDACTED_BY_LITELM"})

# Three spellings: 1.109 (with advice), 1.80 (without), 1.70 (at the end). Every repetition is
# bounded, so that a text full of incomplete markers takes linear time.
CUT = (
    r"(?:\.{3} \(litellm_truncated skipped \d{1,15} chars"
    r"(?:\. Truncation is[^)]{0,200}\(OTEL[^)]{0,100}\)[^)]{0,300})?\) \.{3}"
    r"|\.{3} \(truncated \d{1,15} chars\)\Z)"
)
_CUT = re.compile(CUT)
_COUNT = re.compile(r"\d+")


def is_redacted(text: str) -> bool:
    """Did LiteLLM replace all of this text by its redaction mark?

    >>> is_redacted("redacted-by-litellm"), is_redacted("why redacted-by-litellm?")
    (True, False)
    """
    return len(text) < 40 and text.strip() in _REDACTED


def without_cuts(text: str) -> tuple[str, int]:
    """The text with LiteLLM's own markers shortened.

    Returns the text and how many characters LiteLLM cut out of it, 0 for none.

    >>> without_cuts("ab... (litellm_truncated skipped 1200 chars) ...yz")
    ('ab … [1,200 characters cut by LiteLLM] … yz', 1200)
    >>> without_cuts("ab... (truncated 30 chars)")
    ('ab … [30 characters cut by LiteLLM] …', 30)
    """
    if "truncated " not in text:
        return text, 0
    cuts = map(_count, _CUT.findall(text))
    return _CUT.sub(_short_mark, text), sum(cuts)


def without_marks(text: str) -> tuple[str, int]:
    """The text without LiteLLM's markers, and how many characters it cut out.

    >>> without_marks("ab... (litellm_truncated skipped 1200 chars) ...yz")
    ('abyz', 1200)
    """
    if "truncated " not in text:
        return text, 0
    return _CUT.sub("", text), sum(map(_count, _CUT.findall(text)))


def _count(marker: str) -> int:
    found = _COUNT.search(marker)
    return int(found[0]) if found else 0


def _short_mark(found: re.Match[str]) -> str:
    tail = " " if found[0].endswith("...") else ""  # the marker of 1.70 ends the text
    return f" … [{_count(found[0]):,} characters cut by LiteLLM] …{tail}"


def cut_as_old_versions_did(text: str) -> str | None:
    """How would LiteLLM 1.70 have stored this text when it was sent again in a prompt?

    Those versions cut prompts to 1,000 characters and responses not at all, so a long response
    differs from its copy in a later prompt. None if the text was short enough to stay complete.

    >>> cut_as_old_versions_did("x" * 1030)[999:]
    'x … [30 characters cut by LiteLLM] …'
    """
    if len(text) <= 1000:
        return None
    return without_cuts(f"{text[:1000]}... (truncated {len(text) - 1000} chars)")[0]
