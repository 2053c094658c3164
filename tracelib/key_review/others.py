"""Findings of keys that are in no table: the master key, and unknown keys that fail."""

from collections.abc import Iterator

import pandas as pd

from tracelib import formatting
from tracelib.key_review.judging import Finding
from tracelib.keys import NAMES
from tracelib.spendlogs.names import shortened
from tracelib.window import TimeWindow

MASTER = "litellm_proxy_master_key"


def findings_of_others(used: pd.DataFrame, window: TimeWindow) -> Iterator[Finding]:
    """Was the master key used, and which unknown keys failed, in this range?"""
    yield from _master(used[used["key"] == MASTER], window)
    unknown = used[used["kind"] == "unknown"]
    by_failures = unknown.sort_values(["failures", "key"], ascending=[False, True])
    for row in by_failures.to_dict("records"):
        yield Finding(
            "unknown_keys",
            row["key"],
            shortened(row["key"]),
            f"{formatting.counted(row['failures'], 'failure')} from "
            f"{_addresses(row['addresses'], row['address'])}; "
            f"{formatting.counted(row['keys'], 'unknown key')} in all.",
            since=row["first_at"].to_pydatetime(),
            requests=row["failures"],
            link_start=window.start,
            link_end=window.end,
            failures_only=True,
            only_address=row["address"] if row["addresses"] == 1 else None,
        )


def _addresses(count: int, one: object) -> str:
    if not count:
        return "an address that is not logged"
    return str(one) if count == 1 else f"{count} addresses"


def _master(used: pd.DataFrame, window: TimeWindow) -> Iterator[Finding]:
    requests = int(used["requests"].sum())
    if requests:
        yield Finding(
            "master_key",
            MASTER,
            NAMES[MASTER],
            f"{formatting.counted(requests, 'request')} in the range.",
            since=used["first_at"].min().to_pydatetime(),
            requests=requests,
            link_start=window.start,
            link_end=window.end,
        )
