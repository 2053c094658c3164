"""Rows of LiteLLM's tables: made up ones, and true ones that LiteLLM itself has written."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count, groupby
from pathlib import Path

import sqlalchemy as sa
from psycopg2 import sql
from psycopg2.extras import execute_values

from tracelib.selection import RowId

DATA = Path(__file__).parent / "data"
V1_109 = "litellm_rows.jsonl"
V1_109_MORE = "litellm_rows_more.jsonl"
V1_80 = "litellm_rows_1_80.jsonl"
FILES = (V1_109, V1_109_MORE, V1_80)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""When a made up request starts unless the test says otherwise."""


def key_of(name: str) -> str:
    """The key of this name as LiteLLM stores it: a hash."""
    return hashlib.sha256(f"sk-{name}".encode()).hexdigest()


KEY = key_of("test")
"""The key of a made up request."""


def row_id(row: dict) -> RowId:
    """Which row of the log this one is: PostgreSQL keeps milliseconds, rounded."""
    start = _moment(row["startTime"])
    rounded = timedelta(milliseconds=round(start.microsecond / 1_000))
    return RowId(row["request_id"], start.replace(microsecond=0) + rounded)


TIMES = ("startTime", "endTime", "completionStartTime", "created_at", "updated_at")
JSON = ("metadata", "messages", "response", "proxy_server_request", "request_tags")

_numbers = count(1)


def spend_log(**changes: object) -> dict:
    """One whole row of `LiteLLM_SpendLogs`, as LiteLLM 1.109 writes a plain success.

    What follows from `changes` is derived from them: the end from the start and
    `request_duration_ms` (or the other way round), the first token from the end, `model` from
    provider and `model_group`, the total from the tokens. Request, session and call ids are new
    each time. JSON columns take Python values; text goes in as the JSON it is.
    """
    plain = _plain_success()
    derived = _derived(plain | changes)
    unknown = changes.keys() - plain.keys() - derived.keys()
    assert not unknown, f"LiteLLM_SpendLogs has no column {sorted(unknown)}"
    return plain | derived | changes


def failure(
    error_code: str = "429",
    error_class: str = "RateLimitError",
    error_message: str = "litellm.RateLimitError: Rate limit reached for gpt-4o",
    **changes: object,
) -> dict:
    """One row of a request that failed: no cost, no answer, the error in `metadata`."""
    error = {
        "error_code": error_code,
        "error_class": error_class,
        "error_message": error_message,
        "llm_provider": changes.get("custom_llm_provider", "openai"),
        "traceback": "",
    }
    outcome = {"status": "failure", "spend": 0.0, "completion_tokens": 0, "cache_hit": "False"}
    about = metadata(status="failure", usage_object={}, error_information=error)
    return spend_log(**(outcome | {"metadata": about} | changes))


def metadata(**changes: object) -> dict:
    """The `metadata` of a row: the keys that LiteLLM always writes, most of them null."""
    return {
        "user_api_key": KEY,
        "user_api_key_alias": None,
        "user_api_key_team_id": "team-1",
        "user_api_key_team_alias": None,
        "user_api_key_user_id": "user-1",
        "user_api_key_user_email": None,
        "spend_logs_metadata": None,
        "applied_guardrails": [],
        "status": None,
        "error_information": None,
        "usage_object": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        "additional_usage_values": {},
        "attempted_retries": 0,
        "max_retries": 0,
        "attempted_fallbacks": 0,
        "original_model_group": None,
    } | changes


def _plain_success() -> dict:
    number = next(_numbers)
    return {
        "request_id": f"chatcmpl-{number:024}",
        "session_id": f"5e551011-0000-4000-8000-{number:012}",
        "litellm_call_id": f"ca110000-0000-4000-8000-{number:012}",
        "call_type": "acompletion",
        "api_key": KEY,
        "spend": 0.25,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "startTime": NOON,
        "model_group": "gpt-4o",
        "model_id": "deployment-1",
        "custom_llm_provider": "openai",
        "api_base": "https://api.openai.com/v1/",
        "user": "user-1",
        "end_user": "",
        "team_id": "team-1",
        "organization_id": "",
        "agent_id": None,
        "billing_agent_id": None,
        "mcp_namespaced_tool_name": None,
        "cache_hit": "None",
        "cache_key": "Cache OFF",
        "request_tags": ["User-Agent: pytest", "User-Agent: pytest/1.0"],
        "requester_ip_address": "10.1.2.3",
        "status": "success",
        "metadata": metadata(),
        "messages": {},
        "response": {},
        "proxy_server_request": {},
    }


def _derived(row: dict) -> dict:
    start = _moment(row["startTime"])
    lasted = timedelta(milliseconds=row.get("request_duration_ms") or 1000)
    end = _moment(row.get("endTime", start + lasted))
    provider, group = row["custom_llm_provider"], row["model_group"]
    return {
        "endTime": end,
        "completionStartTime": end,
        "request_duration_ms": round((end - start) / timedelta(milliseconds=1)),
        "total_tokens": row["prompt_tokens"] + row["completion_tokens"],
        "model": f"{provider}/{group}" if provider else group,
        "created_at": end + timedelta(seconds=5),
        "updated_at": end + timedelta(seconds=5),
    }


def real_rows(*files: str) -> list[dict]:
    """The true rows of `files` (all of them unless named), in the order they were written."""
    return [_without_scenario(row) for row in _labelled_rows(files)]


def scenario(name: str, *files: str) -> list[dict]:
    """The true rows of one scenario: one, or as many as it took requests."""
    found = [row for row in _labelled_rows(files) if row["_scenario"] == name]
    assert found, f"no row of {files or FILES} shows {name}"
    return [_without_scenario(row) for row in found]


def _labelled_rows(files: Iterable[str]) -> list[dict]:
    return [json.loads(line) for name in files or FILES for line in _lines(name)]


@cache
def _lines(name: str) -> list[str]:
    return (DATA / name).read_text(encoding="utf-8").split("\n")[:-1]


def _without_scenario(row: dict) -> dict:
    return {column: value for column, value in row.items() if column != "_scenario"}


def insert(engine: sa.Engine, rows: Iterable[dict]) -> None:
    """Add rows to the spend log, without the columns that this version of it lacks."""
    with engine.begin() as connection:
        known = _columns(connection, "LiteLLM_SpendLogs")
        fitting = [{name: row[name] for name in row if name in known} for row in rows]
        for columns, alike in groupby(fitting, key=tuple):
            values = [[_stored(name, row[name]) for name in columns] for row in alike]
            _insert_values(connection, "LiteLLM_SpendLogs", columns, values)


def days(rows: Iterable[dict]) -> set[date]:
    """The UTC days on which rows start."""
    return {_moment(row["startTime"]).date() for row in rows}


def _stored(column: str, value: object) -> object:
    if column in TIMES and value is not None:
        return _moment(value).replace(tzinfo=None)
    if column in JSON and isinstance(value, dict | list):
        return json.dumps(value)
    return value


def _moment(value: object) -> datetime:
    """An aware UTC time, of one that may be text or without a zone (then it is UTC)."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _insert_values(
    connection: sa.Connection, table: str, columns: Iterable[str], values: list
) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES %s").format(sql.Identifier(table), names)
    execute_values(connection.connection.cursor(), statement, values, page_size=500)


def _columns(connection: sa.Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}


def name_key(engine: sa.Engine, token: str, alias: str | None) -> None:
    """Give a key its alias."""
    _name(engine, "LiteLLM_VerificationToken", token=token, key_alias=alias)


def name_deleted_key(engine: sa.Engine, token: str, alias: str | None) -> None:
    """Give a key that was deleted the alias it had."""
    number = f"deleted-{next(_numbers)}"
    _name(engine, "LiteLLM_DeletedVerificationToken", id=number, token=token, key_alias=alias)


def name_team(engine: sa.Engine, team_id: str, alias: str | None) -> None:
    """Give a team its alias."""
    _name(engine, "LiteLLM_TeamTable", team_id=team_id, team_alias=alias)


def name_user(
    engine: sa.Engine, user_id: str, alias: str | None = None, email: str | None = None
) -> None:
    """Give a user an alias, an e-mail address, both or neither."""
    _name(engine, "LiteLLM_UserTable", user_id=user_id, user_alias=alias, user_email=email)


def _name(engine: sa.Engine, table: str, **values: str | None) -> None:
    moments = {name: NOON.replace(tzinfo=None) for name in ("created_at", "updated_at")}
    with engine.begin() as connection:
        known = _columns(connection, table)
        row = {name: value for name, value in (moments | values).items() if name in known}
        _insert_values(connection, table, row, [list(row.values())])
