"""Folders with data that only the user who runs the dashboard may read."""

import os
from pathlib import Path


def is_own(path: Path) -> bool:
    """Does this belong to the user who runs the dashboard? Raises an OSError if it is missing."""
    # Windows has no such numbers, and its cache folders are each user's own.
    return not hasattr(os, "geteuid") or path.stat().st_uid == os.geteuid()


def make_own(folder: Path) -> None:
    """Make the folder for this user only. Raises an OSError if it cannot be, or is another's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_own(folder):
        raise PermissionError(f"{folder} belongs to another user of this machine")
