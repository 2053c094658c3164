"""Rows of LiteLLM's tables with anything that PostgreSQL can store in them, from a seed.

A row begins as one that LiteLLM wrote, or as a plain made up one; some of its columns then get
another value of their type, and some of its documents are changed a little or replaced. Every value
is the text that PostgreSQL reads; None is null.
"""

import copy
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from psycopg2 import sql
from psycopg2.extras import execute_values

from tests.database import Database
from tests.rows import JSON, NOON, TIMES, real_rows, spend_log

Row = dict[str, str | None]
SECRET = "ada.private@example.org"
"""Planted into texts of documents: no masked file may contain it."""
NUMBERS = ("spend", "total_tokens", "prompt_tokens", "completion_tokens", "request_duration_ms")
NULLABLE = (
    *("completionStartTime", "model_id", "model_group", "custom_llm_provider", "api_base", "user"),
    *("metadata", "cache_hit", "cache_key", "request_tags", "team_id", "end_user", "messages"),
    *("response", "proxy_server_request", "session_id", "status", "mcp_namespaced_tool_name"),
    *("organization_id", "agent_id", "request_duration_ms", "litellm_call_id"),
    *("requester_ip_address", "billing_agent_id"),
)
# Columns in an index, whose entries PostgreSQL limits to 2,704 bytes.
INDEXED = ("request_id", "session_id", "api_key", "end_user", "litellm_call_id")
SPENDS = ("NaN", "Infinity", "-Infinity", "1e300", "-1e300", "5e-324", "-0", "0", "-0.1", "1e15")
SPENDS += ("1.0000000000000002e15", "0.30000000000000004", "1e-15", "4e-16", "123456.789", "-1e15")
INTEGERS = ("0", "1", "-1", "2147483647", "-2147483648", "1000000", "15")
MOMENTS = ("infinity", "-infinity", "0001-01-01", "4713-01-01 BC", "9999-12-31 23:59:59.999")
MOMENTS += ("294276-12-31 23:59:59.999", "1999-12-31 23:59:59.999", "2000-01-01", "2200-01-01")
MOMENTS += ("2200-01-01 00:00:00.001", "1970-01-01", "2026-11-23 12:00:00.0005", "10000-01-01")
HITS = ("True", "true", "TRUE", "tRuE", "False", "false", "None", "", " True", "True ", "1", "t")
HITS += ("ＴＲＵＥ", "ture", "trUE\u200b", "\u0131", "null")
STATUSES = ("failure", "success", "Failure", "FAILURE", " failure", "", "error", "200", "null")
KEYS = ("", "None", "null", "undefined", "sk-1234", "a" * 64, "A" * 64, "g" * 64, "a" * 65)
KEYS += ("hashed-0123456789abcdef", "hashed-jwt-" + "0" * 64, "litellm-cli", "cli-session-ada")
KEYS += ("cli-session-" + "x" * 22, "litellm_proxy_master_key", "k:v", "é" * 32)
TEXTS = (
    *("", " ", "\t\n", "\r\n", "'", '"', "\\", "\\N", "\\x00", "%", "_", "a'; DROP TABLE x; --"),
    *("null", "None", "NaN", "true", "0", "-1", "9" * 400, "1e999", "(none)", "unknown", "{", "[]"),
    *(
        '{"a": 1}',
        "\u202eright to left\u202c",
        "שלום",
        "e\u0301" * 20,
        "👩‍👩‍👧‍👦",
        "\ufffe\uffff",
        "\U0010ffff",
    ),
    *("\x01\x1f\x7f\x85", "\u2028\u2029", "\ufeff", "İıſß", "=1+1", "@SUM(A1)", "a:b", "::", "a@b"),
    *("<script>alert(1)</script>", "![x](http://canary.invalid)", "$x$", "`", "**", ":red[x]", "#"),
    *("x" * 63, "x" * 64, "x" * 65, "x" * 201, "two words " * 10, "MCP: tool", "a\x1fb"),
    *("data:image/png;base64,AAAA", "http://[::1", "2026-11-23T12:00:00Z", "../../etc/passwd"),
    *("User-Agent: x", "chatcmpl-1@2026-11-23T12:00:00.000Z", "_background_cost", "\\ud800"),
    f"write to {SECRET}",
)
SCALARS = (None, True, False, 0, -1, 1.5, 10**30, -(10**400), 1e308, 2**31, 2**63, "", "x", [], {})
DOCUMENTS = (
    *("null", "true", "0", '""', "[]", "{}", '"text"', "1e999", "-1e999", "1e-999", "[[[]]]"),
    *("1e4400", "1e100000", '{"a": 1, "a": {"b": 2}}', '{"": {"": [null]}}', "[null, 1, {}]"),
    *('"{\\"messages\\": []}"', '"[1, 2"', '"\\\\ud800"', '"{\\"a\\": \\"\\\\ud800\\"}"'),
    *("[" * 5_000 + "]" * 5_000, '{"a":' * 5_000 + "1" + "}" * 5_000),
    *('{"messages": ' + "[" * 3_000 + "]" * 3_000 + "}", f'{{"choices": {"[" * 900}{"]" * 900}}}'),
    *('{"messages": [{"role": "user", "content": 1e999}]}', '{"usage_object": 1e999}'),
    *('{"messages": {"role": "user"}}', '{"messages": [null, [], "x", 1]}', '{"input": [[{}]]}'),
    *('{"error_information": []}', '{"error_information": {"error_class": {"a": []}}}'),
    *('{"attempted_retries": 1e999}', '{"attempted_retries": -0.5, "attempted_fallbacks": "1"}'),
    *('["a", "a", "", null, 1, {"b": []}, ["c"], "User-Agent: x"]', '["b\\u001fc"]', '"[\\"t\\"]"'),
    json.dumps({"messages": [{"role": "user", "content": "long " * 400_000}]}),
)


@cache
def _true_rows() -> list[dict[str, Any]]:
    return real_rows()


class Fuzz:
    """Makes rows at random. Equal seeds make equal rows."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.seed = seed
        self.sessions = [f"session {number}" for number in range(5)] + ["s:1", "s,\n\"1'", "a/b?c#"]

    def rows(self, count: int) -> list[Row]:
        """So many rows, each with an ID of its own."""
        return [self.row(number) for number in range(count)]

    def row(self, number: int) -> Row:
        base = copy.deepcopy(self.random.choice(_true_rows())) if self._one_in(2) else spend_log()
        start = NOON + timedelta(milliseconds=self.random.randrange(3 * 3_600_000))
        base |= {"startTime": start, "endTime": start + timedelta(milliseconds=self._ms())}
        base["session_id"] = self.random.choice(self.sessions)
        base["request_id"] = f"fuzz-{number}"
        if self._one_in(6):
            base["api_key"] = self.random.choice(KEYS)
        row = {name: _text(name, value) for name, value in base.items()}
        for name in self.random.sample(sorted(row), self.random.choice((0, 1, 1, 2, 3, 6))):
            row[name] = self._value(name, row[name], number)
        return row

    def names(self, rows: Sequence[Row]) -> dict[str, list[tuple[str | None, ...]]]:
        """Rows of the name tables: of some IDs in these rows, and some others."""
        found: dict[str, list[tuple[str | None, ...]]] = {}
        for table, column in NAME_TABLES.items():
            # Their IDs are in an index, whose entries have a limit.
            filled = {row[column] or "" for row in rows}
            known = sorted(one for one in filled if 0 < len(one) < 600)
            ids = {*self.random.sample(known, len(known) // 2), self._word(2_000) or "x"}
            found[table] = [(one, self._alias(), self._alias()) for one in sorted(ids)]
        return found

    def _alias(self) -> str | None:
        return None if self._one_in(4) else self._word(3_000)

    def _one_in(self, times: int) -> bool:
        return self.random.randrange(times) == 0

    def _ms(self) -> int:
        return self.random.choice((0, 1, 999, 60_000, -5, self.random.randrange(10**6)))

    def _value(self, name: str, old: str | None, number: int) -> str | None:
        if name in NULLABLE and self._one_in(4):
            return None
        if name in JSON:
            return self._document(old)
        if name == "startTime":
            return self.random.choice(MOMENTS) if self._one_in(2) else old
        if name in TIMES:
            return self.random.choice((*MOMENTS, "2026-11-23 12:30:00.5", "2026-11-23 11:00"))
        # The IDs of rows and calls are in files as they are.
        if name == "request_id":
            return f"{number} {self._word(500)}".replace(SECRET, "")
        if name == "litellm_call_id":
            return self._word(500).replace(SECRET, "")
        if name in INDEXED and name != "api_key":
            return self._word(500)
        choices = {"cache_hit": HITS, "status": STATUSES, "api_key": KEYS, "spend": SPENDS}
        if name in NUMBERS:
            return self.random.choice(choices.get(name, INTEGERS))
        return self.random.choice(choices[name]) if name in choices else self._word(2_000_000)

    def _word(self, most: int) -> str:
        """A text, which can be long."""
        word = self.random.choice(TEXTS)
        if self._one_in(4):
            word = "".join(map(self._letter, range(self.random.randrange(60))))
        if self._one_in(6):
            word += self.random.choice(TEXTS)
        if self._one_in(60):
            word = "w" * most
        return word[: most // 4] if len(word.encode()) > most else word

    def _letter(self, _: int) -> str:
        last = self.random.choice((0x7F, 0x2FF, 0xFFFF, 0x10FFFF))
        code = self.random.randrange(1, last)
        return chr(code) if not 0xD800 <= code <= 0xDFFF else "?"

    def _document(self, old: str | None) -> str:
        if old is None or self._one_in(8):
            return self.random.choice(DOCUMENTS)
        try:
            value = json.loads(old)
        except (ValueError, RecursionError):
            return self.random.choice(DOCUMENTS)
        for _ in range(self.random.choice((1, 1, 2, 5))):
            value = self._changed(value)
        if self._one_in(8):
            value = json.dumps(value, ensure_ascii=self._one_in(2))
        return json.dumps(value, ensure_ascii=False)

    def _changed(self, value: Any) -> Any:
        """The value with one of its parts changed, itself among them."""
        if isinstance(value, dict | list) and value and not self._one_in(6):
            places = sorted(value) if isinstance(value, dict) else range(len(value))
            place = self.random.choice(places)
            if self._one_in(8):
                value.pop(place)
            elif self._one_in(12) and isinstance(value, dict):
                value[self.random.choice(TEXTS)] = value.pop(place)
            elif self._one_in(12) and isinstance(value, list):
                value.insert(0, copy.deepcopy(value[place]))
            else:
                value[place] = self._changed(value[place])
            return value
        return self._instead_of(value)

    def _instead_of(self, value: Any) -> Any:
        return self.random.choice(
            (
                lambda: [value],
                lambda: {"a": value},
                lambda: {"content": value, "type": "text", "text": value},
                lambda: copy.deepcopy(self.random.choice(SCALARS)),
                lambda: self._word(3_000),
                lambda: value[: len(value) // 2] if isinstance(value, str) else str(value)[:99],
                lambda: f"{value if isinstance(value, str) else ''} {SECRET} ",
                lambda: json.dumps(value) + self.random.choice(("", '"', "}", ",")),
                lambda: json.loads("[" * 300 + "]" * 300),
            )
        )()


NAME_TABLES = {
    "LiteLLM_VerificationToken": "api_key",
    "LiteLLM_DeletedVerificationToken": "api_key",
    "LiteLLM_TeamTable": "team_id",
    "LiteLLM_UserTable": "user",
}
_NAME_COLUMNS = {
    "LiteLLM_VerificationToken": ("token", "key_alias", "key_name"),
    "LiteLLM_DeletedVerificationToken": ("token", "key_alias", "key_name", "id"),
    "LiteLLM_TeamTable": ("team_id", "team_alias"),
    "LiteLLM_UserTable": ("user_id", "user_alias", "user_email", "updated_at"),
}
_FIXED = {"id": "", "updated_at": "2026-11-23"}


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return json.dumps(value) if name in JSON else str(value)


def fill(database: Database, rows: Iterable[Row], names: dict[str, list[tuple]]) -> None:
    """Store these rows of the log and of the name tables."""
    with database.engine.begin() as connection:
        cursor = connection.connection.cursor()
        for row in rows:
            _insert(cursor, "LiteLLM_SpendLogs", tuple(row), [tuple(row.values())])
        for table, found in names.items():
            columns = _NAME_COLUMNS[table]
            for number, one in enumerate(found):
                fixed = dict(zip(columns, one, strict=False))
                fixed |= {name: _FIXED[name] or str(number) for name in columns if name in _FIXED}
                _insert(cursor, table, columns, [tuple(fixed[name] for name in columns)])


def _insert(cursor: Any, table: str, columns: Sequence[str], values: list[tuple]) -> None:
    known = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES %s").format(sql.Identifier(table), known)
    execute_values(cursor, statement, values)
