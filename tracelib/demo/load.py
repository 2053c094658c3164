"""Fills the sample database, and brings it up to date when it is opened again."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from tracelib.demo import tables
from tracelib.demo.rows import moment
from tracelib.demo.scene import DAYS, scene
from tracelib.demo.story import SEED, requests

VERSION = 1
"""Of the story; a database that tells another one is written anew."""

_LONGEST_GAP = timedelta(days=10)

_REMEMBER = """
CREATE SCHEMA IF NOT EXISTS sample;
DROP TABLE IF EXISTS sample.story;
CREATE TABLE sample.story (version INTEGER, seed BIGINT, anchor TIMESTAMP);
"""


@dataclass(frozen=True, slots=True)
class Told:
    """How far the story in a database has been told. Times are aware."""

    seed: int
    anchor: datetime
    until: datetime


def bring_up_to(connection: Any, now: datetime) -> None:
    """Make the database hold the story up to `now` (aware), whatever it held before."""
    told = told_so_far(connection)
    if told is None or now - told.until > _LONGEST_GAP or now < told.until - _LONGEST_GAP:
        _tell_anew(connection, now)
    else:
        _go_on(connection, told, now)


def told_so_far(connection: Any) -> Told | None:
    """How far does it tell the story? None where it holds none, or one of another version."""
    with _transaction(connection) as cursor:
        cursor.execute("SELECT to_regclass('sample.story') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(
            'SELECT seed, anchor, (SELECT max("created_at") FROM "LiteLLM_SpendLogs")'
            " FROM sample.story WHERE version = %s",
            (VERSION,),
        )
        found = cursor.fetchone()
    if found is None or found[2] is None:
        return None
    return Told(found[0], found[1].replace(tzinfo=UTC), found[2].replace(tzinfo=UTC))


def _tell_anew(connection: Any, now: datetime) -> None:
    with _transaction(connection) as cursor:
        tables.drop(cursor)
        tables.create(cursor)
        tables.copy(cursor, requests(SEED, now - timedelta(days=DAYS), now))
        tables.add_indexes(cursor)
        tables.add_names(cursor, deleted_at=moment(scene(now).newcomer_from))
        cursor.execute(_REMEMBER)
        cursor.execute(
            "INSERT INTO sample.story VALUES (%s, %s, %s)", (VERSION, SEED, _stored(now))
        )
    _tidy(connection, "ANALYZE")


def _go_on(connection: Any, told: Told, now: datetime) -> None:
    since = told.until + timedelta(milliseconds=1)
    with _transaction(connection) as cursor:
        cursor.execute('DELETE FROM "LiteLLM_SpendLogs" WHERE "created_at" > %s', (_stored(now),))
        cursor.execute(
            'DELETE FROM "LiteLLM_SpendLogs" WHERE "startTime" < %s',
            (_stored(now - timedelta(days=DAYS)),),
        )
        tables.add(cursor, requests(told.seed, since, now, anchor=told.anchor))
    _tidy(connection, 'VACUUM (ANALYZE) "LiteLLM_SpendLogs"')


def _tidy(connection: Any, statement: str) -> None:
    """Statistics for the planner, and the visibility map that index-only scans need."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.autocommit = False


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def _transaction(connection: Any) -> Iterator[Any]:
    with connection, connection.cursor() as cursor:
        yield cursor


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A connection of psycopg2's, closed after the block. Raises psycopg2.Error."""
    plain = url.replace("postgresql+psycopg2://", "postgresql://")
    with closing(psycopg2.connect(plain, options="-c timezone=UTC")) as connection:
        yield connection
