"""Unknown keys of one address as one row: a scan has hundreds, which would bury all else."""

from typing import Any

import pandas as pd

from tracelib import formatting

# Fewer are rows of their own.
LEAST_TOGETHER = 3
# As many as a link can name.
MOST_TOGETHER = 50


def together(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a review, with one for the unknown keys of an address from the third on.

    In the order of the first of each. `keys` are the identities of a row, a tuple of text, at most
    `MOST_TOGETHER`: those beyond are another row.
    """
    shown = rows.assign(keys=pd.Series([(key,) for key in rows["key"]], rows.index, dtype=object))
    place = shown.groupby("only_address").cumcount() // MOST_TOGETHER
    scans = shown.groupby([shown["only_address"], place], sort=False)
    for _, scan in scans:
        if len(scan) >= LEAST_TOGETHER:
            shown = shown.drop(scan.index[1:])
            for name, value in _whole(scan).items():
                shown.at[scan.index[0], name] = value
    return shown.reset_index(drop=True)


def _whole(scan: pd.DataFrame) -> dict[str, Any]:
    """What differs from the first of these rows where they are one."""
    requests = int(scan["requests"].sum())
    address = scan["only_address"].iloc[0]
    return {
        "key_name": f"{len(scan)} unknown keys",
        "keys": tuple(scan["key"]),
        "evidence": f"{formatting.counted(requests, 'failure')} from {address}, with these keys.",
        "requests": requests,
        "since": scan["since"].min(),
    }
