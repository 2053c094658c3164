"""One message: its role, its time, and its parts in order.

Untrusted text is never given to anything that reads Markdown or HTML, except in the formatted view,
which a viewer opts into and which shows the result of `safe_markdown`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import streamlit as st

from tracelib import formatting
from tracelib.conversation import Message, Part
from tracelib.conversation.pieces import (
    CHARACTERS_SHOWN,
    LINES_SHOWN,
    LONGEST_SENT,
    is_folded,
)
from tracelib.conversation.transcript import ROLES
from tracelib.page.text.markdown_escape import label
from tracelib.page.text.safe_markdown import safe_markdown
from tracelib.redaction import NONE, Redaction
from tracelib.signs import visible

LONGEST_LINE = 300
# Endings of a response that is not finished, or is continued later.
OPEN_ENDINGS = ("Not finished", "Paused", "Waiting")


@dataclass(frozen=True, slots=True)
class Look:
    """How a conversation is shown.

    Clock times are of `zone`; `is_formatted` formats Markdown; `redaction` says what is masked.
    `side` distinguishes two conversations on one page: it begins the keys of their elements. A long
    text is shown whole if the `words` occur only after its beginning.
    """

    zone: str
    is_formatted: bool = False
    side: str = ""
    redaction: Redaction = NONE
    words: str = ""


@contextmanager
def framed(
    message: Message,
    sent_at: datetime,
    look: Look,
    key: str,
    suffix: str = "",
    kind: Literal["role", "history"] = "role",
) -> Iterator[None]:
    """The frame of a message: its role and time. `suffix` comes after the role.

    Another version of an earlier message is of kind `history`: it is indented, and the keyboard
    skips it.
    """
    with st.container(key=frame_key(kind, message, f"{look.side}{key}"), gap="xxsmall"):
        clock = sent_at.astimezone(ZoneInfo(look.zone))
        name = ROLES.get(message.role, label(message.role.capitalize()))
        sender = f" {label(message.name)}" if message.name else ""
        st.caption(f"**{name}**{sender}{suffix} · {clock:%H:%M:%S}")
        yield


def frame_key(kind: Literal["role", "history"], message: Message, key: str) -> str:
    """The key of the frame of this message. Its beginning decides the colour of the edge."""
    role = message.role if message.role in ROLES else "assistant"
    return f"{kind}-{role}-{key}"


def show_part(part: Part, look: Look) -> None:
    """Draw this part. Images, audio and files are described with their size."""
    if part.kind == "text" and not part.is_json:
        if part.name:
            st.caption(f"**{label(part.name)}**")
        _folded(part, _formatted if look.is_formatted else _plain, look)
    elif part.kind == "reasoning":
        with st.expander(f"Reasoning, {formatting.size(_size(part))}"):
            whole(part.text, _plain)
    elif part.kind in ("image", "audio", "file"):
        name = f"{label(part.name)} " if part.name else ""
        st.caption(f":material/attach_file: {name}{label(part.text, LONGEST_LINE)}")
    elif part.kind == "citation":
        _citation(part, look)
    else:
        _named(part)
        if part.text:
            _folded(part, _code, look)
    if part.truncated_chars:
        st.caption(f"{part.truncated_chars:,} characters were removed before LiteLLM stored it.")


def _named(part: Part) -> None:
    if part.kind == "data":
        kind = "JSON" if part.is_json else "text"
        st.caption(f"**{label(part.name or 'Data')}** {kind}, {formatting.size(_size(part))}")
        return
    name = label(part.name or part.call_id or "a tool")
    if part.kind == "tool_call":
        st.caption(f"Calls **{name}**")
    elif part.is_error:
        st.caption(f":red[**Error** of **{name}**]")
    else:
        st.caption(f"Result of **{name}**")


def _citation(part: Part, look: Look) -> None:
    """Draw a citation: its title and address on a line, then the quoted text."""
    first, _, rest = part.text.partition("\n")
    title = f"**{label(part.name, LONGEST_LINE)}** " if part.name else ""
    st.caption(f":material/link: {title}{label(first, LONGEST_LINE)}")
    if rest:
        _folded(replace(part, text=rest), _plain, look)


def show_ending(message: Message) -> None:
    """Draw how this response ended. Nothing if it ended normally."""
    if message.ending is None:
        return
    ending = label(message.ending, 2 * LONGEST_LINE)
    is_open = message.ending.startswith(OPEN_ENDINGS)
    st.caption(f":material/hourglass_empty: {ending}" if is_open else f":red[**{ending}**]")


def _folded(part: Part, write: Callable[[str], None], look: Look) -> None:
    """Draw short text whole; of long text the beginning, and the rest on a click."""
    if not is_folded(part.text):
        whole(part.text, write)
        return
    lines = part.text[:CHARACTERS_SHOWN].split("\n")
    beginning = "\n".join(lines[:LINES_SHOWN]).rstrip()
    words = look.words.casefold()
    if words and words not in beginning.casefold() and words in part.text.casefold():
        whole(part.text, write)
        return
    write(f"{beginning} …")
    kind = "JSON" if part.is_json else "text"
    with st.expander(f"Show all ({kind}, {formatting.size(_size(part))})", type="compact"):
        whole(part.text, write)


def whole(text: str, write: Callable[[str], None]) -> None:
    """Draw all of a text, as far as a browser can take it, and its size."""
    write(text[:LONGEST_SENT])
    if len(text) > LONGEST_SENT:
        st.caption(f"The first {LONGEST_SENT:,} of {len(text):,} characters are shown.")


def show_code(part: Part, look: Look) -> None:
    """Draw the text of this part only, as code."""
    _folded(part, _code, look)


def _plain(text: str) -> None:
    st.text(visible(text), width="stretch")


def _code(text: str) -> None:
    st.code(visible(text), language=None, wrap_lines=True)


def _formatted(text: str) -> None:
    st.markdown(safe_markdown(text), anchors=False)


def _size(part: Part) -> int:
    return part.size_bytes or len(part.text.encode("utf-8", "surrogatepass"))
