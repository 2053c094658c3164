"""When anything ran at all: the union of all requests, and the gaps that it leaves."""

import numpy as np
import pandas as pd


def running(turns: pd.DataFrame) -> pd.DataFrame:
    """How many requests ran at once, from when to when? A row a stretch, in order.

        start_ms, end_ms   since the first start; stretches follow one another without a break
        at_once            int, 0 where nothing ran

    Wants start_ms and end_ms of each request. Stretches without length are left out, so
    requests that took no time have none.
    """
    starts, ends = turns["start_ms"].to_numpy("float64"), turns["end_ms"].to_numpy("float64")
    moments = np.concatenate([starts, ends])
    steps = np.repeat([1, -1], len(turns))
    order = np.argsort(moments, kind="stable")
    at_once = np.cumsum(steps[order])
    stretches = pd.DataFrame(
        {
            "start_ms": moments[order][:-1],
            "end_ms": moments[order][1:],
            "at_once": at_once[:-1],
        }
    )
    return stretches[stretches["end_ms"] > stretches["start_ms"]].reset_index(drop=True)


def gaps(stretches: pd.DataFrame) -> pd.DataFrame:
    """When did nothing run? A row a gap, in order: start_ms, end_ms and length_ms."""
    idle = stretches.loc[stretches["at_once"] == 0, ["start_ms", "end_ms"]]
    return idle.assign(length_ms=idle["end_ms"] - idle["start_ms"]).reset_index(drop=True)


def length_ms(stretches: pd.DataFrame, at_least: int) -> float:
    """For how long did so many requests run at once, or more?"""
    chosen = stretches[stretches["at_once"] >= at_least]
    return float((chosen["end_ms"] - chosen["start_ms"]).sum())
