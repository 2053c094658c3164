"""Conversations: LiteLLM's stored rows read as messages and turns.

requests    one request as it came from the database, and the rows that are one turn
bodies      the messages of a row, whatever API it was sent to
threading   which request continues which, and which messages each adds
transcript  a session's turns, each message once, in order
reading     the same, page by page, from the database
shown_text  the text of a request as it is shown, for searches and snippets
tool_use    each tool call with the result that a later request brought
turn_diff   the differences between two requests
operations  retries and fallbacks, each as one operation
links       sessions that continue one another
"""

from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.order import turn_order
from tracelib.conversation.reading import Reading, TurnPage, turns
from tracelib.conversation.requests import StoredRequest
from tracelib.conversation.shown_text import first_lines, snippets
from tracelib.conversation.transcript import ShownChange, Transcript, Turn, transcript

__all__ = [
    "Message",
    "Part",
    "Reading",
    "ShownChange",
    "StoredRequest",
    "Transcript",
    "Turn",
    "TurnPage",
    "first_lines",
    "snippets",
    "transcript",
    "turn_order",
    "turns",
]
