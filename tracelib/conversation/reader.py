"""Raw messages read once each, however often they were sent."""

from tracelib.conversation.chat import message
from tracelib.conversation.identity import Key, Said, digest, said
from tracelib.conversation.json_values import TOO_DEEP
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.responses import Raw


class Reader:
    """Recognises the messages of one session; what a later request repeats is not read again."""

    def __init__(self) -> None:
        self._read: dict[Key, Said] = {}

    def read(self, raw: Raw | Message) -> Said:
        """The keys of this message."""
        if isinstance(raw, Message):
            return said(raw)
        try:
            spelling = digest(raw)
        except ValueError:  # nested too deeply, or no JSON at all
            return said(spoken(raw))
        known = self._read.get(spelling)
        if known is None:
            known = self._read[spelling] = said(spoken(raw))
        return known


def spoken(raw: Raw | Message) -> Message:
    """What does this message say? Nested too deeply it says just that."""
    if isinstance(raw, Message):
        return raw
    try:
        return message(raw)
    except RecursionError:
        return Message("user", (Part("data", TOO_DEEP),))
