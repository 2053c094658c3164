"""A conversation to read: each message once, and under each answer what it cost.

Nothing that anybody wrote is ever given to something that reads Markdown or HTML.
"""

from collections.abc import Iterator
from itertools import count
from zoneinfo import ZoneInfo

import streamlit as st

from tracelib import formatting
from tracelib.conversation import Message, Part, StoredRequest, Transcript, Turn
from tracelib.page import address
from tracelib.page.safe import label

TURNS_A_PAGE = 40
LINES_SHOWN = 12
CHARACTERS_SHOWN = 1_600
# A browser chokes on megabytes in one element; the rest is counted, not sent.
LONGEST_SENT = 60_000
PAGER = "transcript page"
ROLES = {"system": "System", "developer": "Developer", "user": "User", "tool": "Tool"}


def show(transcript: Transcript, zone: str) -> None:
    """What was said, in order? Forty requests a page."""
    for note in transcript.notes:
        st.info(label(note, 400), icon=":material/info:")
    pages = max(1, -(-len(transcript.turns) // TURNS_A_PAGE))
    page = _page(pages)
    first = (page - 1) * TURNS_A_PAGE
    numbers = count()
    with st.container(key="transcript"):
        for position in range(first, min(first + TURNS_A_PAGE, len(transcript.turns))):
            _turn(transcript, position, zone, numbers)
    if page < pages:
        words = f"Go on to page {page + 1} of {pages}"
        st.button(words, icon=":material/arrow_forward:", on_click=_turn_to, args=(page + 1,))


def _page(pages: int) -> int:
    """Which page is read? The URL holds it, so that a passage can be handed on."""
    said = st.query_params.get(address.PAGE, "1")
    page = min(max(int(said), 1), pages) if said.isdecimal() and len(said) < 6 else 1
    if pages > 1:
        st.session_state[PAGER] = page
        st.pagination(pages, key=PAGER, on_change=lambda: _turn_to(st.session_state[PAGER]))
    return page


def _turn_to(page: int) -> None:
    st.query_params[address.PAGE] = str(page)


def _turn(transcript: Transcript, position: int, zone: str, numbers: Iterator[int]) -> None:
    turn = transcript.turns[position]
    _thread(transcript, position)
    for message in turn.asked:
        _message(message, turn, zone, next(numbers))
    for number, message in enumerate(turn.answered, start=1):
        choice = f", choice {number}" if len(turn.answered) > 1 else ""
        _message(message, turn, zone, next(numbers), choice)
    _figures(turn.request, position + 1)
    for note in turn.notes:
        st.caption(label(note, 400))


def _thread(transcript: Transcript, position: int) -> None:
    """Where does this request go on from? Said wherever it is not the one just above."""
    turn = transcript.turns[position]
    above = transcript.turns[position - 1].request.request_id if position else None
    if turn.parent_id == above and not turn.branches:
        return
    places = {one.request.request_id: n for n, one in enumerate(transcript.turns, start=1)}
    parent = places.get(turn.parent_id or "")
    if parent is None:
        said = "Starts a thread of its own"
    elif turn.branches:
        said = f"Branches off request {parent}"
    else:
        said = f"Goes on from request {parent}"
    repeated = f", {turn.repeated} messages from above not repeated" if turn.repeated else ""
    st.divider()
    st.caption(f":material/fork_right: {said}{repeated}")


def _message(message: Message, turn: Turn, zone: str, number: int, choice: str = "") -> None:
    role = message.role if message.role in ROLES else "assistant"
    # The beginning of the key decides the colour of the edge.
    with st.container(key=f"role-{role}-{number}", gap="xxsmall"):
        clock = turn.request.started_at.astimezone(ZoneInfo(zone))
        name = ROLES.get(message.role, label(message.role.capitalize()))
        said_by = f" {label(message.name)}" if message.name else ""
        st.caption(f"**{name}**{said_by}{choice} · {clock:%H:%M:%S}")
        for part in message.parts:
            _part(part)


def _part(part: Part) -> None:
    if part.kind == "text" and not part.is_json:
        _folded(part, is_code=False)
    elif part.kind == "reasoning":
        with st.expander(f"Reasoning, {formatting.size(_size(part))}"):
            _whole(part.text, is_code=False)
    elif part.kind in ("tool_call", "tool_result"):
        title = "Calls" if part.kind == "tool_call" else "Result of"
        st.caption(f"{title} **{label(part.name or part.call_id or 'a tool')}**")
        _folded(part, is_code=True)
    elif part.kind in ("image", "audio", "file"):
        st.caption(f":material/attach_file: {label(part.name or '')} {label(part.text, 200)}")
    else:
        _folded(part, is_code=True)
    if part.truncated_chars:
        st.caption(f"{part.truncated_chars:,} characters were cut out before LiteLLM stored it.")


def _folded(part: Part, *, is_code: bool) -> None:
    """Short text whole; of long text the beginning, and the rest behind its size."""
    lines = part.text[: CHARACTERS_SHOWN + 1].split("\n")
    if len(lines) <= LINES_SHOWN and len(part.text) <= CHARACTERS_SHOWN:
        _whole(part.text, is_code)
        return
    _whole("\n".join(lines[:LINES_SHOWN])[:CHARACTERS_SHOWN].rstrip() + " …", is_code)
    kind = "JSON" if part.is_json else "text"
    with st.expander(f"All of it ({kind}, {formatting.size(_size(part))})", type="compact"):
        _whole(part.text, is_code)


def _whole(text: str, is_code: bool) -> None:
    sent = text[:LONGEST_SENT]
    if is_code:
        st.code(sent, language=None, wrap_lines=True)
    else:
        st.text(sent)
    if len(text) > LONGEST_SENT:
        st.caption(f"The first {LONGEST_SENT:,} of {len(text):,} characters are shown.")


def _size(part: Part) -> int:
    return part.size_bytes or len(part.text.encode("utf-8", "surrogatepass"))


def _figures(request: StoredRequest, position: int) -> None:
    """One line: model, tokens, cost, times, cache; and what went wrong, in red."""
    model = request.model
    if request.asked_model and request.asked_model != request.model:
        model = f"{request.asked_model} asked, {request.model} answered"
    cached = f" ({request.cached_prompt_tokens:,} cached)" if request.cached_prompt_tokens else ""
    first = formatting.duration(request.ttft_ms)
    parts = [
        f"Request {position}: {label(model)}",
        f"{request.prompt_tokens:,} → {request.completion_tokens:,} tokens{cached}",
        label(formatting.money(request.spend_usd)),
        formatting.duration(request.latency_ms)
        + (f" (first token {first})" if request.ttft_ms else ""),
    ]
    if request.is_cache_hit:
        parts.append("from LiteLLM's cache")
    if request.attempted_retries:
        parts.append(f"{request.attempted_retries} retries")
    st.caption(", ".join(parts), help=f"Request id: {label(request.request_id, 2_000)}")
    if request.is_failure:
        _failure(request)


def _failure(request: StoredRequest) -> None:
    words = [word for word in (request.error_class, request.error_code) if word]
    st.caption(f":red[**Failed** {label(', '.join(words) or 'without a reason')}]")
    if request.error_message:
        st.code(request.error_message[:4_000], language=None, wrap_lines=True)
