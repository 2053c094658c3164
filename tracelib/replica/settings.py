"""What an installation says about its replica."""

from dataclasses import dataclass
from pathlib import Path

LEAST_WRITING_MB = 256


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """Where the replica is, and how much it may use.

    `duty` is the share of time that history is read in, `disk_mb` is None without a limit, and with
    `keeps_history` the replica keeps what LiteLLM's retention removes. If it `reads_bodies`, it has
    facts of them.
    """

    folder: Path
    duty: float = 0.5
    memory_mb: int = 768
    disk_mb: int | None = None
    keeps_history: bool = False
    reads_bodies: bool = False

    @property
    def writing_mb(self) -> int:
        """How much memory writing may use, while queries use all of `memory_mb`.

        With less than that, rows of LiteLLM's 11 kB of metadata do not fit.
        """
        return max(self.memory_mb // 3, LEAST_WRITING_MB)
