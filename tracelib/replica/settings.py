"""What an installation says about its replica."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """Where the replica is, and how much it may use.

    `duty` is the share of time that history is read in, `disk_mb` is None without a limit, and with
    `keeps_history` the replica keeps what LiteLLM's retention removes.
    """

    folder: Path
    duty: float = 0.5
    memory_mb: int = 768
    disk_mb: int | None = None
    keeps_history: bool = False
