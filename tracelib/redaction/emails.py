"""E-mail addresses in text, in any script.

Text in the form of an address is one if its domain ends in a public suffix (or one of private
networks and examples), unless the text around it shows that it is the user of a host, or the name
is that of a file, a version or code.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from publicsuffixlist import PublicSuffixList

from tracelib.redaction.patterns import ESCAPE, WORDS, Searched, Span, compiled

# A word is of one script: adjacent text of another is not part of an address. Ranges, because
# Unicode's script properties make the pattern fifty times as large.
_SCRIPTS = (
    r"A-Za-zÀ-ɏḀ-ỿ\x{300}-\x{36F}",  # Latin
    r"Ѐ-ԯ",  # Cyrillic
    r"Ͱ-Ͽἀ-῿",  # Greek
    r"Ա-֏",  # Armenian
    r"א-ת",  # Hebrew
    r"ء-ۿ",  # Arabic
    r"\x{900}-\x{DFF}",  # of India
    r"\x{E00}-\x{E7F}",  # Thai
    r"Ⴀ-ჿ",  # Georgian
    r"ᄀ-ᇿ가-힣",  # Korean
    r"ぁ-ヿ㐀-鿿",  # Chinese and Japanese
)
_AT = r"(?:@|＠|%40|\\{1,4}u0040|&#64;|&#x40;)"
_SUFFIXES = PublicSuffixList(accept_unknown=False, only_icann=True)
_PRIVATE, _OTHER, _FILES, _METHODS = (
    frozenset(WORDS["emails"][f"{name}_suffixes"])
    for name in ("private", "other", "file", "method")
)
_LONGEST_DOMAIN = 253
_VERSION = re.compile(r"v?[0-9][0-9x]*")
# Before: an address of a host, or a command that connects to one. After: a path on that host.
_TO_HOST = re.compile(
    rb"""://[^\s/?#,;"'<>|]*$|(?:^|[\s\x60"'(])(?:ssh|sftp|scp|mosh|sshfs|ssh-copy-id)\s[^\n|;&]*$"""
)
_REMOTE_PATH = re.compile(rb":(?:[~/]|[\w.-]+/|[\w.-]+\.git\b)")
_FORGE = re.compile(rb"git@(?:[\w-]+\.)*(?:git|bitbucket|codeberg|sr\.ht|dev\.azure|hf\.co)")
_BEFORE = 80


def _address(scripts: tuple[str, ...]) -> str:
    words = [rf"[{script}0-9_]" for script in scripts]
    local = "|".join(rf"{word[:-1]}+](?:{word[:-1]}.+'-]*{word[:-1]}+-])?" for word in words)
    label = "|".join(rf"{word[:-1]}-]+" for word in words)
    last = "|".join(
        rf"[{script}]{word[:-1]}-]+" for script, word in zip(scripts, words, strict=True)
    )
    return rf"(?:{ESCAPE})?((?:{local}){_AT}(?:(?:{label})[.。])+(?:{last}))"


_NEEDS = ("@", "＠", "%40", "u0040", "&#64;", "&#x40;")
_ANY = compiled(_address(_SCRIPTS), *_NEEDS)
_ASCII = compiled(_address(("A-Za-z",)), *_NEEDS)
_PARTS = re.compile(rf"(.*?){_AT}(.*)")


def emails(searched: Searched) -> Iterator[Span]:
    """Where are the e-mail addresses in this text?

    >>> text = "(ada@example.org), x@1.2, git@example.org:a/b.git, почта@пример.рф".encode()
    >>> [text[slice(*span)].decode() for span in emails(Searched(text))]
    ['ada@example.org', 'почта@пример.рф']
    """
    text = searched.text
    for start, end in (_ASCII if text.isascii() else _ANY).spans(searched):
        address = text[start:end]
        shorter = _domain_end(address.decode(), text[end : end + 1])
        if shorter is None or _is_remote(text, start, address):
            continue
        end -= shorter
        if not _REMOTE_PATH.match(text, end):
            yield start, end


def _is_remote(text: bytes, start: int, address: bytes) -> bool:
    before = text[max(start - _BEFORE, 0) : start]
    return bool(_TO_HOST.search(before) or _FORGE.match(address))


def _domain_end(address: str, behind: bytes) -> int | None:
    """How many trailing bytes of the address are not part of it? None if it is not an address."""
    user, domain = _PARTS.fullmatch(address).groups()  # type: ignore[union-attr]
    kept = _known(domain) if len(domain) <= _LONGEST_DOMAIN else None
    if kept is None:
        return None
    *names, suffix = re.split("[.。]", kept)
    if suffix not in (suffix.lower(), suffix.upper(), suffix.title()):
        return None
    suffix = suffix.lower()
    is_code = behind in (b"(", b"[") or len(user) == len(names[-1]) == 1
    if is_code and suffix in _METHODS:
        return None
    versions = [bool(_VERSION.fullmatch(name)) for name in names]
    is_version = len(names) > 1 and versions[0] and names[1][0].isdigit()
    is_file = (versions[-1] and suffix in _OTHER) or (len(names) == 1 and suffix in _FILES)
    if is_version or is_file:
        return None
    return len(domain.encode()) - len(kept.encode())


@lru_cache(maxsize=10_000)  # a conversation sends its addresses again with every turn
def _known(domain: str) -> str | None:
    """The domain up to a known suffix, None if there is none.

    Text that follows without a space is left out: a sentence or a name that begins with a capital,
    or the rest of a sentence in a script that has no spaces.
    """
    *names, last = re.split("[.。]", domain)
    before = domain[: -len(last)]
    for end in range(len(last), 0, -1):
        next_begins = not last.isascii() or last[end : end + 1].isupper()
        if (end == len(last) or next_begins) and _is_registrable(before + last[:end]):
            return before + last[:end]
    is_sentence = len(names) > 1 and last[0].isupper()
    return before[:-1] if is_sentence and _is_registrable(before[:-1]) else None


def _is_registrable(domain: str) -> bool:
    _, _, suffix = domain.rpartition(".")
    return suffix.lower() in _PRIVATE or _SUFFIXES.privatesuffix(domain) is not None
