"""What was said: messages made of parts, whatever API they were sent to."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "text", "reasoning", "tool_call", "tool_result", "citation", "image", "audio", "file", "data"
]


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message, ready to be shown as plain text.

    `text` is never markup: it holds what a caller sent, so a page must escape it.
    Binary content is not carried; its text says what it was ("image/png, 12.4 kB, stored cut").
    A citation has the title of what is cited for its name; its text is the address, then the
    words that are cited.
    """

    kind: Kind
    text: str
    name: str | None = None  # of the tool, the file or the cited work
    call_id: str | None = None  # pairs a tool's result with its call
    is_json: bool = False
    size_bytes: int | None = None
    truncated_chars: int = 0  # characters LiteLLM cut out of it
    is_redacted: bool = False
    is_error: bool = False  # whether a tool reported that it failed
    reference: str | None = None  # the provider's id, by which later requests name it
    # The provider's id of the item that it is of, which later requests may send in its place.
    item_id: str | None = field(default=None, repr=False, compare=False)
    # Tells apart what reads the same: the bytes of an image, arguments whatever their spacing.
    fingerprint: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who said it, and its parts in order (none where it was empty).

    `ending` says how an answer ended where it did not end normally: "Cut off at the token limit
    (length)". `choice` numbers the alternatives of one answer from 1, None where it is the only
    one.
    """

    role: str  # system, developer, user, assistant, tool, or as stored
    parts: tuple[Part, ...]
    name: str | None = None
    ending: str | None = None
    choice: int | None = None
