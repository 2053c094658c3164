"""Many kinds of requests, of several keys, teams, users, customers and tags."""

from collections.abc import Callable, Iterator, Sequence

from tests.live import vendor
from tests.live.answers import Json
from tests.live.client import CHAT, EMBEDDINGS, MESSAGES, RESPONSES, Request
from tests.live.proxy import Proxy
from tests.live.words import system, user

TEAMS = {"team-red": "Red team", "team-blue": "Blue team"}
MEMBERS = {"alice": "team-red", "bob": "team-blue", "carol": None}
TAGS = ("prod", "checkout", "batch")
CUSTOMERS = ("customer-1", "customer-2")
KEYS: dict[str, Json] = {
    "alice-key": {"user_id": "alice", "team_id": "team-red"},
    "bob-key": {"user_id": "bob", "team_id": "team-blue"},
    "carol-key": {"user_id": "carol"},
    "service-key": {},
    "red-service-key": {"team_id": "team-red", "metadata": {"tags": ["batch"]}},
    "spent-key": {"user_id": "carol", "max_budget": 1e-9},
}
UNKNOWN_KEY = "sk-of-nobody"


def make_entities(proxy: Proxy) -> dict[str, str]:
    """Make teams, users, tags, customers and keys as an administrator does; the keys by alias."""
    for team, alias in TEAMS.items():
        proxy.make("/team/new", team_id=team, team_alias=alias)
    for name, team in MEMBERS.items():
        email = f"{name}@example.com"
        proxy.make("/user/new", user_id=name, user_email=email, auto_create_key=False)
        if team:
            member = {"role": "user", "user_id": name}
            proxy.make("/team/member_add", team_id=team, member=member)
    for tag in TAGS:
        proxy.make("/tag/new", name=tag, models=[])
    for customer in CUSTOMERS:
        proxy.make("/customer/new", user_id=customer)
    return {
        alias: proxy.make("/key/generate", key_alias=alias, **about)["key"]
        for alias, about in KEYS.items()
    }


SYSTEM = system("You are a terse assistant.")
TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}


def chat(model: str, text: str, *, is_terse: bool = False, **more: object) -> tuple[str, Json]:
    """A chat completion that asks one thing."""
    return CHAT, {"model": model, "messages": [SYSTEM] * is_terse + [user(text)], **more}


def messages(model: str, text: str, **more: object) -> tuple[str, Json]:
    """The same of Anthropic's API."""
    return MESSAGES, {"model": model, "max_tokens": 500, "messages": [user(text)], **more}


def response(model: str, text: str, **more: object) -> tuple[str, Json]:
    """The same of the Responses API."""
    return RESPONSES, {"model": model, "input": text, **more}


KINDS: dict[str, Callable[[str], tuple[str, Json]]] = {
    "chat": lambda text: chat("gpt-4o", text, is_terse=True),
    "chat of a cheaper model": lambda text: chat("gpt-4o-mini", text),
    "chat of another vendor": lambda text: chat("claude", text, is_terse=True),
    "stream": lambda text: chat("gpt-4o", text, stream=True),
    "stream of another vendor": lambda text: chat("claude-haiku", text, stream=True),
    "tools": lambda text: chat("gpt-4o", text, tools=[{"type": "function", "function": TOOL}]),
    "messages": lambda text: messages("claude", text),
    "messages, streamed": lambda text: messages("claude-haiku", text, stream=True),
    "messages with tools": lambda text: messages("claude", text, tools=[SCHEMA]),
    "responses": lambda text: response("gpt-4o-mini", text),
    "responses, streamed": lambda text: response("gpt-4o", text, stream=True),
    "embeddings": lambda text: (EMBEDDINGS, {"model": "embed", "input": [text, f"{text} Or so?"]}),
    "prompt cached by the vendor": lambda text: chat(
        "gpt-4o", vendor.CACHED_PREFIX + 4_400 * "x" + text
    ),
    "no price": lambda text: chat("local-llama", text),
    "fallback": lambda text: chat("primary", text),
    "refused key of the vendor": lambda text: chat("bad-auth", text),
    "rate limit": lambda text: chat("rate-limited", text),
    "broken vendor": lambda text: chat("server-error", text),
    "broken vendor of a stream": lambda text: chat("server-error", text, stream=True),
    "prompt too long": lambda text: chat("too-long", text),
    "too slow": lambda text: chat("slow", text),
    "unknown model": lambda text: chat("no-such-model", text),
    "stream that breaks off": lambda text: chat("breaks-off", text + " and" * 9, stream=True),
    "messages of a broken vendor": lambda text: messages("server-error", text),
}
"""How a request of each kind asks for what a text says."""

SENDERS = ("alice-key", "bob-key", "carol-key", "service-key", "red-service-key", "master")


def mixed(rounds: int) -> Iterator[Request]:
    """So many requests of each kind, each asking something else, of one key after the other.

    Of the chat completions a third is tagged and a fifth names a customer. Half of all are in
    sessions: one for each key and round.
    """
    asked = [(number, kind) for number in range(rounds) for kind in KINDS]
    for index, (number, kind) in enumerate(asked):
        key = SENDERS[(index + number) % len(SENDERS)]
        path, body = KINDS[kind](f"Question {index}: {kind}?")
        if index % 3 == 0 and path == CHAT:
            body["metadata"] = {"tags": [TAGS[index % 2], "of no list"]}
        if index % 5 == 0 and path == CHAT:
            body["user"] = ("customer-1", "customer-2", "customer-new")[index % 3]
        is_in_session = (index // 3 + number) % 2
        yield Request(path, body, key, f"round {number} of {key}" if is_in_session else None)


def shared() -> Sequence[Request]:
    """Two requests of two keys whose clients chose the same session id."""
    return [
        Request(*chat("gpt-4o", f"Who else says shared, {key}?"), key, "shared")
        for key in ("alice-key", "bob-key")
    ]


def cached(times: int) -> Sequence[Request]:
    """One question so many times: the proxy answers it from its cache after the first."""
    asked = {"cache": {"use-cache": True}}
    requests = [chat("gpt-4o", "Is this cached?", stream=n % 3 == 2, **asked) for n in range(times)]
    return [Request(path, body, "alice-key") for path, body in requests]


def refused(times: int) -> Sequence[Request]:
    """Requests of a key that is unknown, and of one that has spent its budget after the first."""
    path, body = chat("gpt-4o", "May I?")
    spending = [
        Request(*chat("gpt-4o-mini", f"Is there money left for {n}?"), "spent-key")
        for n in range(times)
    ]
    return [Request(path, body, UNKNOWN_KEY)] * times + spending
