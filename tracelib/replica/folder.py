"""A replica in a folder: immutable files, and a manifest that is replaced with each change."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

import duckdb

from tracelib import errors, events
from tracelib.private_folder import is_own
from tracelib.replica import manifest as manifests
from tracelib.replica import spans
from tracelib.replica.election import Election
from tracelib.replica.layout import Range
from tracelib.replica.manifest import NAME, NEXT_NAME, Manifest, Span
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.storage import (
    NOTHING,
    Built,
    Csv,
    Kept,
    Listed,
    NameRow,
    Opened,
    log_published,
)

PAUSED = "paused"
# Readers open a file when they first need it, a while after they have read its name.
GRACE_S = 60.0
REFUSED = (errors.ReplicaOfNewerVersion, errors.ReplicaOfAnotherUser)
OUT_OF_SPACE = ("No space left", "File too large", "quota")


@dataclass
class Folder:
    """A folder with the files of a replica. Implements `Storage`."""

    settings: ReplicaSettings
    _election: Election | None = None

    def win(self) -> bool:
        """Am I the only writer? Becomes it if there is none."""
        if self._election is None:
            _make(self.settings.folder)
            self._election = Election(self.settings.folder)
        return self._election.win()

    def resign(self) -> None:
        """Let another one be the writer."""
        if self._election is not None:
            self._election.resign()

    def is_paused(self) -> bool:
        """Has an admin paused the writer?"""
        return (self.settings.folder / PAUSED).exists()

    def set_paused(self, is_paused: bool) -> None:
        """Pause the writer of any process, or let it continue. Raises ReplicaUnwritable."""
        mark = self.settings.folder / PAUSED
        try:
            if is_paused:
                mark.touch()
            else:
                mark.unlink(missing_ok=True)
        except OSError as error:
            raise errors.ReplicaUnwritable(str(error)) from None

    def open(self, identity: str) -> "OpenedFolder":
        """The replica in this folder, or a new one if it is none of this database."""
        folder = self.settings.folder
        for left in folder.glob("*.tmp*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        fresh = Manifest(
            identity,
            complete_from=NOTHING,
            columns=manifests.shape(),
            reads_bodies=self.settings.reads_bodies,
        )
        found, old = _known(folder, NAME, fresh), None
        if found is not None and not _has_columns_of(found, fresh):
            old, found = found, _known(folder, NEXT_NAME, fresh)
        name = NAME if old is None else NEXT_NAME
        seen = _signature(folder / name)
        manifest = found if found is not None and _has_columns_of(found, fresh) else fresh
        broken = {span.file for span in manifest.spans if not _is_whole(folder, span)}
        return OpenedFolder(
            manifest, broken, settings=self.settings, name=name, old=old, _seen=seen
        )

    def tell(self, sentence: str, error: Exception) -> None:
        """Say what is wrong before anything could be opened, if the manifest may be written."""
        is_won = self._election is not None and self._election.is_won
        if isinstance(error, REFUSED) or not is_won:
            return
        with suppress(OSError, errors.ReplicaUnreadable):
            nothing = Manifest("", complete_from=NOTHING, columns=manifests.shape())
            found = manifests.read_any(self.settings.folder) or nothing
            if found.format == manifests.FORMAT:
                manifests.publish(self.settings.folder, replace(found, sentence=sentence))

    def build(self, hours: Range, read: Sequence[Csv], kept: Sequence[Kept]) -> Built:
        """Write a file with these rows."""
        return spans.build(self.settings, hours[0], read, kept)

    def build_names(self, rows: Sequence[NameRow]) -> str:
        """Write a file with these names."""
        return spans.build_names(self.settings, rows)

    def counts(self, span: Span) -> dict[int, int]:
        """How many rows of each hour are really there? A file is as it was written, or broken."""
        return {hour: one.rows for hour, one in span.hours.items()}

    def listed(self, span: Span) -> Listed:
        """Which names and models do the rows of this span have?"""
        return spans.listed(self.settings, span.file)


@dataclass
class OpenedFolder(Opened):
    """The manifest of a folder whose only writer this is.

    `old` is the manifest of another shape that is served until this one holds as much.
    """

    _: KW_ONLY
    settings: ReplicaSettings
    name: str = NAME
    old: Manifest | None = None
    _retired: dict[str, float] = field(default_factory=dict)
    _seen: tuple[int, int] | None = None

    def publish(self, manifest: Manifest) -> None:
        """Make this the manifest. Raises an OSError, and ReplicaDamaged if it is not ours."""
        folder = self.settings.folder
        if _signature(folder / self.name) != self._seen:
            raise errors.ReplicaDamaged("Another process has written the manifest.")
        manifests.publish(folder, manifest, self.name)
        self.manifest = manifest
        if self.old is not None and manifest.holds_as_much_as(self.old):
            (folder / self.name).replace(folder / NAME)
            self.name, self.old = NAME, None
        self._seen = _signature(folder / self.name)
        log_published(manifest)

    def tidy(self, now: float) -> None:
        """Remove the files that no manifest has named for a while."""
        used = self.manifest.files | (self.old.files if self.old else set())
        for path in self.settings.folder.glob("*-*.duckdb"):
            if path.name in used:
                self._retired.pop(path.name, None)
            elif now - self._retired.setdefault(path.name, now) > GRACE_S:
                path.unlink(missing_ok=True)
                _mark(path).unlink(missing_ok=True)
                del self._retired[path.name]

    def fail(self, sentence: str, error: Exception) -> None:
        """Say in the manifest what is wrong, if it can be written."""
        with suppress(OSError, errors.TraceError):
            self.publish(replace(self.manifest, sentence=sentence))
        if isinstance(error, duckdb.Error) and not _is_of_room(error):
            _mark_broken(self.settings, self.manifest)


def _known(folder: Path, name: str, fresh: Manifest) -> Manifest | None:
    """The manifest of this database, perhaps of another shape; None if there is none."""
    try:
        found = manifests.read_any(folder, name)
    except REFUSED:
        raise
    except errors.ReplicaUnreadable as error:
        events.log("warning", "replica_built_again", sentence=error.sentence)
        return None
    return found if found is not None and found.identity == fresh.identity else None


def _has_columns_of(found: Manifest, fresh: Manifest) -> bool:
    """Have its rows what those of a new one would have?"""
    return found.is_of_this_shape and found.reads_bodies == fresh.reads_bodies


def _is_whole(folder: Path, span: Span) -> bool:
    path = folder / span.file
    return path.is_file() and path.stat().st_size == span.bytes and not _mark(path).exists()


def _mark_broken(settings: ReplicaSettings, manifest: Manifest) -> None:
    """Mark the files of this manifest that cannot be read, so that they are built again."""
    for span in manifest.spans:
        path = settings.folder / span.file
        if path.exists() and not spans.is_sound(settings, path):
            with suppress(OSError):
                _mark(path).touch()


def _mark(path: Path) -> Path:
    return path.with_suffix(".broken")


def _make(folder: Path) -> None:
    """Make the folder for this user only. Raises an OSError, or ReplicaOfAnotherUser."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_own(folder):
        raise errors.ReplicaOfAnotherUser(str(folder))


def _is_of_room(error: duckdb.Error) -> bool:
    is_memory = isinstance(error, duckdb.OutOfMemoryException)
    return is_memory or any(words in str(error) for words in OUT_OF_SPACE)


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_ino
