"""What was said in a session: LiteLLM's stored rows read as a conversation.

    stored      one request as it came from the database
    messages    what was said: messages made of parts, whatever API they were sent to
    transcript  a session's turns, each message once, in order

Below them: `asked` and `answers` find the messages of a row, `chat`, `parts`, `responses`,
`single` and `media` read them, `identity`, `tree` and `threads` tell which were said before.
"""

from tracelib.conversation.messages import Message, Part
from tracelib.conversation.stored import StoredRequest
from tracelib.conversation.transcript import Transcript, Turn, transcript

__all__ = ["Message", "Part", "StoredRequest", "Transcript", "Turn", "transcript"]
