"""All conversations of a session as one tree of items, each stored once."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from tracelib.conversation.threading.canonical import RESPONSE_KINDS, Item, Key, digest

# Short responses ("ok") are frequent; only this many, the newest, are tried.
MOST_ALIKE = 20
ROOT = -1


class ItemTree:
    """Items as children of the items they followed. A step to a child takes one look-up.

    A node has a `depth`, counted in items from its start, and an `ordinal`, counted in messages.
    """

    def __init__(self) -> None:
        self._classes: dict[Key, int] = {}
        self._children: dict[tuple[int, int], int] = {}
        self._newest_child: dict[int, int] = {}
        self._responses: dict[int, list[int]] = {}  # class -> nodes of responses
        self._reminders: dict[tuple[int, int], Item] = {}  # (start, class) -> the newest
        self._newest_responses: deque[int] = deque(maxlen=MOST_ALIKE)
        self._parent: list[int] = []
        self._item: list[Item | None] = []
        self._request: list[int] = []
        self._depth: list[int] = []
        self._ordinal: list[int] = []
        self._start: list[int] = []

    def __len__(self) -> int:
        return len(self._parent)

    def start(self, name: object) -> int:
        """The node from which all conversations of this name start."""
        known = self._class_of((digest(("start", name)),))
        node = self._children.get((ROOT, known))
        if node is None:
            node = self.detached(-1)
            self._children[ROOT, known] = node
        return node

    def detached(self, request: int) -> int:
        """A node that no walk reaches."""
        return self._new(ROOT, None, request, begins_message=False)

    def add(self, parent: int, item: Item, request: int, *, begins_message: bool) -> int:
        """The node of this item below `parent`, created if it does not exist."""
        node = self.step(parent, item)
        if node is None:
            node = self._new(parent, item, request, begins_message=begins_message)
        self.learn(parent, item, node)
        self._newest_child[parent] = node
        if item.kind == "system":
            self.remind(self._start[node], item)
        if item.kind in RESPONSE_KINDS:
            alike = self._responses.setdefault(self._class_of(item.keys), [])
            if node not in alike:
                alike.append(node)
                self._newest_responses.append(node)
        return node

    def learn(self, parent: int, item: Item, node: int) -> None:
        """Let this item lead from `parent` to `node`, in each of its spellings."""
        self._class_of(item.keys)
        for key in item.keys:
            self._children.setdefault((parent, self._classes[key]), node)

    def step(self, node: int, item: Item) -> int | None:
        """The node below this one that has the item; None if there is none."""
        for key in (*item.keys, *item.extra_keys):
            known = self._classes.get(key)
            child = None if known is None else self._children.get((node, known))
            if child is not None:
                return child
        return None

    def responses_like(self, item: Item) -> Sequence[int]:
        """The nodes of responses with this item, oldest first, at most 20."""
        known = (self._classes.get(key) for key in item.keys)
        found = (self._responses.get(one) for one in known if one is not None)
        return next((nodes[-MOST_ALIKE:] for nodes in found if nodes), ())

    def newest_responses(self) -> Iterator[int]:
        """The nodes of the last responses, newest first, at most 20."""
        return reversed(self._newest_responses)

    def question_of(self, node: int) -> Item | None:
        """The last question before this node; None if there is none."""
        while not self.is_start(node):
            item = self.item(node)
            if item.kind == "user":
                return item
            node = self._parent[node]
        return None

    def is_same(self, node: int, item: Item) -> bool:
        """Does this node have the item, in any spelling?"""
        own = self._item[node]
        if own is None:
            return False
        known = {self._classes[key] for key in own.keys}
        found = (self._classes.get(key) for key in (*item.keys, *item.extra_keys))
        return any(one in known for one in found)

    def add_spelling(self, parent: int, key: Key, node: int) -> None:
        """Let a response with this key lead from `parent` to `node`, skipping the nodes between."""
        known = self._class_of((key,))
        self._children.setdefault((parent, known), node)
        self._responses.setdefault(known, []).append(node)

    def parent(self, node: int) -> int:
        """The node above this one; ROOT above a start."""
        return self._parent[node]

    def item(self, node: int) -> Item:
        """The item of a node that is not a start."""
        item = self._item[node]
        if item is None:
            raise LookupError("a start has no item")
        return item

    def is_start(self, node: int) -> bool:
        """Is this a start, which has no item?"""
        return self._item[node] is None

    def request(self, node: int) -> int:
        """The request that first brought this item."""
        return self._request[node]

    def depth(self, node: int) -> int:
        """How many items are between this node's start and it, including itself?"""
        return self._depth[node]

    def ordinal(self, node: int) -> int:
        """How many messages are between this node's start and it, including its own?"""
        return self._ordinal[node]

    def is_known(self, item: Item) -> bool:
        """Did this item occur before, anywhere?"""
        return any(key in self._classes for key in (*item.keys, *item.extra_keys))

    def remind(self, start: int, item: Item) -> None:
        """Remember that this system message was sent below this start, at any position."""
        self._reminders[start, self._class_of(item.keys)] = item

    def restate(self, start: int, item: Item, node: int | None) -> None:
        """Remember the newest text of a system message, at its node if it has one."""
        self.remind(start, item)
        if node is not None:
            self._item[node] = item

    def reminder(self, start: int, item: Item) -> Item | None:
        """The last version of this system message below this start; None if it was not sent."""
        known = (self._classes.get(key) for key in item.keys if item.kind == "system")
        found = (self._reminders.get((start, one)) for one in known if one is not None)
        return next((one for one in found if one is not None), None)

    def is_above(self, one: int, node: int) -> bool:
        """Is this one on the path from the start to `node`?"""
        while self._depth[node] > self._depth[one]:
            node = self._parent[node]
        return node == one

    def above(self, node: int, stop: int, limit: int | None = None) -> list[int]:
        """The nodes from below `stop` down to this one, the nearest `limit` of them."""
        found: list[int] = []
        while node != stop and not self.is_start(node) and len(found) != limit:
            found.append(node)
            node = self._parent[node]
        return found[::-1]

    def below(self, node: int, limit: int) -> list[int]:
        """The nodes that last followed this one, at most `limit`."""
        found: list[int] = []
        while (child := self._newest_child.get(node)) is not None and len(found) < limit:
            found.append(child)
            node = child
        return found

    def rest_of_step(self, node: int) -> list[int]:
        """The nodes after this one that are of the same message, and the results of its calls."""
        found: list[int] = []
        while (child := self._newest_child.get(node)) is not None:
            is_result = self.item(child).kind == "result"
            if self._ordinal[child] != self._ordinal[node] and not is_result:
                break
            found.append(child)
            node = child
        return found

    def message_of(self, node: int) -> Iterator[int]:
        """The nodes up to this one that are of the same message, backwards."""
        ordinal = self._ordinal[node]
        while not self.is_start(node) and self._ordinal[node] == ordinal:
            yield node
            node = self._parent[node]

    def without_response(self, node: int) -> int | None:
        """The question that last followed this node, if nothing followed it."""
        child = self._newest_child.get(node)
        if child is None or child in self._newest_child or self.item(child).kind != "user":
            return None
        return child

    def is_newest(self, node: int) -> bool:
        """Does nothing follow the message of this node?"""
        child = self._newest_child.get(node)
        while child is not None and self._ordinal[child] == self._ordinal[node]:
            child = self._newest_child.get(child)
        return child is None

    def start_of(self, node: int) -> int:
        """The start above this node."""
        return self._start[node]

    def _class_of(self, keys: Iterable[Key]) -> int:
        """The number of these keys, which belong to one item."""
        keys = tuple(keys)
        known = next((self._classes[key] for key in keys if key in self._classes), None)
        found = len(self._classes) if known is None else known
        for key in keys:
            self._classes.setdefault(key, found)
        return found

    def _new(self, parent: int, item: Item | None, request: int, *, begins_message: bool) -> int:
        self._parent.append(parent)
        self._item.append(item)
        self._request.append(request)
        above = parent != ROOT
        self._start.append(self._start[parent] if above else len(self._parent) - 1)
        self._depth.append(self._depth[parent] + 1 if above else 0)
        self._ordinal.append(self._ordinal[parent] + begins_message if above else 0)
        return len(self._parent) - 1
