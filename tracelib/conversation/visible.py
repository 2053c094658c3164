"""What is shown of a request, for a search: a search finds what is shown, and nothing else.

A database can only look for words in stored JSON, which holds more than is shown and spells some
of it otherwise. So it narrows requests down to those that may show what is sought, by `anchors`;
then the reader itself tells, with `says` and `called`.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from tracelib.conversation import endings, wording
from tracelib.conversation.answers import answers
from tracelib.conversation.asked import asked
from tracelib.conversation.encoded import KINDS_OF_BYTES
from tracelib.conversation.json_values import TOO_DEEP
from tracelib.conversation.markers import REDACTED_WORDS, without_cuts
from tracelib.conversation.messages import Message
from tracelib.conversation.reader import spoken
from tracelib.conversation.texts import printable

MOST_ANCHORS = 2
_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d{1,4}")  # as sizes and counts have them


def _own_words() -> frozenset[str]:
    """Words of the sentences that readers make themselves: they are shown, and stored nowhere."""
    said = [str(value) for name, value in vars(wording).items() if name.isupper()]
    said += [*endings.WORDS, *KINDS_OF_BYTES, REDACTED_WORDS, TOO_DEEP]
    said.append(without_cuts("... (truncated 1 chars)")[0])
    return frozenset(word.lower() for one in said for word in _WORD.findall(one))


_OWN_WORDS = _own_words()


class Bodies(NamedTuple):
    """What one request was sent with and answered; the bodies as the text of their JSON."""

    call_type: str | None
    request_body: str | None
    messages_body: str | None
    response_body: str | None


def messages_of(bodies: Bodies) -> tuple[Message, ...]:
    """All messages of this request, asked and answered. Nested too deeply it has none."""
    try:
        return (*map(spoken, asked(bodies).messages), *answers(bodies))
    except RecursionError:
        return ()


def shown_texts(bodies: Bodies) -> Iterator[str]:
    """The texts that a page shows of this request: words, names of tools and files, endings."""
    for message in messages_of(bodies):
        yield from filter(None, (message.name, message.ending))
        for part in message.parts:
            yield part.text
            if part.name:
                yield part.name


def pattern_of(sought: str) -> re.Pattern[str]:
    """What is looked for in shown texts: this, whatever its case, also as JSON spells it.

    JSON within JSON is spelled so twice.
    """
    spelled = [sought]
    for _ in range(2):
        spelled += [_in_json(one, is_ascii) for one in spelled for is_ascii in (False, True)]
    return re.compile("|".join(map(re.escape, dict.fromkeys(spelled))), re.IGNORECASE)


def _in_json(text: str, is_ascii: bool) -> str:
    """
    >>> _in_json('say "é"', is_ascii=True)
    'say \\\\"\\\\u00e9\\\\"'
    """
    return json.dumps(text, ensure_ascii=is_ascii)[1:-1]


def says(bodies: Bodies, sought: str) -> bool:
    """Is this shown of this request, whatever its case?"""
    pattern = pattern_of(sought)
    return any(pattern.search(text) for text in shown_texts(bodies))


def called(bodies: Bodies) -> frozenset[str]:
    """Which tools did the answer to this request call, by name? '' is one without a name."""
    try:
        found = answers(bodies)
    except RecursionError:
        return frozenset()
    parts = (part for message in found if message.role != "user" for part in message.parts)
    return frozenset(part.name or "" for part in parts if part.kind == "tool_call")


def anchors(sought: str) -> tuple[str, ...]:
    """Words of this that stand in the stored JSON of any request that shows it, the longest first.

    None where all may be shown without: words of the reader's own sentences, and the short
    numbers beside them.

    >>> anchors('where is "invoice-4711.pdf"?'), anchors("image/png, 12.4 kB"), anchors("12.4")
    (('invoice', 'where'), (), ('12', '4'))
    """
    words = {found.lower() for found in _WORD.findall(sought)}
    own = words & _OWN_WORDS
    kept = [word for word in words - own if not (own and _DIGITS.fullmatch(word))]
    carried = (word for word in kept if _is_stored_so(word))
    return tuple(sorted(carried, key=lambda word: (-len(word), word))[:MOST_ANCHORS])


def _is_stored_so(word: str) -> bool:
    """Is this word spelled in the database as it is shown?"""
    return printable(word) == word and "\ufffd" not in word
