"""Keys, tokens and passwords that are recognised by their shape or position.

Their names do not matter here: see `named`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tracelib.redaction.patterns import WORD_BEGINS, WORDS, Pattern, Searched, Span, compiled

_MOST, _MOST_BARE = 4_096, 256  # bytes
_NOT_A_PASSWORD = frozenset(WORDS["secrets"]["not_a_password"])

_QUOTED = re.compile(
    rb"""(?P<escape>\\{1,8})(?P<mark>["'])(?P<a>[^\n]*?)(?P=escape)(?P=mark)"""
    rb"""|"(?P<b>(?:[^"\\\n]|\\.)*+)"|'(?P<c>(?:[^'\\\n]|\\.)*+)'|\x60(?P<d>[^\x60\n]*+)\x60"""
)
_BRACED = re.compile(rb"\{(?P<a>[^{}\"'\n]+)\}")
_BARE = re.compile(rb"""[^\s"'\x60<>]+""")
_OPENING_QUOTE = re.compile(rb"""\\*["'\x60]""")
# Where an unquoted value ends before white space: an escaped line end or quote, the next name, or
# text in a script that has no spaces.
_BARE_END = re.compile(
    r"""\\+["'nrt]|[;,&|](?=[\s\w$%@.\-]*[=:]|$)"""
    r"|(?<=[!-~])[\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]"
)
_OPENING, _CLOSING = "([{", ".,;:)]}"

_SEGMENT = re.compile(r"[^\W_]+")
# As in sha256sum and 3rd: letters, at most two groups of them, and few digits around.
_WORDS_AND_NUMBERS = re.compile(
    r"[0-9]{0,4}([^\W\d_]+)[0-9]{0,4}|([a-z]{2,})[0-9]{1,3}([a-z]{2,})[0-9]{0,4}"
)
_WORD = re.compile(r"[^\W\d_a-z]?[a-z]+|[^\W\d_a-z]+")
_LONGEST_WORD, _LEAST_MEAN = 20, 3  # letters; in names like getUserById the mean counts
_SHORT = 6  # this few characters may mix letters and digits, as x86 and utf8 do
_LEAST_DIFFERENT = 4

# A variable, a template, a placeholder, a version, the next name or a mask instead of a value.
_REFERENCE = re.compile(
    r"""\$[{(] | [$:@][A-Za-z_][\w.>-]*$ | %\w+%$ | %[sdr(] | \{\{ | <[^>]*>?$ | \{[\w.\s]*\}$
    | \[[\w\s-]*\]$ | (?i:your|insert|enter|replace)[-_\s] | (?i:redacted)
    | [A-Z]+(?:_[A-Z]+)*_(?:PASSWORD|PASS|SECRET|TOKEN|KEY)$
    | [0-9]+(?:\.[0-9]+)+(?:-[0-9.]*)?$ | [a-z_]+=$ | [*•xX.…#_?\s-]+$""",
    re.VERBOSE,
)
# Code that gets the value from elsewhere: a call, an attribute, an element.
_CODE = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->)[#$]?[A-Za-z_]\w*)*(?:[(\[]|$)")
_PLACE = re.compile(r"(?:~?/|\.{1,2}/|[A-Za-z]:[\\/])[\w./\\ -]*$|[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a name, without its quotes, and its position in bytes."""

    start: int
    end: int
    text: str
    is_quoted: bool


def value_at(text: bytes, at: int) -> Value | None:
    """The value that begins here: in quotes, in braces, or up to white space; None without one."""
    most = min(at + _MOST, len(text))
    found = _QUOTED.match(text, at, most) or _BRACED.match(text, at, most)
    if found:
        start, end = next(found.span(name) for name in "abcd" if found[name] is not None)
        return Value(start, end, _decoded(text[start:end]), is_quoted=True)
    quote = _OPENING_QUOTE.match(text, at)  # its other end was cut off
    start = quote.end() if quote else at
    bare = _BARE.match(text, start, min(start + _MOST_BARE, most))
    return _bare(bare[0], start) if bare else None


def _bare(raw: bytes, start: int) -> Value | None:
    value = _decoded(raw)
    end = _BARE_END.search(value)
    value = value[: end.start()] if end else value
    if not _REFERENCE.match(value):
        value = value.rstrip(_CLOSING)
    if not value or value[0] in _OPENING:
        return None
    return Value(start, start + len(value.encode()), value, is_quoted=False)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "ignore")


def is_random(value: str) -> bool:
    """Whether this is random, rather than a word, a number or a name made of them.

    >>> [is_random(value) for value in ("wJalrXUtnFEMI7", "3f2a9c1b7d", "sha256sum", "1732620000")]
    [True, True, False, False]
    >>> [is_random(value) for value in ("completion_tokens", "getAccountV2", "x86_64-linux")]
    [False, False, False]
    """
    if len(value) <= _SHORT or len(set(value)) < _LEAST_DIFFERENT:
        return False
    segments = _SEGMENT.findall(value)
    mixed = sum(not (one.isalpha() or one.isdigit()) for one in segments)
    return mixed > 2 or not all(map(_reads_as_words, segments))


def _reads_as_words(segment: str) -> bool:
    if segment.isdigit() or len(segment) <= _SHORT:
        return True
    found = _WORDS_AND_NUMBERS.fullmatch(segment)
    if found is None:
        return False
    words = [word for letters in found.groups("") for word in _WORD.findall(letters)]
    lengths = [len(word) for word in words]
    return max(lengths) <= _LONGEST_WORD and sum(lengths) >= _LEAST_MEAN * len(words)


def is_reference(value: str) -> bool:
    """Whether this refers to a value elsewhere: a variable, a placeholder, a path.

    >>> [is_reference(value) for value in ("${DB_PASS}", "<token>", "/run/secrets/db", "***")]
    [True, True, True, True]
    >>> is_reference("$2b$12$abc"), is_reference("hunter2")
    (False, False)
    """
    return bool(_REFERENCE.match(value) or _PLACE.match(value))


def is_code(value: str) -> bool:
    """Whether this is an expression of more than one name: a call, an attribute, an element.

    >>> [is_code(value) for value in ("os.environ", "getpass()", "hunter2", "a.b!")]
    [True, True, False, False]
    """
    return bool(_CODE.match(value)) and not value.isidentifier()


def is_about_passwords(value: str) -> bool:
    """Whether this is a type, a state or a rule of a password, not a password.

    >>> [is_about_passwords(value) for value in ("Optional[str]", "required|min:8", "hunter2")]
    [True, True, False]
    """
    return re.split(r"[|\[(?!.;,\s]", value)[0].lower() in _NOT_A_PASSWORD


def is_plain_word(value: str) -> bool:
    """Whether this is only letters, or letters joined by hyphens and underscores."""
    return value.replace("_", "").replace("-", "").isalpha()


_PREFIX_FILE = Path(__file__).parent / "key_prefixes.tsv"
_LEAST_TAIL, _MOST_LEAST_TAIL = 12, 32

# Complete, or up to the last line of base64 if the end was cut off.
_PRIVATE_KEY = compiled(
    r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-[^-])*-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\\[nr]|\s)*[A-Za-z0-9+/=]{16,})*))",
    "private key",
)
# Base64 of {" and what follows it.
_WEB_TOKEN = compiled(rf"{WORD_BEGINS}(eyJ[\w-]{{8,}}(?:\.[\w-]*){{1,4}})", "eyj")
_TELEGRAM = compiled(r"(?:^|[^0-9])([0-9]{8,10}:AA[\w-]{30,40})", ":aa")
# Twilio's and Mailgun's are hexadecimal after too short a prefix; Entra's have theirs inside.
_SHAPED = compiled(
    rf"{WORD_BEGINS}((?:SK|key-)[0-9a-f]{{32}}\b|[\w~.]{{3}}[0-9]Q~[\w~.\-]{{31,34}})"
)
# Many use OpenAI's shape, with words before the secret; LiteLLM's own may be as short as sk-1234. A
# number of four digits distinguishes it from names like sk-learn.
_SK = compiled(rf"{WORD_BEGINS}(sk-[\w-]{{4,}})", "sk-")
_SHORT_PART = 8
_SEVERAL = 3  # digits; names in a path have one or two
_FOUR_DIGITS = re.compile(r"[0-9]{4}")
# AWS has 40 characters of base64, others a public and a secret part with a dot between.
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
    """Where are the keys, tokens and passwords in this text, recognised by shape or position?

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
    """Keys with a vendor's prefix and a random rest, at least half as long as its keys."""
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
