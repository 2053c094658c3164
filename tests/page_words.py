"""What a page says, read off a run of AppTest."""

import html
import re
from collections.abc import Iterator
from typing import Any

from streamlit.testing.v1 import AppTest

KINDS = (
    *("error", "warning", "info", "caption", "markdown"),
    *("text", "header", "subheader", "code"),
)
WORD_JOINER = "\u2060"
MARKUP = re.compile(r"\*\*|:material/\w+:")
COLOURED = re.compile(r":red\[(.*)\]$")


def words(app: AppTest) -> str:
    """All that a page says, in one text."""
    return "\n".join(element.value for kind in KINDS for element in getattr(app, kind))


def figures(app: AppTest) -> dict[str, str]:
    """The figures of a page by their titles."""
    return {metric.label: metric.value for metric in app.metric}


def plain(text: str) -> str:
    """What a reader sees of a label: entities as the signs they stand for, no bold, no colour."""
    bare = MARKUP.sub("", html.unescape(text).replace(WORD_JOINER, ""))
    return COLOURED.sub(r"\1", bare).strip()


def told(app: AppTest, side: str = "") -> str:
    """The conversation on a session's page in few words, a block for each request:

        --- Branches off request 2, 2 messages from above not repeated
        Tool · 08:50:05 / `FAILED test_parser.py …` / +Show all (text, 2.1 kB)
        Assistant · 08:50:06 / Calls run_tests / `{}` | Result of run_tests / `ok`
        Request 3: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s [What changed]

    `…` is code, +… what is folded, | stands between a call and its result.
    """
    return "\n\n".join("\n".join(_lines(turn)) for turn in turns(app, side).values())


def turns(app: AppTest, side: str = "") -> dict[str, Any]:
    """The blocks of the requests on a session's page, by their keys."""
    keyed = {key: node for node in nodes(app.main) if (key := _key(node))}
    return {key: node for key, node in keyed.items() if key.startswith(f"{side}turn-")}


def nodes(node: Any) -> Iterator[Any]:
    """This block of a page and all that is within it, in its order."""
    yield node
    for child in getattr(node, "children", {}).values():
        yield from nodes(child)


def _key(block: Any) -> str:
    """The key of a block, empty where it has none."""
    _, _, key = getattr(block.proto, "id", "").removeprefix("$$ID-").partition("-")
    return key


def _lines(turn: Any) -> Iterator[str]:
    for child in turn.children.values():
        if child.type == "caption":
            is_thread = child.value.startswith(":material/fork_right:")
            said = plain(child.value)
            yield f"--- {said}" if is_thread else f"note: {_few(said)}"
        elif child.type != "divider":
            yield _said(child)


def _said(node: Any) -> str:
    if node.type == "caption":
        return plain(node.value)
    if node.type in ("text", "markdown"):
        return _few(node.value)
    if node.type == "code":
        return f"`{_few(node.value)}`"
    if node.type == "button":
        return f"[{node.label}]"
    if node.type == "expander":
        return f"+{plain(node.label)}"
    children = list(node.children.values())
    joint = " | " if all(child.type == "column" for child in children) else " / "
    return joint.join(map(_said, children))


def _few(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= 60 else f"{said[:60].rstrip()} …"
