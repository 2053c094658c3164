"""Where requests say what was sought: the text around it, for many requests at once."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import select

from tracelib.conversation.answers import answers
from tracelib.conversation.asked import asked
from tracelib.conversation.openings import short_text
from tracelib.conversation.reader import spoken
from tracelib.selection import RowId
from tracelib.source import Source

# So much on either side: what is masked in it must not be cut in two near the words sought.
AROUND = 300


class Bodies(NamedTuple):
    """What one request was sent with and answered; the bodies as the text of their JSON."""

    call_type: str | None
    request_body: str | None
    messages_body: str | None
    response_body: str | None


def passages(source: Source, rows: Sequence[RowId], sought: str) -> dict[RowId, str]:
    """Where do these requests say this, whatever its case?

    By row, the text with 300 characters on either side, on one line: of the first part
    of a message or an answer that has it. A request is left out where none does, as with what
    is written otherwise in JSON, or whose bodies are longer than 500,000 characters.
    """
    requests = source.by_rows(rows)
    texts = (short_text(requests.c[name]).label(name) for name in Bodies._fields[1:])
    read = select(requests.c.request_id, requests.c.started_at, requests.c.call_type, *texts)
    found = {}
    for row in source.rows(read.order_by(requests.c.started_at, requests.c.request_id)):
        bodies = Bodies(row.call_type, row.request_body, row.messages_body, row.response_body)
        if words := passage(bodies, sought):
            found[RowId(row.request_id, row.started_at)] = words
    return found


def passage(bodies: Bodies, sought: str) -> str:
    """Where does this request say this? Empty where it does not."""
    pattern = re.compile(re.escape(sought), re.IGNORECASE)
    for text in _said(bodies):
        if place := pattern.search(text):
            around = text[max(0, place.start() - AROUND) : place.end() + AROUND]
            return " ".join(around.split())
    return ""


def _said(bodies: Bodies) -> Iterator[str]:
    messages = (*map(spoken, asked(bodies).messages), *answers(bodies))
    return (part.text for message in messages for part in message.parts)
