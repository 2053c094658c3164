"""What was said in a session, each message once, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracelib.conversation.answers import answers
from tracelib.conversation.asked import CHAT, Asked, asked
from tracelib.conversation.identity import Said, said
from tracelib.conversation.json_values import TOO_DEEP
from tracelib.conversation.messages import Message, Part
from tracelib.conversation.notes import notes_on, shared_notes
from tracelib.conversation.parameters import settings
from tracelib.conversation.reader import Reader
from tracelib.conversation.stored import StoredRequest
from tracelib.conversation.threads import Threads


@dataclass(frozen=True, slots=True)
class Turn:
    """One request, with what it added to the conversation and what it was answered.

    `parent_id` is the request whose conversation this one extends, None where it starts one.
    `branches` is True where it goes on from anything but the newest state of its thread
    (an edited question, another choice, a parallel call) and where it starts a thread of its
    own beside an earlier one (a sub-agent, a compacted history). `thread` numbers the chains
    of extensions from 0, in order of appearance. Single calls (embedding, image, tool) never
    branch; a request whose prompt cannot be read stays in the thread before it.
    """

    request: StoredRequest
    parent_id: str | None
    branches: bool
    thread: int
    asked: tuple[Message, ...]  # only what is new against the parent
    repeated: int  # messages of this request that were shown before
    answered: tuple[Message, ...]  # one per choice
    notes: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """A session's turns in the order they started; `notes` hold for every one of them."""

    turns: tuple[Turn, ...]
    notes: tuple[str, ...]


def transcript(requests: Sequence[StoredRequest]) -> Transcript:
    """What was said in this session, each message once, in order?

    `requests` are the rows of one session, in any order; turns come by start, ties by request
    id. A system prompt shows once per thread, and again where it changed. No requests give no
    turns. Never raises: what cannot be read is shown as data, or a note says why it is not.
    """
    session = _Session()
    ordered = sorted(requests, key=lambda request: (request.started_at, request.request_id))
    turns = [session.turn(request) for request in ordered]
    shared = shared_notes([turn.notes for turn in turns])
    return Transcript(tuple(_without(turn, shared) for turn in turns), shared)


def _without(turn: Turn, shared: Sequence[str]) -> Turn:
    if not shared:
        return turn
    return replace(turn, notes=tuple(note for note in turn.notes if note not in shared))


class _Session:
    """What is known of a session after the turns read so far."""

    def __init__(self) -> None:
        self._reader = Reader()
        self._threads = Threads()
        self._requests: list[StoredRequest] = []
        self._index_of: dict[str, int] = {}
        self._tools: dict[str, str] = {}  # call id -> name of the tool

    def turn(self, request: StoredRequest) -> Turn:
        question = _asked(request)
        messages = [self._reader.read(raw) for raw in question.messages]
        answered = _answers(request)
        after = self._after(question)
        place = self._threads.place(messages, _keyed(answered), question.kind, after)
        shown = tuple(self._named(messages[position].message) for position in place.new)
        self._remember(request, answered)
        return Turn(
            request=request,
            parent_id=None if place.parent is None else self._requests[place.parent].request_id,
            branches=place.branches,
            thread=place.thread,
            asked=shown,
            repeated=len(messages) - len(shown),
            answered=answered,
            notes=notes_on(
                request, question, shown, answered, goes_on_elsewhere=isinstance(after, str)
            ),
            settings=settings(question.body, answered),
        )

    def _after(self, question: Asked) -> int | str | None:
        """The earlier request this one says it goes on from, or the id of an absent one."""
        known = (self._index_of.get(link) for link in question.previous_ids)
        absent = question.previous_ids[0] if question.previous_ids else None
        return next((index for index in known if index is not None), absent)

    def _remember(self, request: StoredRequest, answered: Sequence[Message]) -> None:
        index = len(self._requests)
        self._requests.append(request)
        self._index_of[request.request_id] = index
        # A response replayed from LiteLLM's cache keeps its id, its row gets a suffix.
        self._index_of.setdefault(request.request_id.split("_cache_hit")[0], index)
        self._learn_tools(answered)

    def _learn_tools(self, messages: Sequence[Message]) -> None:
        for message in messages:
            for part in message.parts:
                if part.kind == "tool_call" and part.call_id and part.name:
                    self._tools[part.call_id] = part.name

    def _named(self, message: Message) -> Message:
        """Results carry the id of their call only; a person wants the tool's name."""
        self._learn_tools([message])
        if not any(part.kind == "tool_result" and not part.name for part in message.parts):
            return message
        return replace(message, parts=tuple(map(self._named_part, message.parts)))

    def _named_part(self, part: Part) -> Part:
        if part.kind != "tool_result" or part.name:
            return part
        return replace(part, name=self._tools.get(part.call_id or ""))


def _asked(request: StoredRequest) -> Asked:
    try:
        return asked(request)
    except RecursionError:
        return Asked((Message("user", (Part("data", TOO_DEEP),)),), CHAT, {})


def _answers(request: StoredRequest) -> tuple[Message, ...]:
    try:
        return answers(request)
    except RecursionError:
        return (Message("assistant", (Part("data", TOO_DEEP),)),)


def _keyed(answered: Sequence[Message]) -> list[Said]:
    return [said(message, is_answer=True) for message in answered]
