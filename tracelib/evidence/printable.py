"""The evidence of a range as a page to print, from the same file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracelib.formatting import exact

TEMPLATE = "printable.html"
COUNTS = {
    "requests": "Requests",
    "failures": "Failures",
    "hashed_requests": "Requests with a hash",
    "with_prompt": "With a stored prompt",
    "with_response": "With a stored response",
    "without_key": "Without a key",
    "unresolved_requests": "With a key in no table",
    "refused_before_logging_at_least": "Refused before logging, at least",
    "in_daily_totals_only_at_least": "In daily totals only, at least",
}


def printable(signed_off: bytes) -> bytes:
    """The page of a signed-off file, with its hashes, as HTML in UTF-8.

    All text is escaped, and a policy in the page keeps it from loading anything.
    """
    made = json.loads(signed_off)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        made=made, facts=list(_facts(made)), counts=list(_counts(made["counts"]))
    )
    return page.encode("utf-8", "backslashreplace")


def _facts(made: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    start, end = made["range"]["start"], made["range"]["end"]
    yield "Range", f"{start} up to, but not including, {end}"
    yield "Made at", made["made"]["at"]
    yield "Made by", f"{made['made']['by'] or 'not signed in'}, {made['made']['role']}"
    scope = made["scope"]
    yield "Scope", "all requests" if scope.get("all") else _ids(scope)
    yield "Filters", _ids(made["filters"]) or "none"


def _ids(chosen: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(ids)}" for name, ids in chosen.items() if ids)


def _counts(counts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, title in COUNTS.items():
        yield title, "unknown" if counts[name] is None else exact(counts[name])
