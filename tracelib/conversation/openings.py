"""What sessions began with: the first words of the first request of each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, case, cast, func, select
from sqlalchemy.types import Text

from tracelib.conversation.asked import asked
from tracelib.conversation.reader import spoken
from tracelib.filters import Filters
from tracelib.source import Source

LONGEST = 500
# A longer body is mostly a document; it is not worth its way here for a line of words.
LONGEST_BODY = 500_000


class Prompt(NamedTuple):
    """What one request was sent with; the bodies as the text of their JSON."""

    call_type: str | None
    request_body: str | None
    messages_body: str | None
    response_body: str | None = None


def openings(source: Source, filters: Filters, keys: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What did a user say first in each of these sessions?

    `keys` are pairs of session key and session id. By session key, on one line, at most 500
    characters; a session is left out whose first request has no words of a user, or is longer
    than 500,000 characters. It is the first of all, whenever it was; where no index on the
    session id leads to it the first that the filters choose.
    """
    rows = source.rows(_first(_requests(source, filters, keys)))
    said = {
        row.session_key: first_words(Prompt(row.call_type, row.request_body, row.messages_body))
        for row in rows
    }
    return {session_key: words for session_key, words in said.items() if words}


def first_words(prompt: Prompt) -> str:
    """What did the user say first in this request, on one line? Empty where nothing was."""
    for raw in asked(prompt).messages:
        message = spoken(raw)
        if message.role == "user":
            texts = (part.text for part in message.parts if part.kind == "text")
            if words := " ".join(" ".join(texts).split()):
                return words[:LONGEST]
    return ""


def _requests(source: Source, filters: Filters, keys: Sequence[tuple[str, str]]) -> Subquery:
    if source.schema.has("session_id") and not source.schema.is_indexed("session_id"):
        requests = source.requests(filters)
    else:
        requests = source.by_id("session_id", sorted({session_id for _, session_id in keys}))
    of_these = requests.c.session_key.in_([session_key for session_key, _ in keys])
    return select(*requests.c).where(of_these).subquery("of_these")


def _first(requests: Subquery) -> Select[Any]:
    """Only the first request of each session has its bodies taken out."""
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
    """This body as the text of its JSON; NULL where it is too long to be worth its way."""
    text = cast(body, Text())
    return case((func.length(text) <= LONGEST_BODY, text))
