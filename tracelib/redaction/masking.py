"""A text with what was found in it replaced by the name of its kind."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tracelib.redaction.cards import cards
from tracelib.redaction.choice import KINDS, OwnPattern, Redaction
from tracelib.redaction.emails import emails
from tracelib.redaction.keys import keys
from tracelib.redaction.patterns import compiled
from tracelib.redaction.phones import phones

Finder = Callable[[str], Iterator[tuple[int, int]]]

_FINDERS: dict[str, Finder] = {"e-mail": emails, "key": keys, "card": cards, "phone": phones}
_RUN = re.compile(rb"([^\0])\1*", re.DOTALL)
# RE2 reads UTF-8, which has no halves of characters.
_HALVES = re.compile("[\ud800-\udfff]")
# What is replaced may bare an edge to what stood against it; hardly ever more than once.
_MOST_PASSES = 4


def masked(text: str, redaction: Redaction) -> tuple[str, Counter[str]]:
    """What does this text say without what is private in it, and how much was that, by kind?

    Each find becomes its kind in brackets: `[e-mail]`, `[key]`, `[card]`, `[phone]`, or the
    name of an own pattern. Where finds overlap the longest is named and all of them go.
    Masking what is masked changes nothing; a text without a find comes back as it is, with
    an empty count.

    >>> from tracelib.redaction import ALL
    >>> text, counts = masked("ada@example.org wrote to +49 30 1234567", ALL)
    >>> text, dict(counts)
    ('[e-mail] wrote to [phone]', {'e-mail': 1, 'phone': 1})
    """
    counts: Counter[str] = Counter()
    for _ in range(_MOST_PASSES):
        text, found = _masked_once(text, redaction)
        if not found:
            break
        counts.update(found)
    return text, counts


def _masked_once(text: str, redaction: Redaction) -> tuple[str, list[str]]:
    finders = [_FINDERS[kind] for kind in KINDS if kind in redaction.kinds]
    finders += [_finder(own) for own in redaction.own]
    whole = _HALVES.sub("\ufffd", text)
    spans = [
        (start, end, number)
        for number, find in enumerate(finders, start=1)
        for start, end in find(whole)
        if start < end
    ]
    if not spans:
        return text, []
    return _replaced(text, _cover(text, redaction.names(), spans), redaction.names())


def _finder(own: OwnPattern) -> Finder:
    return lambda text: (found.span() for found in compiled(own.pattern).finditer(text))


def _cover(text: str, names: Sequence[str], spans: list[tuple[int, int, int]]) -> bytes:
    """For each character the number of what it belongs to, 0 where it stays."""
    cover = bytearray(len(text))
    for start, end, number in sorted(spans, key=lambda span: span[1] - span[0]):
        cover[start:end] = bytes([number]) * (end - start)
    known = "|".join(re.escape(name) for name in (*KINDS, *names))
    for placeholder in re.finditer(rf"\[(?:{known})\]", text):
        cover[slice(*placeholder.span())] = bytes(len(placeholder[0]))
    return bytes(cover)


def _replaced(text: str, cover: bytes, names: Sequence[str]) -> tuple[str, list[str]]:
    pieces, found, last = [], [], 0
    for run in _RUN.finditer(cover):
        name = names[run[0][0] - 1]
        pieces += [text[last : run.start()], f"[{name}]"]
        found.append(name)
        last = run.end()
    return "".join([*pieces, text[last:]]), found
