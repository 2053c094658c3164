"""One writer for each folder, among all processes that share it."""

from pathlib import Path
from threading import Lock

import fasteners  # type: ignore[import-untyped]

NAME = "replica.lock"
# The system's lock is the process's: two writers in one process would both get it.
_held: set[Path] = set()
_holding = Lock()


class Election:
    """A candidate for being the only writer of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock = fasteners.InterProcessLock(str(self._folder / NAME))
        self.is_won = False

    def win(self) -> bool:
        """Am I the writer? Takes the lock if no one holds it, and keeps it. Raises an OSError."""
        if self.is_won:
            return True
        with _holding:
            if self._folder not in _held and self._lock.acquire(blocking=False):
                _held.add(self._folder)
                self.is_won = True
        return self.is_won

    def resign(self) -> None:
        """Let another one be the writer."""
        with _holding:
            if self.is_won:
                self._lock.release()
                _held.discard(self._folder)
                self.is_won = False
