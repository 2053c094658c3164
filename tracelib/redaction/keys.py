"""Keys, tokens and passwords in text."""

from collections.abc import Iterator

from tracelib.redaction.patterns import WORD_BEGINS, compiled, finds

# By how they begin.
_BEGINNINGS = (
    # OpenAI, Anthropic, LiteLLM and others; a digit or capital tells it from sk-learn-like names.
    r"sk-[a-z_-]{0,48}[0-9A-Z][\w-]{8,}",
    r"[sprw][kh]_(?:live|test|sec)_\w{16,}",  # Stripe
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",  # AWS
    r"gh[oprsu]_\w{30,}|github_pat_\w{22,}|glpat-[\w-]{20,}",  # GitHub, GitLab
    r"AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",  # Google
    r"xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}",  # Slack
    r"(?:hf|gsk|npm|r8|pplx|xai|nvapi|tvly|fw|dop_v1)[_-]\w{30,}",
    r"pypi-[\w-]{50,}",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"eyJ[\w-]{8,}(?:\.[\w-]*){1,4}",  # a JSON web token: base64 of {" and what follows it
)
_BEGUN = compiled(f"{WORD_BEGINS}({'|'.join(_BEGINNINGS)})")

# Whole, or as far as lines of base64 go where the end was cut off.
_PRIVATE_KEY = compiled(
    r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-[^-])*-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\\[nr]|\s)*[A-Za-z0-9+/=]{16,})*))"
)

_ASSIGNED = r"""["'\\]{0,3}\s{0,3}(?:=>|:=|[:=])\s{0,3}["'\\]{0,3}"""
_AUTHORIZATION = compiled(
    rf"(?i:authorization){_ASSIGNED}(?i:bearer|basic|token|apikey)\s{{1,3}}"
    r"([\w.~+/=-]{4,})"
)
_IN_ADDRESS = compiled(r"""://[^\s/:@"']{0,64}:([^\s/@"']{1,128})@""")
_QUOTED_PASSWORDS = tuple(
    compiled(
        rf"""(?i:passw(?:or)?d|passphrase|pwd)["'\\]{{0,3}}\s{{0,3}}[:=]\s{{0,3}}\\?"""
        rf"""{quote}([^\s"'\\]{{4,200}})\\?{quote}"""
    )
    for quote in ("'", '"')
)
_ALWAYS = (_BEGUN, _PRIVATE_KEY, _AUTHORIZATION, _IN_ADDRESS, *_QUOTED_PASSWORDS)

_BEARER = compiled(r"(?i:bearer)\s{1,3}([\w.~+/=-]{16,})")
_NAMED = compiled(
    r"(?i:api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|secret|token|credentials?"
    r"|signature|authorization|passw(?:or)?d|passphrase|pwd)(?i:[_-]?(?:hash|id))?"
    rf"{_ASSIGNED}([\w.~+/=-]{{8,}})"
)
_IF_RANDOM = (_BEARER, _NAMED)


def keys(text: str) -> Iterator[tuple[int, int]]:
    """Where are the keys, tokens and passwords of this text?

    >>> text = "AWS: AKIAIOSFODNN7EXAMPLE, max_tokens=4096, sk-learn-compatible-name, pwd='open up'"
    >>> [text[slice(*span)] for span in keys(text)]
    ['AKIAIOSFODNN7EXAMPLE']
    """
    for pattern in _ALWAYS:
        yield from finds(pattern, text)
    for pattern in _IF_RANDOM:
        for start, end in finds(pattern, text):
            if _looks_random(text[start:end]):
                yield start, end


def _looks_random(value: str) -> bool:
    """Letters and digits, and at least eight different signs, as chance gives and words do not.

    >>> _looks_random("wJalrXUtnFEMI7"), _looks_random("completion_tokens"), _looks_random("1" * 9)
    (True, False, False)
    """
    has_both = any(sign.isdigit() for sign in value) and any(sign.isalpha() for sign in value)
    return has_both and len(set(value)) >= 8
