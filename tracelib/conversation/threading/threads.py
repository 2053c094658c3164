"""Which request continues which: the threads of one session, and what each request adds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracelib.conversation.bodies.request_messages import CHAT
from tracelib.conversation.threading.anchors import Located, WordsAt, learn_together
from tracelib.conversation.threading.canonical import RESPONSE_KINDS, Item, Key
from tracelib.conversation.threading.changes import (
    Change,
    Lineages,
    Placement,
    are_one_prompt,
    change_of,
    dropped,
    holds_any,
    merged,
    new_after_summary,
    prompt_changes,
    summaries,
)
from tracelib.conversation.threading.item_tree import ItemTree
from tracelib.conversation.threading.locating import located
from tracelib.conversation.threading.sent import (
    Piece,
    Reply,
    SentHistory,
    by_message,
    repeated_share,
)

MOST_LOOKED_BACK = 100
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class _Request:
    """What later requests need of this one.

    `state` is the node of its response, or of its last message if there was none. `before` is the
    request that it continues. `dropped` counts the messages of the conversation that it does not
    send. `behind` are messages that may be sent after every question.
    """

    state: int
    prompts: tuple[Item, ...]
    thread: int
    before: int | None
    dropped: tuple[int, int] = (0, 0)
    behind: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a request continues: the `parent`, and the last request of the same conversation.

    They differ if the parent only summarised the conversation, under a prompt of its own;
    `summary_at` is the position of the message that holds a summary. `is_apart` if the request has
    another system prompt than that one, or continues none.
    """

    parent: int | None
    request: int | None
    is_apart: bool
    summary_at: int | None = None

    @property
    def before(self) -> int | None:
        """The parent, unless it only summarised the conversation."""
        return self.parent if self.summary_at is None else self.request


class Threads:
    """The threads of a session, built by placing its requests one after another, by start.

    A request continues the earlier one that returned the last known response in its history, or
    else the one whose messages it begins with. A shared system prompt alone connects nothing:
    sub-agents share it too.
    """

    def __init__(self) -> None:
        self._tree = ItemTree()
        self._lineages = Lineages(self._tree)
        self._requests: list[_Request] = []
        self._response_nodes: dict[int, int] = {}  # node -> last request with this response
        self._prompt_nodes: dict[int, int] = {}  # node -> last request whose messages end there
        self._newest: dict[int, int] = {}  # thread -> its last request
        self._has_chat = False
        self._last_start, self._last_end = NOWHERE, NOWHERE  # nodes of the last request

    def place(
        self,
        sent: SentHistory,
        replies: Sequence[Reply],
        kind: str,
        after: int | str | None = None,
        words_at: WordsAt = lambda _: None,
    ) -> Placement:
        """Which place does this request have?

        `after` is what it says it continues: the index of an earlier request, or the ID of a
        missing response. `words_at` returns the text of the message at a position.
        """
        if not sent.messages or sent.is_redacted:
            return self._place_unknown(len(sent.messages), after)
        start = self._start(kind, after, sent.prompt_items)
        begun = (self._last_end, sent.repeated) if self._last_start == start else None
        found = located(self._tree, start, sent.pieces, words_at, begun if sent.repeated else None)
        origin = self._origin(found, sent, after)
        behind = sent.user_messages_behind()
        found = found.without(behind & self._behind(origin.parent))
        fresh = [*self._new_prompts(sent.prompts, origin), *self._new_pieces(found, origin)]
        thread = self._thread(origin)
        node = found.node if found.is_known else start
        place = Placement(
            origin.parent,
            thread,
            self._branches(node, origin, kind),
            by_message(sent.messages, fresh),
            merged(self._changes(found, sent.prompts, origin)),
            repeated_share(sent.size, fresh),
        )
        self._last_start = start
        state = self._remember(found, sent, replies, words_at)
        self._requests.append(
            _Request(state, sent.prompt_items, thread, origin.before, found.dropped, behind)
        )
        self._newest[thread] = len(self._requests) - 1
        self._has_chat = self._has_chat or kind == CHAT
        return place

    def _remember(
        self, found: Located, sent: SentHistory, replies: Sequence[Reply], words_at: WordsAt
    ) -> int:
        """Add what is new to the tree; gives the node where the next request is met."""
        index = len(self._requests)
        self._last_end = self._grow(found, index)
        learn_together(self._tree, self._last_end, sent.pieces, words_at)
        return self._settle(index, self._last_end, replies)

    def messages_known(self) -> int:
        """How many items are remembered, each once per conversation that contains it?"""
        return len(self._tree)

    def _place_unknown(self, count: int, after: int | str | None) -> Placement:
        """The place of a request without a readable prompt: with the one before."""
        index = len(self._requests)
        parent = after if isinstance(after, int) else None
        last = self._requests[-1].thread if self._requests else len(self._newest)
        thread = last if parent is None else self._requests[parent].thread
        state = self._tree.detached(index)
        self._last_start = NOWHERE
        self._requests.append(_Request(state, self._prompts(parent), thread, parent))
        self._newest.setdefault(thread, index)
        return Placement(parent, thread, False, tuple((at, None) for at in range(count)))

    def _start(self, kind: str, after: int | str | None, prompts: tuple[Item, ...]) -> int:
        """The node below which this request's history is searched for first."""
        if isinstance(after, int):
            return self._requests[after].state
        return self._lineages.start((kind, after), prompts)

    def _origin(self, found: Located, sent: SentHistory, after: int | str | None) -> _Origin:
        summed_up = self._summed_up(sent, found)
        if summed_up is not None:
            return summed_up
        if found.is_known:
            known = self._response_nodes.get(found.node, self._prompt_nodes.get(found.node))
            parent = self._tree.request(found.node) if known is None else known
        elif isinstance(after, int):
            parent = after
        else:
            return _Origin(None, None, is_apart=True)
        if isinstance(after, int) or are_one_prompt(self._prompts(parent), sent.prompts):
            return _Origin(parent, parent, is_apart=False)
        before = self._last_under(sent.prompts, parent)  # clients return to an earlier prompt, too
        return _Origin(parent, parent if before is None else before, is_apart=before is None)

    def _summed_up(self, sent: SentHistory, found: Located) -> _Origin | None:
        """Which conversation does a request continue that holds a summary of it, and no response?

        The summary is the response of an earlier request, word for word, in a question or in the
        system prompt, which is otherwise that of the conversation: judges quote responses too.
        """
        continues = found.is_known and self._tree.item(found.node).kind not in ("user", "system")
        if not sent.prompts or continues:
            return None
        for node, holder in summaries(self._tree, (*found.fresh, *sent.prompts)):
            writer = self._response_nodes.get(node)
            request = None if writer is None else self._last_under(sent.prompts, writer)
            before = self._prompts(request)
            is_new = holder.item.kind == "user" or not holds_any(before, node, self._tree)
            if request is not None and is_new:
                return _Origin(writer, request, is_apart=False, summary_at=holder.position)
        return None

    def _new_pieces(self, found: Located, origin: _Origin) -> Sequence[Piece]:
        """The new pieces, without the questions that some clients keep before a summary."""
        if origin.summary_at is None or origin.request is None:
            return found.fresh
        state = self._requests[origin.request].state
        return new_after_summary(self._tree, state, found.fresh, origin.summary_at)

    def _last_under(self, prompts: Sequence[Piece], request: int | None) -> int | None:
        """The last request up to this one that has the same system prompt; of the last 100."""
        for _ in range(MOST_LOOKED_BACK):
            if request is None:
                break
            before = self._prompts(request)
            if before and are_one_prompt(before, prompts):
                return request
            request = self._requests[request].before
        return None

    def _prompts(self, request: int | None) -> tuple[Item, ...]:
        return () if request is None else self._requests[request].prompts

    def _behind(self, request: int | None) -> frozenset[Key]:
        return frozenset() if request is None else self._requests[request].behind

    def _new_prompts(self, prompts: Sequence[Piece], origin: _Origin) -> Sequence[Piece]:
        return prompts if origin.is_apart else prompts[len(self._prompts(origin.request)) :]

    def _thread(self, origin: _Origin) -> int:
        if origin.request is None or origin.is_apart:
            return len(self._newest)
        return self._requests[origin.request].thread

    def _branches(self, node: int, origin: _Origin, kind: str) -> bool:
        """Does it continue anything but the newest state of its thread, or start another one?"""
        if kind != CHAT or origin.summary_at is not None:
            return False
        parent = origin.parent
        if parent is None or origin.is_apart:
            return self._has_chat
        is_newest = self._newest[self._requests[parent].thread] == parent
        is_its_response = self._response_nodes.get(node) == parent
        return not (is_newest and (is_its_response or self._requests[parent].state == node))

    def _changes(
        self, found: Located, prompts: Sequence[Piece], origin: _Origin
    ) -> Iterator[Change]:
        before = self._prompts(origin.request)
        if not origin.is_apart:
            yield from prompt_changes(before, prompts)
        if before and (origin.is_apart or origin.request != origin.before):
            yield Change("other_prompt", "System prompt")
        if origin.summary_at is not None:
            yield Change("summary", "message")
        for piece, before_it, _ in found.restated:
            yield change_of(before_it, piece.item, piece.position)
        for piece, node in found.changed:
            # else it was learned before
            if self._tree.step(self._tree.parent(node), piece.item) != node:
                yield change_of(self._tree.item(node), piece.item, piece.position)
        if origin.parent is None or found.dropped != self._requests[origin.parent].dropped:
            yield from dropped(*found.dropped)
        inserted = found.fresh[: len(found.fresh) - found.tail]
        positions = {one.position for one in inserted if one.item.kind in ("user", "system")}
        if positions:
            yield Change("inserted", "message", len(positions))

    def _grow(self, found: Located, index: int) -> int:
        """Add the new pieces to the tree. Returns the node of the request's last message."""
        for before, item, node in found.steps:
            self._tree.learn(before, item, node)
        for piece, _, known in found.restated:
            self._tree.restate(self._tree.start_of(found.node), piece.item, known)
        node, position = found.node, -1
        for piece in found.fresh:
            begins = piece.position != position
            node = self._tree.add(node, piece.item, index, begins_message=begins)
            position = piece.position
        return node

    def _settle(self, index: int, end: int, replies: Sequence[Reply]) -> int:
        """The node that the next request of this conversation follows, below any response."""
        self._prompt_nodes[end] = index
        readable = (reply for reply in replies if not reply.message.is_redacted)
        states = [self._response(index, end, reply) for reply in readable]
        return states[0] if states else end

    def _response(self, index: int, end: int, reply: Reply) -> int:
        node = end
        for item in reply.message.items:
            node = self._tree.add(node, item, index, begins_message=node == end)
            self._response_nodes[node] = index
        if reply.joined and node != end:
            self._tree.add_spelling(self._before_response(end), reply.joined, node)
        return node

    def _before_response(self, node: int) -> int:
        """The node before the response that this node ends."""
        while not self._tree.is_start(node) and self._tree.item(node).kind in RESPONSE_KINDS:
            node = self._tree.parent(node)
        return node
