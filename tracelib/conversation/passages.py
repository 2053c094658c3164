"""Where requests say what was sought: the text around it, for many requests at once."""

from collections.abc import Sequence

from sqlalchemy import select

from tracelib.conversation.openings import short_text
from tracelib.conversation.visible import Bodies, pattern_of, shown_texts
from tracelib.selection import RowId
from tracelib.source import Source

# So much on either side: what is masked in it must not be cut in two near the words sought.
AROUND = 300


def passages(source: Source, rows: Sequence[RowId], sought: str) -> dict[RowId, str]:
    """Where do these requests say this, whatever its case?

    By row, the text with 300 characters on either side, on one line: of the first part
    of a message or an answer that has it. A request is left out where none does, or whose
    bodies are longer than 500,000 characters.
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
    pattern = pattern_of(sought)
    for text in shown_texts(bodies):
        if place := pattern.search(text):
            around = text[max(0, place.start() - AROUND) : place.end() + AROUND]
            return " ".join(around.split())
    return ""
