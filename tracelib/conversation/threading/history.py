"""The history of a session's requests, read one after another; it keeps no texts."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile

from tracelib.conversation.bodies.chat import message
from tracelib.conversation.bodies.items import Raw
from tracelib.conversation.bodies.messages import Message, Part
from tracelib.conversation.bodies.request_messages import CHAT, RequestMessages, request_messages
from tracelib.conversation.bodies.response_messages import response_messages
from tracelib.conversation.json_values import TOO_DEEP
from tracelib.conversation.requests import StoredRequest, finished_first
from tracelib.conversation.threading.canonical import (
    Canonical,
    Key,
    canonical,
    digest,
    response_text,
    words_alone,
    words_key,
)
from tracelib.conversation.threading.changes import Placement
from tracelib.conversation.threading.sent import Reply, SentHistory
from tracelib.conversation.threading.threads import Threads
from tracelib.selection import RowId


class Reader:
    """Recognises the messages of one session; repeated ones are not read again."""

    def __init__(self) -> None:
        self._read: dict[Key, Canonical] = {}
        self._last: tuple[Key | None, SentHistory] = (None, SentHistory())

    def read_all(self, one: "ReadTurn") -> SentHistory:
        """Read the messages of this request. Those repeated from the last one cost nothing."""
        messages = one.question.messages
        spelling, last = self._last
        count = len(last.messages)
        if spelling is None or _spelling(messages[:count]) != spelling:
            last, count = SentHistory(), 0
        read = last.extended([self._read_at(one, at) for at in range(count, len(messages))])
        self._last = (_spelling(messages), read)
        return read

    def read(self, raw: Raw | Message) -> Canonical:
        """The items of this message."""
        return self._known(raw, lambda: as_message(raw))

    def _read_at(self, one: "ReadTurn", at: int) -> Canonical:
        return self._known(one.question.messages[at], lambda: one.message(at))

    def _known(self, raw: Raw | Message, read: Callable[[], Message]) -> Canonical:
        spelling = _spelling(raw)
        if spelling is None:
            return canonical(read())
        known = self._read.get(spelling)
        if known is None:
            known = self._read[spelling] = canonical(read())
        return known


def as_message(raw: Raw | Message) -> Message:
    """This message; a placeholder if it is nested too deeply."""
    if isinstance(raw, Message):
        return raw
    try:
        return message(raw)
    except RecursionError:
        return Message("user", (Part("data", TOO_DEEP),))


def _spelling(raw: object) -> Key | None:
    """A digest of this JSON. None if it is nested too deeply, or was read already."""
    try:
        return digest(raw)
    except ValueError:
        return None


Moment = tuple[int, bool]  # the index of a request, and whether its response is meant


class CallNames:
    """The names of called tools by call ID, and from which moment each name applies.

    Some servers restart their IDs for every response, so one ID may stand for several tools.
    """

    def __init__(self) -> None:
        self._since: dict[str, list[tuple[Moment, str]]] = {}

    def learn(self, calls: Iterable[tuple[str, str]], moment: Moment) -> None:
        """Add these calls, IDs and names, of this request or its response."""
        for call_id, name in calls:
            known = self._since.setdefault(call_id, [])
            if not known or known[-1][1] != name:
                known.append((moment, name))

    def learn_unknown(self, calls: Iterable[tuple[str, str]], moment: Moment) -> None:
        """As `learn`, but only for IDs that are still unknown."""
        self.learn([call for call in calls if call[0] not in self._since], moment)

    def name(self, call_id: str, index: int) -> str | None:
        """Which tool was called under this ID, as of the request with this index?"""
        known = self._since.get(call_id, [])
        last = bisect_right(known, (index, False), key=lambda since: since[0])
        return known[last - 1][1] if last else None


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """A request with its bodies read: the messages of its prompt and of its response."""

    request: StoredRequest
    question: RequestMessages
    responses: tuple[Message, ...]  # one per choice
    _read: dict[int, Message] = field(default_factory=dict, repr=False, compare=False)

    def message(self, at: int) -> Message:
        """The message at this position of the prompt, read once."""
        if at not in self._read:
            self._read[at] = as_message(self.question.messages[at])
        return self._read[at]


@dataclass(frozen=True, slots=True)
class Placed:
    """The place of a request, and whether it continues a response that is not in the session."""

    place: Placement
    continues_elsewhere: bool


def read_turn(request: StoredRequest) -> ReadTurn:
    """Which messages do the bodies of this turn hold? Placeholders if nested too deeply.

    If its own request lacks them, those of another row of the turn.
    """
    own = _prompt(request)
    others = map(_prompt, request.rest)
    question = own if own.messages else next((one for one in others if one.messages), own)
    responses = next((one for one in map(_responses, finished_first(request)) if one), ())
    return ReadTurn(request, question, responses)


def _prompt(request: StoredRequest) -> RequestMessages:
    try:
        return request_messages(request)
    except RecursionError:
        return RequestMessages((Message("user", (Part("data", TOO_DEEP),)),), CHAT, {})


def _responses(request: StoredRequest) -> tuple[Message, ...]:
    try:
        return response_messages(request)
    except RecursionError:
        return (Message("assistant", (Part("data", TOO_DEEP),)),)


class History:
    """Requests one after another, by start; of each only what later ones need.

    That is about a kilobyte per message, however long it is and however often it was sent.
    """

    def __init__(self) -> None:
        self._reader = Reader()
        self._threads = Threads()
        self._rows: list[RowId] = []
        self._placements: list[Placed] = []
        self._index_of: dict[str, int] = {}
        self._newest_in: dict[str, int] = {}  # of the conversations that a provider stores
        self._names = CallNames()

    def __len__(self) -> int:
        return len(self._rows)

    def messages_known(self) -> int:
        """How many messages are remembered?"""
        return self._threads.messages_known()

    def add(self, one: ReadTurn) -> int:
        """Placement this request after those before it. Returns its index."""
        index = len(self)
        sent = self._reader.read_all(one)
        messages = sent.messages
        replies = _replies(one, messages)
        after = self._after(one.question)
        place = self._threads.place(
            sent,
            replies,
            one.question.kind,
            after,
            lambda at: words_alone(one.message(at)),
        )
        self._placements.append(Placed(place, isinstance(after, str)))
        self._rows.append(one.request.row)
        if one.question.conversation_id:
            self._newest_in[one.question.conversation_id] = index
        for row in one.request.rows:
            self._index_of[row.request_id] = index
            # A response from LiteLLM's cache keeps its ID, its row gets a suffix.
            self._index_of.setdefault(row.request_id.split("_cache_hit")[0], index)
        for position, _ in place.fresh:
            self._names.learn(messages[position].calls, (index, False))
        # Some clients give known calls their own IDs.
        self._names.learn_unknown(sent.calls_not_repeated(), (index, False))
        for reply in replies:
            self._names.learn(reply.message.calls, (index, True))
        return index

    def add_only(self, one: ReadTurn) -> int:
        """Place the only request of a conversation, which takes no comparison. Returns its index.

        As `add` places it in an empty history; no other may be added.
        """
        count = len(one.question.messages)
        is_redacted = any(p.is_redacted for at in range(count) for p in one.message(at).parts)
        left_out = () if is_redacted else frozenset(filter(partial(_is_hollow, one), range(count)))
        fresh = tuple((at, None) for at in range(count) if at not in left_out)
        place = Placement(None, 0, starts_line=False, fresh=fresh)
        self._placements.append(Placed(place, isinstance(self._after(one.question), str)))
        self._rows.append(one.request.row)
        return 0

    def placed(self, index: int) -> Placed:
        """Which place does the request with this index have?"""
        return self._placements[index]

    def row(self, index: int) -> RowId:
        """Which request has this index?"""
        return self._rows[index]

    def tool_name(self, call_id: str, index: int) -> str | None:
        """Which tool was called under this ID, as of the request with this index?"""
        return self._names.name(call_id, index)

    def _after(self, question: RequestMessages) -> int | str | None:
        """The earlier request that this one says it continues, or the ID of a missing one."""
        links = question.previous_ids
        known = [self._index_of.get(link) for link in links]
        if question.conversation_id and not links:
            known.append(self._newest_in.get(question.conversation_id))
        return next((one for one in known if one is not None), links[0] if links else None)


def _is_hollow(one: ReadTurn, at: int) -> bool:
    """Is this an empty message before the calls of the same response, in a message of their own?"""
    empty = one.message(at)
    if empty.role != "assistant" or any(part.text for part in empty.parts):
        return False
    after = at + 1
    if after == len(one.question.messages):
        return False
    (first, *_), (second, *_) = (canonical(one.message(where)).items for where in (at, after))
    return first.is_empty and second.kind == "call"


def _replies(one: ReadTurn, messages: Sequence[Canonical]) -> list[Reply]:
    """The responses; each completes the response at the end of the request, if there is one."""
    begun = takewhile(lambda at: messages[at].role == "assistant", range(len(messages) - 1, -1, -1))
    before = "".join(response_text(one.message(at)) for at in [*begun][::-1])
    return [
        Reply(
            canonical(message, is_response=True),
            words_key(before + response_text(message)) if before else None,
        )
        for message in one.responses
    ]
