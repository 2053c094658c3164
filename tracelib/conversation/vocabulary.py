"""How alike two texts are, told by numbers that stand for their words, not by the words."""

import re
from array import array
from string import punctuation
from zlib import crc32

Vocabulary = bytes
Numbers = frozenset[int]

MOST_WORDS = 200
# Scripts that put no spaces between words count each character.
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_MARKS_TO_SPACES = str.maketrans(dict.fromkeys(punctuation.replace("_", ""), " "))


def vocabulary(text: str) -> Vocabulary:
    """The words of a text as sorted numbers of four bytes each, the 200 smallest.

    >>> common_share(vocabulary("Read the file"), vocabulary("read THE other file, please"))
    1.0
    """
    numbers = sorted({crc32(word.encode("utf-8", "surrogatepass")) for word in _words(text)})
    return array("I", numbers[:MOST_WORDS]).tobytes()


def common_share(one: Vocabulary, other: Vocabulary) -> float:
    """The share of the smaller vocabulary that the larger one has too; 0 where one is empty."""
    return share_of(numbers_of(one), numbers_of(other))


def numbers_of(one: Vocabulary) -> Numbers:
    """The numbers of a vocabulary, to compare it with many."""
    return frozenset(array("I", one))


def share_of(left: Numbers, right: Numbers) -> float:
    """As `common_share`."""
    if not left or not right:
        return 0.0
    if MOST_WORDS in (len(left), len(right)):  # compare where both are whole
        reach = min(max(left), max(right))
        left, right = (frozenset(n for n in numbers if n <= reach) for numbers in (left, right))
    return len(left & right) / (min(len(left), len(right)) or 1)


def differing_words(before: Vocabulary, after: Vocabulary) -> tuple[int, int]:
    """How many words were removed and added? At least so many, where a text has over 200."""
    old, new = numbers_of(before), numbers_of(after)
    return len(old - new), len(new - old)


def _words(text: str) -> set[str]:
    lower = text.lower()
    if lower.isascii():
        return set(lower.translate(_MARKS_TO_SPACES).split())
    return set(_WORDS.findall(lower))
