"""Where requests say what was sought: the text around it, for many requests at once."""

from collections.abc import Sequence

from sqlalchemy import select

from tracelib.conversation.openings import short_text
from tracelib.conversation.visible import Bodies, pattern_of, shown_texts
from tracelib.source import Source

# So much on either side: what is masked in it must not be cut in two near the words sought.
AROUND = 300


def passages(source: Source, request_ids: Sequence[str], sought: str) -> dict[str, str]:
    """Where do these requests say this, whatever its case?

    By request id, the text with 300 characters on either side, on one line: of the first part
    of a message or an answer that has it. A request is left out where none does, or whose
    bodies are longer than 500,000 characters.
    """
    requests = source.by_id("request_id", sorted(request_ids))
    texts = (short_text(requests.c[name]).label(name) for name in Bodies._fields[1:])
    read = select(requests.c.request_id, requests.c.call_type, *texts)
    rows = source.rows(read.order_by(requests.c.request_id))
    found = {}
    for row in rows:
        bodies = Bodies(row.call_type, row.request_body, row.messages_body, row.response_body)
        if words := passage(bodies, sought):
            found[row.request_id] = words
    return found


def passage(bodies: Bodies, sought: str) -> str:
    """Where does this request say this? Empty where it does not."""
    pattern = pattern_of(sought)
    for text in shown_texts(bodies):
        if place := pattern.search(text):
            around = text[max(0, place.start() - AROUND) : place.end() + AROUND]
            return " ".join(around.split())
    return ""
