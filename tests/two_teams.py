"""Two teams in one log, entangled: everything that one writes carries its mark.

They share a key, a session id and prompts, and each goes on from what the other said, so that
whatever joins requests would join those of both if it saw them.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from tests.page_words import nodes
from tests.planted_keys import insert
from tests.rows import NOON, failure, key_of, metadata, name_key, name_team, name_user, spend_log
from tracelib.selection import Selection

AMBER, BASALT = "amber", "basalt"
SAID = "whisper"
SHARED_KEY = key_of("shared")
SECOND = timedelta(seconds=1)
BY = {"created_by": "a", "updated_by": "a"}
# When it was asked, how long an answer took, and what a search makes of that.
TIMED = {"seconds", "chunk", "server_time"}


def other_than(mark: str) -> str:
    return BASALT if mark == AMBER else AMBER


def selection(mark: str, *sessions: str) -> Selection:
    return Selection(SHARED_KEY, tuple(f"{mark}-{one}" for one in sessions))


def rows_of(mark: str) -> list[dict]:
    """Each shape of request that a question looks for: retried, chained, stitched, shared."""
    return [
        *_conversation(mark),
        *_retried(mark),
        *_chained(mark),
        *_stored_alone(mark),
        _row(mark, "in-shared", 9, session_id="shared", **_said(f"{mark} {SAID}")),
        _row(mark, "own-key", 30, api_key=key_of(mark)),
    ]


def name(engine: sa.Engine) -> None:
    """What LiteLLM's other tables call the two."""
    for mark in (AMBER, BASALT):
        name_team(engine, mark, f"{mark} team alias")
        name_user(engine, mark, f"{mark} user alias", f"{mark}@example.com")
    name_key(engine, SHARED_KEY, "the key of both")


def own_keys(engine: sa.Engine, *marks: str) -> None:
    """A key, a budget and an end user of its own for each of these teams."""
    for mark in marks:
        own = {"token": key_of(mark), "key_alias": f"{mark} key", "team_id": mark, "spend": 0}
        insert(engine, "LiteLLM_VerificationToken", **own, created_at=NOON - timedelta(days=30))
        # What its member may spend, and a name of its own end user.
        insert(engine, "LiteLLM_BudgetTable", budget_id=mark, max_budget=5.0, **BY)
        member = {"user_id": mark, "team_id": mark, "spend": 1.0, "budget_id": mark}
        insert(engine, "LiteLLM_TeamMembership", **member)
        insert(engine, "LiteLLM_EndUserTable", user_id=f"{mark} end user", alias=f"{mark} alias")


def text_of(answer: Any) -> str:
    """All that an answer holds, however deep, in one text, but for how long it took."""
    if isinstance(answer, pd.DataFrame):
        return str(answer.to_csv())
    if isinstance(answer, dict):
        return " ".join(text_of(part) for pair in answer.items() for part in pair)
    if isinstance(answer, list | tuple | set | frozenset | Iterator):
        return " ".join(map(text_of, answer))
    if hasattr(answer, "__dataclass_fields__"):
        known = answer.__dataclass_fields__.keys() - TIMED
        return " ".join(text_of(getattr(answer, name)) for name in sorted(known))
    return str(answer)


def text_of_page(app: AppTest) -> str:
    """All that a page sends to the browser."""
    return " ".join(_sent(app))


def _sent(app: AppTest) -> Iterator[str]:
    for block in (app.main, app.sidebar):
        for node in nodes(block):
            yield str(getattr(node, "proto", ""))
            if node.type in ("dataframe", "arrow_data_frame"):
                yield str(node.value.to_csv())


def _row(mark: str, name: str, at: float, **changes: Any) -> dict:
    facts = {
        "request_id": f"{mark}-{name}",
        "session_id": f"{mark}-{name}",
        "litellm_call_id": f"{mark}-call-{name}",
        "startTime": NOON + at * SECOND,
        "api_key": SHARED_KEY,
        "team_id": mark,
        "user": mark,
        "end_user": f"{mark} end user",
        "organization_id": f"{mark} organization",
        "agent_id": f"{mark} agent",
        "model_group": f"{mark} model",
        "model_id": f"{mark} deployment",
        "custom_llm_provider": f"{mark} provider",
        "api_base": f"https://{mark}.example.com",
        "mcp_namespaced_tool_name": f"{mark}/tool",
        "request_tags": [f"{mark} tag"],
        "spend": 0.25 if mark == AMBER else 16.0,
        "prompt_tokens": 10 if mark == AMBER else 1_000,
        "metadata": _metadata(mark),
    }
    return spend_log(**(facts | changes))


def _metadata(mark: str, **changes: Any) -> dict:
    noted = {"note": f"{mark} note"}
    alias = {"user_api_key_alias": f"{mark} alias", "user_api_key_team_alias": f"{mark} team"}
    return metadata(spend_logs_metadata=noted, **alias, **changes)


def _said(text: str, *before: dict, answer: str | None = None) -> dict:
    messages = [*before, {"role": "user", "content": text}]
    message = {"role": "assistant", "content": answer or f"{text} answered"}
    return {
        "proxy_server_request": {"messages": messages, "user": text},
        "response": {"choices": [{"message": message}]},
        "messages": messages,
    }


def _conversation(mark: str) -> list[dict]:
    call = {"id": "c", "function": {"name": f"{mark}_tool", "arguments": f'{{"a": "{SAID}"}}'}}
    first = {"role": "user", "content": f"{mark} {SAID}"}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c", "content": f"{mark} {SAID} result"}
    asked = {"messages": [first]}
    session = {"session_id": f"{mark}-talk"}
    answered = {"choices": [{"message": calling}]}
    return [
        _row(mark, "talk", 1, proxy_server_request=asked, response=answered, **session),
        _row(mark, "talk-2", 2, **_said(f"{mark} {SAID}", first, calling, result), **session),
    ]


def _retried(mark: str) -> list[dict]:
    """The same prompt from both teams, of the same key at the same moment."""
    error = {"error_class": f"{mark}Error", "error_code": mark, "error_message": f"{mark} broke"}
    failed = {"status": "failure", "metadata": _metadata(mark, error_information=error)}
    said = _said(f"the same {SAID}")
    lost = failure(**_row(mark, "lost", 4, **said) | failed | {"response": {}})
    return [lost, _row(mark, "again", 6, cache_hit="True", **said)]


def _chained(mark: str) -> list[dict]:
    """Each goes on from a response of its own, and then from one of the other's."""
    other = other_than(mark)

    def turn(name: str, at: float, after: str | None) -> dict:
        body = {"input": SAID} | ({"previous_response_id": after} if after else {})
        call = {"call_type": "aresponses", "proxy_server_request": body}
        return _row(mark, name, at, **call)

    return [
        turn("chain-1", 20, None),
        turn("chain-2", 21, f"{mark}-chain-1"),
        turn("chain-3", 22, f"{other}-chain-1"),
    ]


def _stored_alone(mark: str) -> list[dict]:
    """A conversation without session ids that the two have in turns."""
    said: list[dict] = []
    turns = []
    for number in range(4):
        whose = (AMBER, BASALT)[number % 2]
        facts = _said(f"{SAID} {number}", *said, answer=f"{SAID} answer {number}")
        said = [
            *facts["proxy_server_request"]["messages"],
            {"role": "assistant", "content": f"{SAID} answer {number}"},
        ]
        if whose == mark:
            facts["session_id"] = f"{mark}-alone-{number}"
            turns.append(_row(mark, f"alone-{number}", 40 + number, **facts))
    return turns
