"""Raw messages read once each, however often they were sent."""

import marshal

from tracelib.conversation.chat import message
from tracelib.conversation.identity import Said, said
from tracelib.conversation.json_values import TOO_DEEP
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.responses import Raw

# Of marshal's formats the last whose bytes depend on the value alone.
_BY_VALUE = 2


class Reader:
    """Reads the messages of one session; what a later request repeats is found, not re-read."""

    def __init__(self) -> None:
        self._read: dict[bytes, Said] = {}

    def read(self, raw: Raw | Message) -> Said:
        """The message with its keys; nested too deeply it says just that."""
        if isinstance(raw, Message):
            return said(raw)
        try:
            spelling = marshal.dumps(raw, _BY_VALUE)
        except ValueError:  # nested too deeply, or no JSON at all
            return _unseen(raw)
        known = self._read.get(spelling)
        if known is None:
            known = self._read[spelling] = _unseen(raw)
        return known


def _unseen(raw: Raw) -> Said:
    try:
        return said(message(raw))
    except RecursionError:
        return said(Message("user", (Part("data", TOO_DEEP),)))
