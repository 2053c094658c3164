"""The app's log: one JSON object per event, on one line of standard error.

An event is a name with fields: names of the program and of settings, counts, times, and sentences
of our own. Text of the database, of requests and of people is in none of them: a traceback is
logged as places in the code, without the message of its exception, which may quote a value.
"""

import atexit
import json
import logging
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Literal

Field = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
LOGGER = logging.getLogger("tracelib")
LONGEST = 500  # characters of a field
MOST_PLACES = 12
STARTED = time.monotonic()


@dataclass(frozen=True, slots=True)
class Event:
    """A name with fields; unknown fields are left out."""

    name: str
    fields: tuple[tuple[str, Field], ...]

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={value}" for name, value in self.fields)])


def log(level: Level, event: str, **fields: Field) -> None:
    """Log an event, if the app's log has this level."""
    number = logging.getLevelNamesMapping()[level.upper()]
    if LOGGER.isEnabledFor(number):
        known = tuple((name, _short(value)) for name, value in fields.items() if value is not None)
        LOGGER.log(number, Event(event, known))


def exception(event: str, fault: BaseException, **fields: Field) -> None:
    """Log an event that a defect has caused, with where in the code it happened."""
    log("error", event, **fields, fault=type(fault).__name__, places=_places(fault))


def begin(level: str = "info") -> None:
    """Write events of this level and above to standard error; at first, that the process began."""
    if logging.getLevelName(LOGGER.level) != level.upper():
        LOGGER.setLevel(level.upper())
    if not any(isinstance(one, StandardError) for one in LOGGER.handlers):
        LOGGER.addHandler(StandardError())
        version = ".".join(map(str, sys.version_info[:3]))
        log("info", "process_started", python=version, log_level=level)
        atexit.register(end)


class StandardError(logging.Handler):
    """Writes each event to what standard error is at that moment, as a whole line."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(line(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - as every handler of the standard library
            self.handleError(record)


def line(record: logging.LogRecord) -> str:
    """The JSON of a record: its time in UTC, its level, the event and its fields.

    >>> record = logging.makeLogRecord({"created": 1.5, "levelname": "INFO"})
    >>> record.msg = Event("query", (("seconds", 0.25),))
    >>> line(record)
    '{"at": "1970-01-01T00:00:01.500Z", "level": "info", "event": "query", "seconds": 0.25}'
    """
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    event = record.msg if isinstance(record.msg, Event) else Event(record.getMessage(), ())
    head = {"at": at.replace("+00:00", "Z"), "level": record.levelname.lower()}
    # ASCII, so that no character can end a line or be refused.
    return json.dumps({**head, "event": event.name, **dict(event.fields)})


@cache
def end() -> None:
    """Log that the process ends, once: a server may be ended by a signal that it raises again."""
    log("info", "process_ended", seconds=time.monotonic() - STARTED)


def _short(value: Field) -> Field:
    if isinstance(value, str):
        return value[:LONGEST]
    return round(value, 4) if isinstance(value, float) else value


def _places(fault: BaseException) -> str:
    """The files, lines and functions of a traceback, from where it happened outwards."""
    frames = traceback.extract_tb(fault.__traceback__)[::-1][:MOST_PLACES]
    return " < ".join(f"{_module(one.filename)}:{one.lineno} {one.name}" for one in frames)


def _module(path: str) -> str:
    """The file without the folders of this machine.

    >>> _module("/opt/app/tracelib/source/postgres.py"), _module("/usr/lib/json/decoder.py")
    ('tracelib/source/postgres.py', 'json/decoder.py')
    """
    parts = path.replace("\\", "/").split("/")
    first = parts.index("tracelib") if "tracelib" in parts else -2
    return "/".join(parts[first:])
