"""The messages of a session, each message once, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import is_

from tracelib import formatting
from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.bodies.parameters import settings
from tracelib.conversation.notes import notes_on, shared_notes
from tracelib.conversation.order import after_responses
from tracelib.conversation.requests import StoredRequest, by_turn, others_in_words
from tracelib.conversation.threading.changes import Change
from tracelib.conversation.threading.history import History, ReadTurn, read_turn
from tracelib.selection import RowId


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A difference between a request's history and the conversation, with the new texts if any."""

    change: Change
    messages: tuple[Message, ...]

    @property
    def sentence(self) -> str:
        return self.change.sentence


@dataclass(frozen=True, slots=True)
class Turn:
    """One request, with the messages that it added to the conversation and its response.

    `number` counts the turns of the session from 1, by start. `parent` and `parent_number` are the
    request whose conversation this one continues, None if it starts one. `starts_line` if it
    continues anything but the newest state of its thread (an edited question, another choice, a
    parallel call) and if it starts another thread after the first (a sub-agent, a compacted
    history). `thread` numbers the threads from 0, in order of appearance. Single calls (embedding,
    image, tool) never branch; a request whose prompt cannot be read stays in the thread before it.
    Messages that a client changed are in `changes`, not in `new_messages`.
    """

    request: StoredRequest
    number: int
    parent: RowId | None
    parent_number: int | None
    starts_line: bool
    thread: int
    new_messages: tuple[Message, ...]  # only the new messages, compared with the parent
    repeated: int  # messages of this request that were shown before
    repeated_share: float  # of its characters, from 0 to 1
    changes: tuple[ShownChange, ...]  # how its history differs from the conversation before
    responses: tuple[Message, ...]  # one per choice
    notes: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def parent_id(self) -> str | None:
        """The request ID of its parent."""
        return self.parent.request_id if self.parent else None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A session's turns by start; `notes` hold for every one of them."""

    turns: tuple[Turn, ...]
    notes: tuple[str, ...]


def transcript(requests: Sequence[StoredRequest]) -> Transcript:
    """Which messages does this session have, each once, in order?

    `requests` are the rows of one session, in any order; turns come by start, ties by request ID,
    but after a response that they quote. A system prompt is shown once per thread, and again when
    it changed. No requests give no turns. Never raises: what cannot be read is shown as data, or a
    note gives the reason.
    """
    history = History()
    whole = [replace(rows[0], rest=rows[1:]) for rows in by_turn(requests)]
    places = after_responses([one.rows for one in whole], lambda _: whole)
    read = [read_turn(whole[place]) for place in places]
    return with_shared_notes([turn_of(history, history.add(one), one) for one in read])


def with_shared_notes(turns: Sequence[Turn]) -> Transcript:
    """These turns, with the notes that all of them share moved out, to be shown once."""
    shared = shared_notes([turn.notes for turn in turns])
    if not shared:
        return Transcript(tuple(turns), ())
    return Transcript(tuple(_without(turn, shared) for turn in turns), shared)


def _without(turn: Turn, shared: Sequence[str]) -> Turn:
    return replace(turn, notes=tuple(note for note in turn.notes if note not in shared))


def turn_of(history: History, index: int, one: ReadTurn, hidden: int = 0) -> Turn:
    """Which messages did the request at this index of the history add to the conversation?

    The first `hidden` messages are not shown, known before or not.
    """
    placed = history.placed(index)
    place, messages = placed.place, one.question.messages
    fresh = [_only(one.message(at), parts) for at, parts in place.fresh if at >= hidden]
    shown = _named(history, index, fresh)
    return Turn(
        request=one.request,
        number=index + 1,
        parent=None if place.parent is None else history.row(place.parent),
        parent_number=None if place.parent is None else place.parent + 1,
        starts_line=place.starts_line,
        thread=place.thread,
        new_messages=shown,
        repeated=len(messages) - len(shown),
        repeated_share=place.repeated_share,
        changes=tuple(_shown_change(change, one) for change in place.changes),
        responses=one.responses,
        notes=notes_on(
            one.request,
            one.question,
            shown,
            one.responses,
            continues_elsewhere=placed.continues_elsewhere,
        ),
        settings=settings(one.question.body, one.responses),
    )


def _only(message: Message, parts: Sequence[int] | None) -> Message:
    """The message with these of its parts; all of them for None."""
    if parts is None:
        return message
    return replace(message, parts=tuple(message.parts[at] for at in parts))


def _shown_change(change: Change, one: ReadTurn) -> ShownChange:
    return ShownChange(change, tuple(map(one.message, change.messages)))


def _named(history: History, index: int, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, with the names of the called tools on their results."""
    called: dict[str, str] = {}  # in the messages above: their IDs may have been used before
    named = []
    for message in messages:
        called |= {p.call_id: p.name for p in message.parts if p.call_id and p.name and _calls(p)}
        parts = tuple(_with_name(part, called, history, index) for part in message.parts)
        is_same = all(map(is_, parts, message.parts))
        named.append(message if is_same else replace(message, parts=parts))
    return tuple(named)


def _calls(part: Part) -> bool:
    return part.kind == "tool_call"


def _with_name(part: Part, called: Mapping[str, str], history: History, index: int) -> Part:
    if part.kind != "tool_result" or part.name or not part.call_id:
        return part
    name = called.get(part.call_id) or history.tool_name(part.call_id, index)
    return replace(part, name=name)


# The client of an interrupted stream pays for what arrived until then.
PAID = "but cost"
ROLES = {
    "system": "System",
    "developer": "Developer",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
}


def figures_in_words(request: StoredRequest) -> list[str]:
    """Model, tokens, cost, times, cache, retries and other rows of a request, as text."""
    model = request.model
    if request.asked_model and request.asked_model != model:
        model = f"{request.asked_model} requested, {model} served"
    cached = f" ({request.cached_prompt_tokens:,} cached)" if request.cached_prompt_tokens else ""
    is_streamed = request.ttft_ms is not None
    first = f" (first token {formatting.duration(request.ttft_ms)})" if is_streamed else ""
    words = [
        model,
        f"{request.prompt_tokens:,} → {request.completion_tokens:,} tokens{cached}",
        formatting.money(request.spend_usd),
        formatting.duration(request.latency_ms) + first,
    ]
    if request.is_cache_hit:
        words.append("from LiteLLM’s cache")
    if request.attempted_retries:
        words.append(formatting.counted(request.attempted_retries, "retry", "retries"))
    return words + others_in_words(request)


def failure_in_words(request: StoredRequest) -> str:
    """Why a request failed, and what it cost nevertheless, as text."""
    reason = ", ".join(word for word in (request.error_class, request.error_code) if word)
    cost = request.spend_usd or 0.0
    paid = f", {PAID} {formatting.money(cost)}" if cost > 0 else ""
    return (reason or "without a reason") + paid


def origin_in_words(turn: Turn, above: Turn | None) -> str | None:
    """Which request a turn continues, as text; None if it is the one just above, or unknown."""
    if turn.parent_number is None:
        # A turn without a stored prompt is not known to start a thread.
        origin = "Starts a new thread" if turn.starts_line else None
    elif turn.starts_line:
        origin = f"Branches off request {turn.parent_number}"
    elif above is None or turn.parent_number != above.number:
        origin = f"Continues request {turn.parent_number}"
    else:
        origin = None
    if origin and turn.repeated:
        repeated = formatting.counted(turn.repeated, "message")
        origin = f"{origin}, {repeated} from above not repeated"
    return origin
