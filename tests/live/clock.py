"""The time that a program believes in, set from outside by libfaketime."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class Clock:
    """The clock of the programs that are started with its `variables`; it goes on by itself."""

    def __init__(self, folder: Path, moment: datetime) -> None:
        self._file = folder / "clock"
        self.set(moment)

    def set(self, moment: datetime) -> None:
        """Make it this moment; programs that run already see it within a second."""
        ahead = (moment - datetime.now(UTC)) // timedelta(seconds=1)
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{ahead:+d}")
        whole.rename(self._file)

    @property
    def variables(self) -> dict[str, str]:
        """What lets a program read this clock.

        Its monotonic clock moves too: the library makes each sleep of Python fail with EINVAL if
        that stays as it is. So set the clock while nothing is under way that is measured.
        """
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
        }
