"""The marks LiteLLM leaves in stored text: what it cut, what it redacted."""

import re

REDACTED_WORDS = "Redacted by LiteLLM before it was stored"

_REDACTED = frozenset({"redacted-by-litellm", "REDACTED_BY_LITELM"})

# Three spellings: 1.109 (with advice), 1.80 (without), 1.70 (at the end). Every repetition
# is bounded, so that a text full of half markers costs no more than its length.
CUT = (
    r"(?:\.{3} \(litellm_truncated skipped \d{1,15} chars"
    r"(?:\. Truncation is[^)]{0,200}\(OTEL[^)]{0,100}\)[^)]{0,300})?\) \.{3}"
    r"|\.{3} \(truncated \d{1,15} chars\)\Z)"
)
_CUT = re.compile(CUT)
_COUNT = re.compile(r"\d+")


def is_redacted(text: str) -> bool:
    """Did LiteLLM replace this text, all of it, by its redaction mark?

    >>> is_redacted("redacted-by-litellm"), is_redacted("why redacted-by-litellm?")
    (True, False)
    """
    return len(text) < 40 and text.strip() in _REDACTED


def without_cuts(text: str) -> tuple[str, int]:
    """What does this text say, with LiteLLM's own markers put shortly?

    Gives the text and how many characters LiteLLM cut out of it, 0 for none.

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
    """How would LiteLLM 1.70 have stored this text when it came back in a prompt?

    Those versions cut prompts to 1,000 characters and answers not at all, so a long answer
    differs from itself resent. None where it was short enough to stay whole.

    >>> cut_as_old_versions_did("x" * 1030)[999:]
    'x … [30 characters cut by LiteLLM] …'
    """
    if len(text) <= 1000:
        return None
    return without_cuts(f"{text[:1000]}... (truncated {len(text) - 1000} chars)")[0]
