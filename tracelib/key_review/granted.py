"""What a key may use, compared with what it used: models, MCP servers and their tools."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Select, column, select, table
from sqlalchemy.types import DateTime, Text

from tracelib.filters import Filters
from tracelib.key_review.readable import SERVERS
from tracelib.source import Postgres

TOOLS = "LiteLLM_SpendLogToolIndex"
OF_TEAM = "all-team-models"
# They grant everything, or nothing by name.
UNNAMED = (OF_TEAM, "all-proxy-models", "no-default-models", "*")
MOST_CALLS = 100_000
MOST_SERVERS = 2_000
NAMES_SHOWN = 5


def unused_models(
    granted: Iterable[str] | None, of_team: Iterable[str] | None, used: Iterable[str]
) -> tuple[list[str], int]:
    """Which of the granted models were not used, and how many are granted by name?

    A key without a list may use all models of its team or the proxy: none is granted by name. A
    name with `*` is used if a used model matches it.

    >>> unused_models(["gpt-4o", "openai/*", "all-proxy-models"], None, ["openai/o3"])
    (['gpt-4o'], 2)
    """
    own = set(granted or ())
    named = own | set(of_team or ()) if OF_TEAM in own else own
    named -= {*UNNAMED, ""}
    plain = set(used) | {model.rpartition("/")[2] for model in used}
    return sorted(one for one in named if not _is_used(one, plain)), len(named)


def _is_used(model: str, used: set[str]) -> bool:
    if "*" in model:
        return any(fnmatchcase(one, model) for one in used)
    return model in used or model.rpartition("/")[2] in used


def unused_tools(
    servers: Iterable[str] | None,
    tools: object,
    names: Mapping[str, tuple[str, ...]],
    used: Iterable[str],
) -> tuple[list[str], int]:
    """Which granted MCP servers and tools were not used, and how many can be compared?

    `names` are the names of each server's ID; a server without any cannot be compared, because the
    log names servers. Tools are granted as JSON, by server; any other shape grants none.

    >>> names = {"s1": ("geo",), "s2": ("kv",)}
    >>> unused_tools(["s1", "s2"], {"s2": ["put", "get"]}, names, ["kv/get"])
    (['geo', 'kv/put'], 3)
    """
    by_server = tools if isinstance(tools, dict) else {}
    calls = set(used)
    unused, compared = [], 0
    for server in sorted({*(servers or ()), *map(str, by_server)}):
        if not (known := names.get(server)):
            continue
        listed = by_server.get(server)
        named = [str(one) for one in listed] if isinstance(listed, list) else []
        ways = {one: _calls_of(known, one) for one in named} or {"": _calls_of(known, "")}
        compared += len(ways)
        for tool, prefixes in sorted(ways.items()):
            if not any(_matches(call, prefix, bool(tool)) for call in calls for prefix in prefixes):
                unused.append(f"{known[0]}/{tool}" if tool else known[0])
    return unused, compared


def _calls_of(names: tuple[str, ...], tool: str) -> tuple[str, ...]:
    """As what is a call of this tool logged? With either separator, which versions differ in."""
    return tuple(f"{name}{separator}{tool}" for name in names for separator in "/-")


def _matches(call: str, expected: str, is_whole: bool) -> bool:
    return call == expected if is_whole else call.startswith(expected)


def server_names(source: Postgres) -> dict[str, tuple[str, ...]]:
    """What are the names of each MCP server, by its ID? Empty if they may not be read."""
    readable = [
        one for one in ("server_name", "alias") if source.schema.reads(SERVERS, "server_id", one)
    ]
    if not readable:
        return {}
    columns = [column(one, Text()) for one in ("server_id", *readable)]
    servers = table(SERVERS, *columns, schema=source.schema.name)
    rows = source.rows(select(*servers.c).order_by(servers.c.server_id).limit(MOST_SERVERS))
    found: dict[str, tuple[str, ...]]
    found = {row[0]: tuple(dict.fromkeys(filter(None, row[1:]))) for row in rows}
    return {server: known for server, known in found.items() if known}


def called_tools(source: Postgres, filters: Filters) -> dict[str, set[str]]:
    """Which tools did the requests of each key call, by LiteLLM's index of tools?

    By the key as it is stored. Empty if the index may not be read.
    """
    if not source.schema.reads(TOOLS, "request_id", "tool_name", "start_time"):
        return {}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in source.rows(_called(source, filters)):
        found[row.key_group].add(row.tool_name)
    return dict(found)


def _called(source: Postgres, filters: Filters) -> Select[Any]:
    requests = source.requests(filters)
    index = table(
        TOOLS,
        column("request_id", Text()),
        column("tool_name", Text()),
        column("start_time", DateTime()),
        schema=source.schema.name,
    )
    pairs = (requests.c.key_group, index.c.tool_name)
    return (
        select(*pairs)
        .select_from(index.join(requests, requests.c.request_id == index.c.request_id))
        .group_by(*pairs)
        .order_by(*pairs)
        .limit(MOST_CALLS)
    )


def in_words(names: list[str], of: int, what: str) -> str:
    """The unused names in a sentence.

    >>> in_words(["a", "b"], 3, "models")
    '2 of 3 models: a, b.'
    """
    shown = ", ".join(names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{len(names)} of {of} {what}: {shown}{more}."
