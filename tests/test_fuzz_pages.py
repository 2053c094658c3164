"""The rows of `tests.fuzz` on each page, in each response of the API, and in each file."""

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from tests.calling import calls_of, token
from tests.fuzz import SECRET
from tests.fuzzed import ALL_TIME, DAY, SEARCHES, SEEDS, Case, filled
from tracelib import export, sessions
from tracelib.api.openapi import BASE, document
from tracelib.filters import Filters
from tracelib.redaction import ALL
from tracelib.selection import row_ids
from tracelib.sessions import SessionSearch

RANGE = {"range": "custom", "from": "2026-11-23", "to": "2026-11-23", "zone": "UTC"}
PAGES = ("Home.py", "pages/Overview.py", "pages/Models.py", "pages/Status.py")
LISTS = ({"words": "yes"}, {"said": "a"}, {"q": "a", "sort": "cost"})
# Of several keys, one of them no key.
SHARED = {"session": "odd", "redacted": "yes"}
# Health and metrics are of the process.
PATHS = {path: one for path, one in document()["paths"].items() if path.startswith(BASE)}
WINDOW = {
    "start": DAY.window.start.isoformat()[:19] + "Z",
    "end": DAY.window.end.isoformat()[:19] + "Z",
}


@pytest.fixture(scope="module", params=SEEDS)
def case(request, server) -> Iterator[Case]:
    with filled(server, request.param) as made:
        yield made


def test_every_page_opens(case, open_page, caplog):
    opened = [(page, {}) for page in PAGES] + [("pages/Sessions.py", one) for one in LISTS]
    opened += [("pages/Sessions.py", one) for one in (SHARED, *sessions_in_urls(case))]
    wrong = []
    for page, query in opened:
        app = open_page(page, case.database.url, **RANGE, **query)
        wrong += [f"{page} {query}: {one.value[:300]}" for one in (*app.exception, *app.error)]
    wrong += [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    assert not wrong


def sessions_in_urls(case: Case) -> Iterable[dict]:
    for one in case.selections[:-1]:
        query = {"session": one.session_ids[0], "of": one.api_key}
        rows = [row.written() for row in row_ids(sessions.requests_of(case.source, one))]
        diff = {"diff": [rows[0], rows[-1]], "redacted": "yes", "formatted": "yes"}
        yield query | (diff if len(rows) > 1 else {})


def test_every_path_of_the_api_responds_as_it_says(case):
    api = calls_of(case.database, *(token(f"t{number}") for number in range(9)))
    wrong, number = [], 0
    for path, method, query in requests_to_make(case):
        number += 1
        sent = {"json": query} if method == "POST" else {"params": query}
        place = path.format(session_id=quote(query.pop("id", ""), safe=""))
        found = api.by(f"t{number % 9}").send(method, place, **sent)
        if found.status_code != 200:
            wrong.append(f"{place} {query}: {found.status_code} {found.text[:300]}")
            continue
        value = json.loads(found.text, parse_constant=pytest.fail)
        content = PATHS[path][method.lower()]["responses"]["200"]["content"]
        schema = content["application/json"]["schema"] | {"components": document()["components"]}
        jsonschema.validate(value, schema)
    assert not wrong


def requests_to_make(case: Case) -> Iterable[tuple[str, str, dict]]:
    for path, operations in PATHS.items():
        for method in operations:
            if "{session_id}" in path:
                for one in case.selections[:-1]:
                    if one.session_ids[0]:
                        yield path, "GET", {"id": one.session_ids[0], "key": one.api_key}
            elif method == "post":
                yield path, "POST", dict(WINDOW)
                yield path, "POST", WINDOW | {"text": "a"}
            else:
                yield path, "GET", dict(WINDOW) if has_range(operations) else {}


def has_range(operations: dict[str, Any]) -> bool:
    return any(one["name"] == "start" for one in operations["get"].get("parameters", ()))


def test_every_file_is_whole_and_masked(case):
    for one in case.selections:
        made = export.session_document(case.source, one, ALL, DAY.window.end)
        as_json = "".join(export.as_json(made))
        assert SECRET not in as_json
        assert SECRET not in "".join(export.as_html(made))
        json.loads(as_json, parse_constant=pytest.fail)
        assert made.is_complete
    for search in (SessionSearch(), *SEARCHES[3:5]):
        listed = list(export.listed_sessions(case.source, Filters(ALL_TIME), search))
        lines = b"".join(export.sessions_jsonl(listed, ALL))
        assert SECRET.encode() not in lines + b"".join(export.sessions_csv(listed, ALL))
        for line in lines.decode().split("\n")[:-1]:
            json.loads(line, parse_constant=pytest.fail)
