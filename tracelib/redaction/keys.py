"""Keys, tokens and passwords that are known by their own shape or by their place.

What they are named is no matter here: see `named`.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from tracelib.redaction.patterns import WORD_BEGINS, Pattern, Searched, Span, compiled
from tracelib.redaction.values import is_random, is_reference

_PREFIX_FILE = Path(__file__).parent / "key_prefixes.tsv"
_LEAST_TAIL, _MOST_LEAST_TAIL = 12, 32

# Whole, or as far as lines of base64 go where the end was cut off.
_PRIVATE_KEY = compiled(
    r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-[^-])*-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\\[nr]|\s)*[A-Za-z0-9+/=]{16,})*))",
    "private key",
)
# Base64 of {" and what follows it.
_WEB_TOKEN = compiled(rf"{WORD_BEGINS}(eyJ[\w-]{{8,}}(?:\.[\w-]*){{1,4}})", "eyj")
_TELEGRAM = compiled(r"(?:^|[^0-9])([0-9]{8,10}:AA[\w-]{30,40})", ":aa")
# Twilio's and Mailgun's are hexadecimal behind too short a prefix; Entra's have theirs inside.
_SHAPED = compiled(
    rf"{WORD_BEGINS}((?:SK|key-)[0-9a-f]{{32}}\b|[\w~.]{{3}}[0-9]Q~[\w~.\-]{{31,34}})"
)
# OpenAI's shape is used by many, with words before the secret; LiteLLM's own may be as short as
# sk-1234. A number of four digits tells it from sk-learn-like names.
_SK = compiled(rf"{WORD_BEGINS}(sk-[\w-]{{4,}})", "sk-")
_SHORT_PART = 8
_SEVERAL = 3  # digits; names in a path have one or two
_FOUR_DIGITS = re.compile(r"[0-9]{4}")
# AWS gives 40 characters of base64, others a public and a secret part with a dot between.
_FORTY = compiled(r"(?:^|[^\w/+=.?\-])([A-Za-z0-9/+]{40})(?:[^\w/+=?\-]|$)")
_DOTTED = compiled(
    rf"{WORD_BEGINS}([A-Za-z0-9_\-]{{14,64}}(?:\.[A-Za-z0-9_\-]{{6,8}})?\.[A-Za-z0-9_\-]{{14,128}})"
)

_IN_ADDRESS = compiled(r"""://[^\s/:@"'<>]{0,64}:([^\s/"'<>]{1,128})@""", "://")
_ORACLE = compiled(r"jdbc:oracle:\w{1,10}:\w{1,64}/([^\s@\"']{1,128})@", "jdbc:oracle")
_WEBHOOK = compiled(
    r"(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks"
    r"|webhook\.office\.com/webhookb2|hooks\.zapier\.com/hooks/catch"
    r"|api\.telegram\.org/(?:file/)?bot|maker\.ifttt\.com/trigger/\w{1,64}/with/key)"
    r"(/?[\w/@:.\-]{8,})",
    "hooks.",
    "webhook",
    "api.telegram",
    "ifttt",
)
_SIGNED = compiled(
    r"[?&;](?:amp;)?(?i:sig|(?:x-(?:amz|goog)-)?signature|code|key)=([\w%.~+/=\-]{16,})",
    "sig",
    "code=",
    "key=",
)


def _is_sk(value: str) -> bool:
    return bool(_FOUR_DIGITS.search(value)) or is_random(value.removeprefix("sk-"))


def _is_mixed(value: str) -> bool:
    """Whether capitals, small letters and digits are mixed, and not as names in a path are."""
    digits = sum(map(str.isdigit, value))
    is_mixed = digits and not value.isupper() and not value.islower()
    without = "".join(one for one in value if not one.isdigit())
    return bool(is_mixed) and is_random(value if digits >= _SEVERAL else without)


def _is_pair(value: str) -> bool:
    """Whether all long parts look random and have digits: not a file, a host or a class."""
    parts = [part for part in value.split(".") if len(part) > _SHORT_PART]
    return all(is_random(part) and any(map(str.isdigit, part)) for part in parts)


_IF: tuple[tuple[Pattern, Callable[[str], bool]], ...] = (
    (_SK, _is_sk),
    (_FORTY, _is_mixed),
    (_DOTTED, _is_pair),
    (_SIGNED, is_random),
)


def keys(searched: Searched) -> Iterator[Span]:
    """Where are the keys, tokens and passwords of this text that are known by shape or place?

    >>> text = b"AKIAIOSFODNN7EXAMPLE, sk-learn-compatible, sk-1234, ftp://ada:pw@host/"
    >>> [text[slice(*span)].decode() for span in keys(Searched(text))]
    ['pw', 'AKIAIOSFODNN7EXAMPLE', 'sk-1234']
    """
    text = searched.text
    for pattern in (_PRIVATE_KEY, _WEB_TOKEN, _TELEGRAM, _SHAPED, _WEBHOOK):
        yield from pattern.spans(searched)
    for pattern in (_IN_ADDRESS, _ORACLE):
        yield from (
            span for span in pattern.spans(searched) if not is_reference(_text_of(text, span))
        )
    yield from _prefixed(searched)
    for pattern, is_key in _IF:
        yield from (span for span in pattern.spans(searched) if is_key(_text_of(text, span)))


def _text_of(text: bytes, span: Span) -> str:
    return text[slice(*span)].decode("utf-8", "replace")


def _prefixed(searched: Searched) -> Iterator[Span]:
    """Keys that begin as a vendor's do and go on at random, at least half as long as its keys."""
    pattern, least = _vendors()
    for found in pattern.finds(searched):
        tail = found["tail"].decode()
        if len(tail) >= least[found["prefix"].decode()] and is_random(tail):
            yield found.span("key")


@lru_cache(maxsize=1)
def _vendors() -> tuple[Pattern, dict[str, int]]:
    """A pattern of a key, its prefix and what follows; and how much must follow each prefix."""
    lines = _PREFIX_FILE.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    least = {
        prefix: min(max(int(length) // 2, _LEAST_TAIL), _MOST_LEAST_TAIL)
        for prefix, length, _ in rows
    }
    prefixes = "|".join(re.escape(prefix) for prefix in sorted(least, key=len, reverse=True))
    tail = rf"[\w+/-]{{{_LEAST_TAIL},}}(?:[.=][\w+/=-]{{16,}})*=*"
    return compiled(rf"{WORD_BEGINS}(?P<key>(?P<prefix>{prefixes})(?P<tail>{tail}))"), least
