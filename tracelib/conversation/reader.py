"""Raw messages read once each, however often they were sent."""

from collections.abc import Sequence

from tracelib.conversation.canonical import Canonical, Key, canonical, digest
from tracelib.conversation.chat import message
from tracelib.conversation.json_values import TOO_DEEP
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.responses import Raw
from tracelib.conversation.sent import SentHistory


class Reader:
    """Recognises the messages of one session; what a later request repeats is not read again."""

    def __init__(self) -> None:
        self._read: dict[Key, Canonical] = {}
        self._last: tuple[Key | None, SentHistory] = (None, SentHistory())

    def read_all(self, messages: Sequence[Raw | Message]) -> SentHistory:
        """Read these messages. Those of the last request, sent again, cost nothing."""
        spelling, last = self._last
        count = len(last.messages)
        if spelling is None or _spelling(messages[:count]) != spelling:
            last, count = SentHistory(), 0
        read = last.extended([self.read(raw) for raw in messages[count:]])
        self._last = (_spelling(messages), read)
        return read

    def read(self, raw: Raw | Message) -> Canonical:
        """The items of this message."""
        spelling = _spelling(raw)
        if spelling is None:
            return canonical(spoken(raw))
        known = self._read.get(spelling)
        if known is None:
            known = self._read[spelling] = canonical(spoken(raw))
        return known


def spoken(raw: Raw | Message) -> Message:
    """What does this message say? Nested too deeply it says just that."""
    if isinstance(raw, Message):
        return raw
    try:
        return message(raw)
    except RecursionError:
        return Message("user", (Part("data", TOO_DEEP),))


def _spelling(raw: object) -> Key | None:
    """A digest of this JSON. None where it is nested too deeply, or was read already."""
    try:
        return digest(raw)
    except ValueError:
        return None
