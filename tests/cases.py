"""Rows like those that were reported from real installations, by the name of what they show."""

import json

from tests.rows import DATA, spend_log

FILE = "litellm_cases.jsonl"
EMPTY = {
    **dict.fromkeys(("call_type", "api_key", "model", "model_group", "custom_llm_provider"), ""),
    **dict.fromkeys(("user", "team_id", "end_user", "model_id", "api_base", "cache_hit"), ""),
    **{name: {} for name in ("metadata", "messages", "response", "proxy_server_request")},
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "spend"), 0),
    "request_tags": [],
    "litellm_call_id": None,
}
JSON_COLUMNS = ("request_tags", "metadata", "messages", "response", "proxy_server_request")


def case(name: str) -> list[dict]:
    """The rows of one report, in the order they started; what it does not name is empty."""
    lines = (DATA / FILE).read_text(encoding="utf-8").splitlines()
    found = [one["row"] for one in map(json.loads, lines) if one["case"] == name]
    assert found, f"{FILE} has no case {name}"
    return [spend_log(**(EMPTY | row)) for row in found]


def as_text(row: dict) -> dict:
    """The same row as a side-car writes it: each JSON column holds a text in which the JSON is."""
    texts = {name: row[name] for name in JSON_COLUMNS if name in row}
    return row | {name: json.dumps(_text(value)) for name, value in texts.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
