"""Values in text: where one ends, and whether it can be a secret."""

import re
from dataclasses import dataclass

from tracelib.redaction.patterns import WORDS

_MOST, _MOST_BARE = 4_096, 256  # bytes
_NOT_A_PASSWORD = frozenset(WORDS["secrets"]["not_a_password"])

_QUOTED = re.compile(
    rb"""(?P<escape>\\{1,8})(?P<mark>["'])(?P<a>[^\n]*?)(?P=escape)(?P=mark)"""
    rb"""|"(?P<b>(?:[^"\\\n]|\\.)*+)"|'(?P<c>(?:[^'\\\n]|\\.)*+)'|\x60(?P<d>[^\x60\n]*+)\x60"""
)
_BRACED = re.compile(rb"\{(?P<a>[^{}\"'\n]+)\}")
_BARE = re.compile(rb"""[^\s"'\x60<>]+""")
_OPENING_QUOTE = re.compile(rb"""\\*["'\x60]""")
# Where a value without quotes ends before white space does: an escaped line end or quote, the
# next name, or text in a script that has no spaces.
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
_SHORT = 6  # so few characters may mix letters and digits, as x86 and utf8 do
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
    """What a name is set to, without its quotes, and the bytes where it is."""

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
    """Whether this is no word, number or name made of them, but made by chance.

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
    """Whether this stands for a value that is elsewhere: a variable, a placeholder, a path.

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


def says_about_passwords(value: str) -> bool:
    """Whether this is a type, a state or a rule of a password, not a password.

    >>> [says_about_passwords(value) for value in ("Optional[str]", "required|min:8", "hunter2")]
    [True, True, False]
    """
    return re.split(r"[|\[(?!.;,\s]", value)[0].lower() in _NOT_A_PASSWORD


def is_plain_word(value: str) -> bool:
    """Whether this is only letters, or letters joined by hyphens and underscores."""
    return value.replace("_", "").replace("-", "").isalpha()
