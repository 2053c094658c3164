"""What was said in a session: LiteLLM's stored rows read as a conversation.

    stored      one request as it came from the database
    messages    what was said: messages made of parts, whatever API they were sent to
    transcript  a session's turns, each message once, in order
    reading     the same page by page, from the database

Below them: `asked` and `answers` find the messages of a row, `chat`, `parts`, `responses`,
`single` and `media` read them, `identity`, `tree` and `threads` tell which were said before,
and `history` remembers that without the words.
"""

from tracelib.conversation.messages import Message, Part
from tracelib.conversation.order import turn_order
from tracelib.conversation.reading import Reading, TurnPage, turns
from tracelib.conversation.stored import StoredRequest
from tracelib.conversation.transcript import Transcript, Turn, transcript

__all__ = [
    "Message",
    "Part",
    "Reading",
    "StoredRequest",
    "Transcript",
    "Turn",
    "TurnPage",
    "transcript",
    "turn_order",
    "turns",
]
