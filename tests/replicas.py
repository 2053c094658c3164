"""Replicas of the logs of tests, written and read as the app does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracelib.permissions.access import FULL, Access
from tracelib.replica.files import Files
from tracelib.replica.folder import Folder
from tracelib.replica.reader import Replica, replica_of
from tracelib.replica.settings import ReplicaSettings
from tracelib.replica.writer import Writer
from tracelib.source import Postgres

MOST_STEPS = 500
TIMEOUT_S = 60.0


def written(source: Postgres, folder: Path) -> ReplicaSettings:
    """A replica of this whole log, as it is now."""
    settings = ReplicaSettings(folder, duty=1.0)
    writer = Writer(lambda: source, Folder(settings))
    try:
        for _ in range(MOST_STEPS):
            writer.step()
            assert not writer.sentence, writer.sentence
            with opened(settings) as files:
                found = files.current()
            if found and found.manifest.complete_from is None and found.manifest.names_file:
                return settings
    finally:
        writer.close()
    raise AssertionError("The replica was never complete.")


@contextmanager
def opened(settings: ReplicaSettings) -> Iterator[Files]:
    """Its files, opened for reading."""
    files = Files(settings, 2)
    try:
        yield files
    finally:
        files.close()


def seen(files: Files, access: Access = FULL) -> Replica:
    """The replica as it is now, for this access."""
    replica = replica_of(files, access, TIMEOUT_S)
    assert replica is not None, files.sentence
    return replica
