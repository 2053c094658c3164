"""The manifest as the writer holds it: read at the start, replaced with each change."""

import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from tracelib import errors
from tracelib.replica import layout, spans
from tracelib.replica import manifest as manifests
from tracelib.replica.host import Host
from tracelib.replica.manifest import NAME, NEXT_NAME, Manifest, Span
from tracelib.replica.settings import ReplicaSettings

log = logging.getLogger(__name__)
# Readers open a file when they first need it, a while after they have read its name.
GRACE_S = 60.0
# Of no hour is anything held.
NOTHING = layout.LAST_HOUR + 1
REFUSED = (errors.ReplicaOfNewerVersion, errors.ReplicaOfAnotherUser)
OUT_OF_SPACE = ("No space left", "File too large", "quota")


@dataclass
class Opened:
    """The manifest of a folder whose only writer this is.

    `broken` are files that cannot be read, `old` the manifest of another shape that is served until
    this one holds as much.
    """

    settings: ReplicaSettings
    manifest: Manifest
    name: str = NAME
    old: Manifest | None = None
    broken: set[str] = field(default_factory=set)
    _retired: dict[str, float] = field(default_factory=dict)
    _seen: tuple[int, int] | None = None

    def publish(self, manifest: Manifest) -> None:
        """Make this the manifest. Raises an OSError, and ReplicaDamaged if it is not ours."""
        folder = self.settings.folder
        if _signature(folder / self.name) != self._seen:
            raise errors.ReplicaDamaged("Another process has written the manifest.")
        manifests.publish(folder, manifest, self.name)
        self.manifest = manifest
        if self.old is not None and _holds_as_much(manifest, self.old):
            (folder / self.name).replace(folder / NAME)
            self.name, self.old = NAME, None
        self._seen = _signature(folder / self.name)

    def replace_spans(
        self, old: Sequence[Span], new: Sequence[Span], rows_per_s: float | None = None
    ) -> None:
        """Publish these spans in place of others that follow each other; of none, at the start."""
        gone = {span.file for span in old}
        known = self.manifest.spans
        place = min((n for n, span in enumerate(known) if span.file in gone), default=0)
        kept = [span for span in known if span.file not in gone]
        parts = layout.without_empty([*kept[:place], *new, *kept[place:]])
        speed = self.manifest.rows_per_s if rows_per_s is None else rows_per_s
        start = parts[0].start
        self.publish(replace(self.manifest, spans=parts, complete_from=start, rows_per_s=speed))

    def drop_oldest(self) -> None:
        """Publish all spans but the oldest."""
        parts = self.manifest.spans[1:]
        self.publish(replace(self.manifest, spans=parts, complete_from=parts[0].start))

    def fill_disk(self, is_full: bool) -> None:
        """Publish whether the limit of the disk is reached."""
        if self.manifest.is_disk_full != is_full:
            self.publish(replace(self.manifest, is_disk_full=is_full))

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


def opened(host: Host, settings: ReplicaSettings) -> Opened:
    """The replica in this folder, or a new one if it is none of this database.

    Raises a TraceError or an OSError.
    """
    for left in settings.folder.glob("*.tmp*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    fresh = Manifest(host.identity(), complete_from=NOTHING, columns=manifests.shape())
    found = _known(settings.folder, NAME, fresh)
    old = None
    if found is not None and found.columns != fresh.columns:
        old, found = found, _known(settings.folder, NEXT_NAME, fresh)
    name = NAME if old is None else NEXT_NAME
    seen = _signature(settings.folder / name)
    manifest = found if found is not None and found.columns == fresh.columns else fresh
    broken = {span.file for span in manifest.spans if not _is_whole(settings.folder, span)}
    return Opened(settings, manifest, name, old, broken, _seen=seen)


def _known(folder: Path, name: str, fresh: Manifest) -> Manifest | None:
    """The manifest of this database, perhaps of another shape; None if there is none."""
    try:
        found = manifests.read_any(folder, name)
    except REFUSED:
        raise
    except errors.ReplicaUnreadable as error:
        log.warning("The replica is built again: %s", error)
        return None
    return found if found is not None and found.identity == fresh.identity else None


def _holds_as_much(new: Manifest, old: Manifest) -> bool:
    if new.complete_from is None or new.is_disk_full:
        return True
    return old.complete_from is not None and new.complete_from <= old.complete_from


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


def make_folder(folder: Path) -> None:
    """Make the folder for this user only. Raises an OSError, or ReplicaOfAnotherUser."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise errors.ReplicaOfAnotherUser(str(folder))


def sentence(error: Exception) -> str:
    """What is wrong, for people."""
    if isinstance(error, errors.TraceError):
        return str(error)
    return str(errors.ReplicaUnwritable(str(error).strip()))


def tell(folder: Path, sentence: str, error: Exception) -> None:
    """Say what is wrong before anything could be opened, if the manifest may be written."""
    if isinstance(error, REFUSED):
        return
    with suppress(OSError, errors.ReplicaUnreadable):
        nothing = Manifest("", complete_from=NOTHING, columns=manifests.shape())
        found = manifests.read_any(folder) or nothing
        if found.format == manifests.FORMAT:
            manifests.publish(folder, replace(found, sentence=sentence))


def _is_of_room(error: duckdb.Error) -> bool:
    is_memory = isinstance(error, duckdb.OutOfMemoryException)
    return is_memory or any(words in str(error) for words in OUT_OF_SPACE)


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_ino
