"""The audit log: who read or exported messages, as a line of JSON that is written before.

The log is append-only: a file that is opened again for each line, so that it can be moved away, or
the standard output. If a line cannot be written completely, nothing may be shown or exported.
"""

import json
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
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
    the transcript, `turns` the first and the last that a program requested, `format` that of a
    file, `search_text` that of a search, `redaction` the kinds masked, `range` the
    time that evidence is of.
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
    turns: tuple[int, int] | None = None
    format: str | None = None
    search_text: str | None = None
    redaction: tuple[str, ...] = ()
    range: tuple[datetime, datetime] | None = None


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
        "turns": done.turns,
        "format": done.format,
        "sought": done.search_text,
        "redaction": done.redaction,
        "range": [_written(end) for end in done.range] if done.range else None,
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


# Of a longer log, the newest part is read.
MOST_BYTES = 64_000_000
MOST_READERS = 200


@dataclass(frozen=True, slots=True)
class Reader:
    """What one person or program has done: how often each action, and in how many sessions.

    `who` is None for those who were not signed in; `origin` is page or api.
    """

    who: str | None
    origin: str
    by_what: tuple[tuple[str, int], ...]
    sessions: int
    newest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reads:
    """What the audit log has recorded in a time: how often each action, and of how many people.

    `readers` are those who did most, at most 200. `is_whole` is False if the log is so long that
    its oldest part was not read.
    """

    by_what: tuple[tuple[str, int], ...]
    people: int
    is_whole: bool
    readers: tuple[Reader, ...] = ()


def reads(settings: Settings, start: datetime, end: datetime) -> Reads | None:
    """How many reads were recorded from `start` up to, but not including, `end`, and whose?

    None if there is no log, or this process may not read it. Lines of another form are left out.
    """
    if settings.audit_log in (None, STDOUT):
        return None
    try:
        lines, is_whole = _newest_lines(str(settings.audit_log))
    except FileNotFoundError:
        return Reads((), 0, True)  # nothing was read yet
    except OSError:
        return None
    # As they are written, times have the same order as text.
    first, last = _written(start.astimezone(UTC)), _written(end.astimezone(UTC))
    found = [one for one in map(_record_of, lines) if first <= str(one.get("at", "")) < last]
    of_each: defaultdict[tuple[str, str], list[dict[str, object]]] = defaultdict(list)
    for one in found:
        of_each[str(one.get("who") or ""), str(one.get("from", ""))].append(one)
    most = sorted(of_each.items(), key=lambda each: (-len(each[1]), each[0]))[:MOST_READERS]
    readers = tuple(_reader(who or None, origin, own) for (who, origin), own in most)
    return Reads(_by_what(found), len({who for who, _ in of_each}), is_whole, readers)


def _by_what(records: Sequence[dict[str, object]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(str(one.get("what")) for one in records).items()))


def _reader(who: str | None, origin: str, records: Sequence[dict[str, object]]) -> Reader:
    listed = (one.get("session_ids") for one in records)
    sessions = {str(each) for ids in listed if isinstance(ids, list) for each in ids}
    newest = max(str(one["at"]) for one in records)
    try:
        newest_at = datetime.fromisoformat(newest)
    except ValueError:
        newest_at = None
    return Reader(who, origin, _by_what(records), len(sessions), newest_at)


def _newest_lines(path: str) -> tuple[list[bytes], bool]:
    with Path(path).open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - MOST_BYTES))
        return log.read(MOST_BYTES).splitlines(), size <= MOST_BYTES


def _record_of(line: bytes) -> dict[str, object]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
