"""Rows that keep arriving while the app is open, so that refreshing shows something new."""

import logging
import threading
from datetime import datetime, timedelta

import psycopg2

from tracelib.demo import tables
from tracelib.demo.load import connected, told_so_far
from tracelib.demo.server import SampleDatabase
from tracelib.demo.story import requests, utc_now

_EVERY_S = 4.0
# As if it were a busy hour several times over, by night as well: a row every few seconds.
_STEADY = 5.0

_log = logging.getLogger(__name__)


def keep_arriving(sample: SampleDatabase, stop: threading.Event) -> threading.Thread:
    """Let rows arrive every few seconds until `stop` is set.

    Gives the daemon thread, already running. A database that does not answer is asked again
    at the next turn; the rows of the meantime come then.
    """
    arguments = (sample, stop)
    thread = threading.Thread(target=_keep_on, args=arguments, name="arrivals", daemon=True)
    thread.start()
    return thread


def arrive(sample: SampleDatabase, since: datetime, until: datetime) -> int:
    """Write the rows that arrive in [since, until), aware times. How many were new?

    Two processes on one database write the same rows, so each row comes once. Raises
    psycopg2.Error when the database does not answer.
    """
    with connected(sample.url) as connection:
        told = told_so_far(connection)
        if told is None:
            return 0
        rows = requests(told.seed + 1, since, until, anchor=told.anchor, steady=_STEADY)
        with connection, connection.cursor() as cursor:
            return tables.add(cursor, rows)


def _keep_on(sample: SampleDatabase, stop: threading.Event) -> None:
    since = utc_now()
    while not stop.wait(_EVERY_S):
        until = utc_now()
        try:
            arrive(sample, max(since, until - timedelta(minutes=10)), until)
        except psycopg2.Error as fault:
            _log.info("No rows could arrive: %s", fault)
            continue
        since = until
