"""What was said in a session: LiteLLM's stored rows read as a conversation.

    stored      one request as it came from the database
    messages    what was said: messages made of parts, whatever API they were sent to
    transcript  a session's turns, each message once, in order
    reading     the same page by page, from the database
    openings    what each of many sessions began with
    passages    where each of many requests says something
    tool_use    each tool call with the result that a later request brought
    turn_diff   what one request said that another did not
    operations  retries and fallbacks, each as one thing that was asked for
    links       sessions that go on from one another

Below them: `asked` and `answers` find the messages of a row, `chat`, `parts`, `responses`,
`single` and `media` read them. `canonical` gives messages an identity without what transport
changes, `alignment`, `locating` and `threads` tell which of them were sent before, and `history`
remembers that without the words.
"""

from tracelib.conversation.messages import Message, Part
from tracelib.conversation.openings import openings
from tracelib.conversation.order import turn_order
from tracelib.conversation.passages import passages
from tracelib.conversation.reading import Reading, TurnPage, turns
from tracelib.conversation.stored import StoredRequest
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
    "openings",
    "passages",
    "transcript",
    "turn_order",
    "turns",
]
