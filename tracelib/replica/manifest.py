"""The manifest: which files the replica consists of now, and what is in them."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from tracelib import errors
from tracelib.spendlogs.replicated import COLUMNS, NAMES

NAME = "manifest.json"
# A replica of another shape is built next to the old one, under this name.
NEXT_NAME = "manifest-next.json"
# Increased with each change of what the files mean; a changed list of columns shows by itself.
FORMAT = 2
# Models that keep their place: clients may ask for any number of models that do not exist.
MOST_KNOWN = 200
Unreadable = errors.ReplicaUnreadable


class Hour(NamedTuple):
    """What was read of an hour, and when: the moment before it was read, in seconds since 1970."""

    rows: int
    hashes: int
    read_at: float


@dataclass(frozen=True)
class Span:
    """An immutable file with all rows that start from the hour `start` to before the hour `end`.

    Hours are counted from 1970; None is without a bound. `hours` has those with rows. `checked_at`
    is when the whole span was last compared with the log by its hashes. `sums` are the tables of
    `sums.TABLES` that the file has, None if a version without them wrote it.
    """

    file: str
    start: int | None
    end: int | None
    rows: int
    bytes: int
    hours: Mapping[int, Hour] = field(default_factory=dict)
    checked_at: float = 0.0
    sums: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Manifest:
    """The state of a replica. The spans are in order, without a gap from `complete_from` on.

    complete_from    the hour from which all is held; None once all history is
    as_of            all rows that were in the log at this moment are held
    kept_before      rows of hours before this one are kept although the log has them no longer
    models           each model that was ever held, in the order of their colours
    is_disk_full     older rows are not held, because of the limit of the disk
    reads_bodies     its rows have facts of bodies
    rows_per_s       how fast history was filled lately
    sentence         what is wrong; empty if nothing is
    """

    identity: str
    spans: tuple[Span, ...] = ()
    complete_from: int | None = None
    as_of: float = 0.0
    names_file: str | None = None
    rows_total_estimate: int | None = None
    rows_per_s: float | None = None
    kept_before: int | None = None
    models: tuple[str, ...] = ()
    is_disk_full: bool = False
    is_paused: bool = False
    reads_bodies: bool = False
    sentence: str = ""
    format: int = FORMAT
    columns: str = ""

    @property
    def is_of_this_shape(self) -> bool:
        """Do its files have the columns, and the meaning, that this version writes?"""
        return (self.format, self.columns) == (FORMAT, shape())

    @property
    def rows(self) -> int:
        """How many rows are held."""
        return sum(span.rows for span in self.spans)

    @property
    def bytes(self) -> int:
        """How large its files are, without that of names."""
        return sum(span.bytes for span in self.spans)

    @property
    def files(self) -> frozenset[str]:
        """The names of all files that it consists of."""
        names = {self.names_file} if self.names_file else set[str]()
        return frozenset(names | {span.file for span in self.spans})

    def holds_as_much_as(self, old: "Manifest") -> bool:
        """Does it reach as far back as an older one, or as far as it may?"""
        if self.complete_from is None or self.is_disk_full:
            return True
        return old.complete_from is not None and self.complete_from <= old.complete_from


_MANIFEST = TypeAdapter(Manifest)
_KNOWN = frozenset(one.name for one in fields(Manifest))


def shape() -> str:
    """A hash of the columns of the files, which differs if they do."""
    columns = [(name, str(kind)) for one in (COLUMNS, NAMES) for name, kind in one.items()]
    return sha256(json.dumps(columns).encode()).hexdigest()[:16]


def read(folder: Path, name: str = NAME) -> Manifest | None:
    """The manifest in this folder; None if there is none.

    Raises ReplicaOfAnotherUser, ReplicaOfNewerVersion, ReplicaOfOlderVersion or ReplicaDamaged,
    which are ReplicaUnreadable.
    """
    found = read_any(folder, name)
    if found is not None and not found.is_of_this_shape:
        raise errors.ReplicaOfOlderVersion()
    return found


def read_any(folder: Path, name: str = NAME) -> Manifest | None:
    """The manifest in this folder, of this or an older version, whose files have another shape."""
    text = _text(folder / name)
    return None if text is None else parsed(text)


def parsed(text: bytes) -> Manifest:
    """The manifest in this text. Raises ReplicaOfNewerVersion or ReplicaDamaged."""
    try:
        document = json.loads(text)
        version = document["format"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise errors.ReplicaDamaged("The manifest is no valid JSON.") from None
    if isinstance(version, int) and version > FORMAT:
        raise errors.ReplicaOfNewerVersion()
    return _validated(document)


def _text(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            # A file of another user could name files of theirs.
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                raise errors.ReplicaOfAnotherUser()
            return file.read()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise errors.ReplicaOfAnotherUser() from None
    except OSError as error:
        raise errors.ReplicaDamaged(str(error)) from None


def _validated(document: dict[str, Any]) -> Manifest:
    known = {name: value for name, value in document.items() if name in _KNOWN}
    try:
        found = _MANIFEST.validate_python(known)
    except ValidationError as error:
        raise errors.ReplicaDamaged(f"The manifest has {error.error_count()} faults.") from None
    if problem := _disorder(found):
        raise errors.ReplicaDamaged(problem)
    return found


def _disorder(found: Manifest) -> str:
    """What is wrong with the order of the spans? Empty if nothing is."""
    if any(Path(name).name != name for name in found.files):
        return "The manifest names files outside of its folder."
    if not found.spans:
        return ""
    if found.spans[0].start != found.complete_from or found.spans[-1].end is not None:
        return "The first or the last span ends elsewhere than the manifest says."
    pairs = zip(found.spans, found.spans[1:], strict=False)
    is_joined = all(one.end is not None and one.end == other.start for one, other in pairs)
    return "" if is_joined else "The spans of the manifest do not follow each other."


def identity(text: bytes) -> str | None:
    """Of which log is the replica with this manifest, of any version? None if unknown."""
    try:
        found = json.loads(text)["identity"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None


def written(manifest: Manifest) -> bytes:
    """The manifest as a text that `parsed` reads."""
    return _MANIFEST.dump_json(manifest)


def publish(folder: Path, manifest: Manifest, name: str = NAME) -> None:
    """Replace the manifest at once, and durably. Raises an OSError."""
    partial = folder / f"{name}-{uuid.uuid4().hex[:8]}.tmp"
    try:
        with partial.open("wb") as file:
            file.write(written(manifest))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / name)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    make_durable(folder)


def make_durable(path: Path) -> None:
    """Wait until this file, or the list of files in this folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
