"""Texts without what transport and clients change, and how similar two texts are."""

import re
from array import array
from string import punctuation
from zlib import crc32

from tracelib.conversation.json_values import composed

_TAGS = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad"
# Reasoning that models without a field for it write into their response.
_REASONING = re.compile(
    rf"<((?:\w+:)?(?:{_TAGS}))>.*?</\1>|\[(THINK|think)\].*?\[/\2\]|◁think▷.*?◁/think▷"
    r"|<\|START_THINKING\|>.*?<\|END_THINKING\|>|<details type=\"reasoning\".*?</details>"
    r"|<\|begin_of_thought\|>.*?<\|end_of_thought\|>|<\|channel>thought.*?<channel\|>"
    r"|<\|channel\|>analysis<\|message\|>.*?(?:<\|end\|>|<\|start\|>assistant|\Z)",
    re.DOTALL,
)
# Some chat templates open the reasoning in the prompt, so the response has only its end.
_REASONING_END = re.compile(rf"\A.*?(?:</(?:\w+:)?(?:{_TAGS})>|\[/THINK\])", re.DOTALL)
# Citation marks in the private use area, or between 【 and 】.
_CITATION_MARKS = re.compile("\ue200[^\ue201]{0,400}\ue201|【[^【】]{0,80}†[^【】]{0,80}】")
_CHANNEL_MARKS = re.compile(
    r"<\|(?:start|end|message|channel|return)\|>(?:assistant|final)?"
    r"|<\|(?:START_RESPONSE|END_RESPONSE|begin_of_solution|end_of_solution)\|>"
)
_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD])


def bare_response(text: str) -> str:
    return bare(visible_text(text))


def visible_text(text: str) -> str:
    """A response without the reasoning and the citation marks in its text."""
    if "<" in text or "◁" in text or "[/" in text:
        text = _REASONING_END.sub("", _REASONING.sub("", text))
        text = _CHANNEL_MARKS.sub("", text)
    return _CITATION_MARKS.sub("", text)


def bare(text: str) -> str:
    """The text without what transport changes: spaces, invisible characters, compositions."""
    if not text.isascii():
        text = composed(text.translate(_INVISIBLE))
    return "".join(text.split())


Vocabulary = bytes
Numbers = frozenset[int]

MOST_WORDS = 200
# In scripts without spaces between words each character counts as a word.
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
    """The share of the smaller vocabulary that the larger one has too; 0 if one is empty."""
    return share_of(numbers_of(one), numbers_of(other))


def numbers_of(one: Vocabulary) -> Numbers:
    """The numbers of a vocabulary, to compare it with many."""
    return frozenset(array("I", one))


def share_of(left: Numbers, right: Numbers) -> float:
    """As `common_share`."""
    if not left or not right:
        return 0.0
    if MOST_WORDS in (len(left), len(right)):  # compare where both are complete
        reach = min(max(left), max(right))
        left, right = (frozenset(n for n in numbers if n <= reach) for numbers in (left, right))
    return len(left & right) / (min(len(left), len(right)) or 1)


def differing_words(before: Vocabulary, after: Vocabulary) -> tuple[int, int]:
    """How many words were removed and added? A minimum if a text has over 200."""
    old, new = numbers_of(before), numbers_of(after)
    return len(old - new), len(new - old)


def _words(text: str) -> set[str]:
    lower = text.lower()
    if lower.isascii():
        return set(lower.translate(_MARKS_TO_SPACES).split())
    return set(_WORDS.findall(lower))
