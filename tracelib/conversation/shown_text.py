"""The shown text of a request, for searches: a search finds what is shown, and nothing else.

A database can only search the stored JSON, which holds more than is shown and spells some of it
differently. So it narrows requests down, by `anchors`, to those that may show the text; then the
reader itself decides, with `shows` and `called_tools`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, case, cast, func, select
from sqlalchemy.types import Text

from tracelib.conversation.bodies import chat, phrases
from tracelib.conversation.bodies.messages import REDACTED_WORDS, Message, without_cuts
from tracelib.conversation.bodies.request_messages import request_messages
from tracelib.conversation.bodies.response_messages import response_messages
from tracelib.conversation.bodies.texts import KINDS_OF_BYTES, printable
from tracelib.conversation.json_values import TOO_DEEP
from tracelib.conversation.threading.history import as_message
from tracelib.filters import Filters
from tracelib.selection import RowId
from tracelib.source import Postgres

MOST_ANCHORS = 2
_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d{1,4}")  # as in sizes and counts


def _own_words() -> frozenset[str]:
    """Words of the sentences that readers generate: they are shown, but not stored."""
    sentences = [str(value) for name, value in vars(phrases).items() if name.isupper()]
    sentences += [*chat.WORDS, *KINDS_OF_BYTES, REDACTED_WORDS, TOO_DEEP]
    sentences.append(without_cuts("... (truncated 1 chars)")[0])
    return frozenset(word.lower() for one in sentences for word in _WORD.findall(one))


_OWN_WORDS = _own_words()


class Bodies(NamedTuple):
    """The prompt and the response of one request; the bodies as the text of their JSON."""

    call_type: str | None
    request_body: str | None
    messages_body: str | None
    response_body: str | None


def messages_of(bodies: Bodies) -> tuple[Message, ...]:
    """All messages of this request, prompt and response. Empty if nested too deeply."""
    try:
        return (*map(as_message, request_messages(bodies).messages), *response_messages(bodies))
    except RecursionError:
        return ()


def shown_texts(bodies: Bodies) -> Iterator[str]:
    """The texts that a page shows of this request: text, names of tools and files, endings."""
    for message in messages_of(bodies):
        yield from filter(None, (message.name, message.ending))
        for part in message.parts:
            yield part.text
            if part.name:
                yield part.name


def pattern_of(text: str) -> re.Pattern[str]:
    """A pattern for this text in shown texts, whatever its case, also as JSON spells it.

    JSON within JSON is escaped twice.
    """
    spelled = [text]
    for _ in range(2):
        spelled += [_in_json(one, is_ascii) for one in spelled for is_ascii in (False, True)]
    return re.compile("|".join(map(re.escape, dict.fromkeys(spelled))), re.IGNORECASE)


def _in_json(text: str, is_ascii: bool) -> str:
    """
    >>> _in_json('say "é"', is_ascii=True)
    'say \\\\"\\\\u00e9\\\\"'
    """
    return json.dumps(text, ensure_ascii=is_ascii)[1:-1]


def shows(bodies: Bodies, searched: str) -> bool:
    """Does this request show this text, whatever its case?"""
    pattern = pattern_of(searched)
    return any(pattern.search(text) for text in shown_texts(bodies))


def called_tools(bodies: Bodies) -> frozenset[str]:
    """Which tools did the response to this request call, by name? '' if a call has no name."""
    try:
        found = response_messages(bodies)
    except RecursionError:
        return frozenset()
    parts = (part for message in found if message.role != "user" for part in message.parts)
    return frozenset(part.name or "" for part in parts if part.kind == "tool_call")


def anchors(text: str) -> tuple[str, ...]:
    """Words of the text that the stored JSON of any request that shows it contains, longest first.

    Empty if all of them may be shown without being stored: words of generated sentences, and the
    short numbers next to them.

    >>> anchors('where is "invoice-4711.pdf"?'), anchors("image/png, 12.4 kB"), anchors("12.4")
    (('invoice', 'where'), (), ('12', '4'))
    """
    words = {found.lower() for found in _WORD.findall(text)}
    own = words & _OWN_WORDS
    kept = [word for word in words - own if not (own and _DIGITS.fullmatch(word))]
    carried = (word for word in kept if _is_stored_so(word))
    return tuple(sorted(carried, key=lambda word: (-len(word), word))[:MOST_ANCHORS])


def _is_stored_so(word: str) -> bool:
    """Is this word spelled in the database as it is shown?"""
    return printable(word) == word and "\ufffd" not in word


LONGEST = 500
# A longer body is mostly a document; it is not worth transferring for one line of text.
LONGEST_BODY = 500_000


class Prompt(NamedTuple):
    """The prompt of one request; the bodies as the text of their JSON."""

    call_type: str | None
    request_body: str | None
    messages_body: str | None
    response_body: str | None = None


def first_lines(
    source: Postgres, filters: Filters, keys: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """What is the first user message in each of these sessions?

    `keys` are pairs of session key and session ID. By session key, on one line, at most 500
    characters; a session is left out if its first request has no user message, or is longer than
    500,000 characters. It is the first request of all time; if no index on the session ID leads to
    it, the first within the filters.
    """
    rows = source.rows(_first(_requests(source, filters, keys)))
    lines = {
        row.session_key: first_line(Prompt(row.call_type, row.request_body, row.messages_body))
        for row in rows
    }
    return {session_key: words for session_key, words in lines.items() if words}


def first_line(prompt: Prompt) -> str:
    """The first user message of this request, on one line; empty if there is none."""
    for raw in request_messages(prompt).messages:
        message = as_message(raw)
        if message.role == "user":
            texts = (part.text for part in message.parts if part.kind == "text")
            if words := " ".join(" ".join(texts).split()):
                return words[:LONGEST]
    return ""


def _requests(source: Postgres, filters: Filters, keys: Sequence[tuple[str, str]]) -> Subquery:
    if source.schema.has("session_id") and not source.schema.is_indexed("session_id"):
        requests = source.requests(filters)
    else:
        requests = source.by_id("session_id", sorted({session_id for _, session_id in keys}))
    of_these = requests.c.session_key.in_([session_key for session_key, _ in keys])
    return select(*requests.c).where(of_these).subquery("of_these")


def _first(requests: Subquery) -> Select[Any]:
    """Only the first request of each session has its bodies extracted."""
    order = (requests.c.started_at, requests.c.request_id)
    place = func.row_number().over(partition_by=requests.c.session_key, order_by=order)
    one = select(*requests.c, place.label("place")).subquery("one")
    return (
        select(
            one.c.session_key,
            one.c.call_type,
            short_text(one.c.request_body).label("request_body"),
            short_text(one.c.messages_body).label("messages_body"),
        )
        .where(one.c.place == 1)
        .order_by(one.c.session_key)
    )


def short_text(body: ColumnElement[Any]) -> ColumnElement[Any]:
    """This body as the text of its JSON; NULL if it is too long to be worth transferring."""
    text = cast(body, Text())
    return case((func.length(text) <= LONGEST_BODY, text))


# Context on either side: a value to mask next to the searched text must not be cut in two.
AROUND = 300


def snippets(source: Postgres, rows: Sequence[RowId], text: str) -> dict[RowId, str]:
    """Where do these requests contain this text, whatever its case?

    By row, the text with 300 characters on either side, on one line: of the first part of a message
    or response that contains it. A request is left out if no part contains it, or if its bodies are
    longer than 500,000 characters.
    """
    requests = source.by_rows(rows)
    texts = (short_text(requests.c[name]).label(name) for name in Bodies._fields[1:])
    read = select(requests.c.request_id, requests.c.started_at, requests.c.call_type, *texts)
    found = {}
    for row in source.rows(read.order_by(requests.c.started_at, requests.c.request_id)):
        bodies = Bodies(row.call_type, row.request_body, row.messages_body, row.response_body)
        if words := snippet(bodies, text):
            found[RowId(row.request_id, row.started_at)] = words
    return found


def snippet(bodies: Bodies, searched: str) -> str:
    """The part of this request around this text. Empty if it does not contain the text."""
    pattern = pattern_of(searched)
    for text in shown_texts(bodies):
        if place := pattern.search(text):
            around = text[max(0, place.start() - AROUND) : place.end() + AROUND]
            return " ".join(around.split())
    return ""
