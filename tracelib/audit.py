"""The audit log: who read or exported messages, as a line of JSON that is written before.

The log is append-only: a file that is opened again for each line, so that it can be moved away, or
the standard output. If a line cannot be written completely, nothing may be shown or exported.
"""

import json
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Literal

from tracelib import errors
from tracelib.permissions.access import Role
from tracelib.settings import Settings

What = Literal["opened", "compared", "searched", "listed", "exported"]
STDOUT = "stdout"
STDOUT_DESCRIPTOR = 1
OWNER_ONLY = 0o600
_writing = Lock()


@dataclass(frozen=True, slots=True)
class Record:
    """What a person or program did. Equal records are the same action repeated.

    `who` is None if the app is open; `origin` is page or api. Sessions by their IDs and their key;
    requests, by their IDs and starts, if they were joined or compared one by one. `page` is that of
    the transcript, `format` that of a file, `search_text` that of a search, `redaction` the kinds
    masked.
    """

    who: str | None
    role: Role
    what: What
    origin: Literal["page", "api"]
    api_key: str | None = None
    session_ids: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    request_starts: tuple[datetime, ...] = ()
    page: int | None = None
    format: str | None = None
    search_text: str | None = None
    redaction: tuple[str, ...] = ()


def record(settings: Settings, done: Record) -> None:
    """Record that someone is about to do this; does nothing if no log is set.

    Returns once the line is completely written. Raises AuditFailed, and then it must not be done.
    """
    if settings.audit_log is None:
        return
    try:
        with _writing:
            _append(settings.audit_log, _line(done, datetime.now(UTC)))
    except OSError as error:
        raise errors.AuditFailed(error.strerror or "") from error


def _line(done: Record, at: datetime) -> bytes:
    fields = {
        "at": _written(at),
        "who": done.who,
        "role": done.role,
        "what": done.what,
        "from": done.origin,
        "session_ids": done.session_ids,
        "request_ids": done.request_ids,
        "request_starts": [_written(start) for start in done.request_starts],
        "api_key": done.api_key,
        "page": done.page,
        "format": done.format,
        "sought": done.search_text,
        "redaction": done.redaction,
    }
    # ASCII, so that no character in it can end a line or be refused.
    return json.dumps(fields).encode() + b"\n"


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _append(path: str, line: bytes) -> None:
    if path == STDOUT:
        _write(STDOUT_DESCRIPTOR, line)
        return
    import fcntl  # Windows has none, and there the standard output is the only log.

    log = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, OWNER_ONLY)
    try:
        # One process at a time: half of another's line would look like an incomplete one.
        fcntl.flock(log, fcntl.LOCK_EX)
        _write(log, b"\n" + line if _is_broken_off(log) else line)
    finally:
        # A network file system may report only now that it has not stored the line.
        os.close(log)


def _write(log: int, line: bytes) -> None:
    """Write the line at once, so that nothing comes between; report what could not be written."""
    count = os.write(log, line)
    while count < len(line):
        count += os.write(log, line[count:])


def _is_broken_off(log: int) -> bool:
    """Did an earlier line end in the middle, on a full disk? Then it must not spoil this one."""
    known = os.fstat(log)
    if not stat.S_ISREG(known.st_mode) or not known.st_size:
        return False
    return os.pread(log, 1, known.st_size - 1) != b"\n"
