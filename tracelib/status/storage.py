"""How large is the log?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from tracelib.source import Source
from tracelib.spendlogs import extent

# So few rows in so small a file are counted in milliseconds, and need no estimate.
FEW_ROWS = 10_000
SMALL_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """The log's size: rows, bytes with indexes and out-of-line parts, and partitions.

    `estimated_rows` is the planner's estimate, None where nobody ever analysed the table;
    `exact` says that it was counted instead. `partitions` is 0 where there are none.
    """

    estimated_rows: int | None
    bytes: int
    partitions: int
    exact: bool


def size(source: Source) -> Size:
    """How large is the log? Answered by the catalog, so a log of any size takes as long."""
    files = source.rows(extent.storage(source.schema))
    leaves = [file for file in files if file.relkind != extent.PARTITIONED]
    counted = _counted(source, leaves)
    return Size(
        estimated_rows=_estimated(leaves) if counted is None else counted,
        bytes=sum(file.total_bytes for file in files),
        partitions=len(leaves) if source.schema.is_partitioned else 0,
        exact=counted is not None,
    )


def _counted(source: Source, leaves: Sequence[Row[Any]]) -> int | None:
    if sum(leaf.heap_bytes for leaf in leaves) > SMALL_BYTES:
        return None
    if any(leaf.relkind != extent.PLAIN for leaf in leaves):
        return None
    count = int(source.row(extent.count_up_to(source.schema, FEW_ROWS))[0])
    return count if count <= FEW_ROWS else None


def _estimated(leaves: Sequence[Row[Any]]) -> int | None:
    """As the planner does: the rows a page had when last analysed, times the pages of now."""
    total = 0.0
    for leaf in leaves:
        if leaf.heap_bytes == 0 and leaf.relkind == extent.PLAIN:
            continue
        if leaf.known_rows < 0 or leaf.known_pages == 0:
            return None
        total += leaf.known_rows / leaf.known_pages * (leaf.heap_bytes / leaf.page_bytes)
    return round(total)
