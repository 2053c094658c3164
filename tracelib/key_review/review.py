"""The review of keys: each finding of each key, with its evidence."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pandas as pd

from tracelib import errors
from tracelib.filters import Filters
from tracelib.key_review.catalogue import FINDINGS
from tracelib.key_review.granted import called_tools, server_names
from tracelib.key_review.judging import Finding, Grants, Judged, Used, findings_of
from tracelib.key_review.keys import Keys, keys_of
from tracelib.key_review.others import findings_of_others
from tracelib.key_review.usage import reach_of, usage_of_keys
from tracelib.source import Postgres

LOG_UNREAD = "Unknown: use in the log. It could not be read in time; choose a shorter range."
TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("finding", "key", "key_name", "evidence", "user_name", "team_name"), "str"),
    **dict.fromkeys(("tag", "address", "only_address"), "str"),
    "requests": "Int64",
    "failures_only": "bool",
}
MOMENTS = ("since", "link_start", "link_end")


@dataclass(frozen=True, slots=True)
class KeyReview:
    """The findings of keys in a range.

    `rows` has a row per key and finding, the gravest finding first, then by name of the key:

        finding          text        one of `FINDINGS`
        key              text        the identity, for filters; not to be shown
        key_name, user_name, team_name     text, None without one
        since            aware UTC   None if unknown
        requests         int         that are the evidence; None if it is no request
        evidence         text        a sentence
        link_start, link_end         aware UTC, the time of these requests
        failures_only    bool        whether they are failures
        tag, address     text        what they have in common, if it is one
        only_address     text        of an unknown key, if it is one

    `keys` is how many there are, `reviewed` how many were read; `log_from` the oldest request that
    was read. `unknown` says in sentences what could not be judged. `is_readable` is False if the
    table of keys may not be read.
    """

    rows: pd.DataFrame
    keys: int
    reviewed: int
    log_from: datetime | None
    unknown: tuple[str, ...]
    is_readable: bool

    def count_of(self, finding: str) -> int:
        """How many keys have this finding?"""
        return int((self.rows["finding"] == finding).sum())


def key_review(source: Postgres, filters: Filters) -> KeyReview:
    """Which keys need attention, and why?

    Of the keys, teams and users in the filters; other filters do not narrow it. Judged as of the
    end of the range. Without keys, a review without rows.
    """
    keys = keys_of(source, filters)
    try:
        used = usage_of_keys(source, filters)
    except errors.QuestionTooSlow:
        used = None
    judged = Judged(filters.window, _log_from(used), Used.of(used), _grants(source, filters, keys))
    found = [*_of_keys(keys, judged)]
    if used is not None and not (filters.key or filters.team or filters.user):
        found += findings_of_others(used, filters.window)
    return KeyReview(
        rows=_frame(found),
        keys=keys.total,
        reviewed=0 if keys.rows is None else len(keys.rows),
        log_from=judged.log_from,
        unknown=(*keys.unknown, *([LOG_UNREAD] if used is None else [])),
        is_readable=keys.rows is not None,
    )


def _of_keys(keys: Keys, judged: Judged) -> Iterator[Finding]:
    if keys.rows is None:
        return
    plain = keys.rows.astype(object).where(keys.rows.notna(), None)
    for row in plain.to_dict("records"):
        yield from findings_of({str(name): value for name, value in row.items()}, judged)


def _log_from(used: pd.DataFrame | None) -> datetime | None:
    first = None if used is None else used["first_at"].min()
    return None if first is None or pd.isna(first) else first.to_pydatetime()


def _grants(source: Postgres, filters: Filters, keys: Keys) -> Grants:
    """What is needed to compare granted tools; nothing is read if no key has any."""
    granted = [] if keys.rows is None else [*keys.rows["mcp_servers"], *keys.rows["mcp_tools"]]
    if not any(isinstance(one, list | dict) and one for one in granted):
        return Grants({}, {})
    read = Filters(reach_of(filters.window))
    return Grants(server_names(source), called_tools(source, read))


def _frame(found: list[Finding]) -> pd.DataFrame:
    order = {name: place for place, name in enumerate(FINDINGS)}
    found.sort(key=lambda one: order[one.finding])
    names = [one.name for one in fields(Finding)]
    # Not by `astuple`, which copies each value.
    rows = [[getattr(one, name) for name in names] for one in found]
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    moments = {name: pd.to_datetime(frame[name], utc=True).dt.as_unit("us") for name in MOMENTS}
    return frame.astype(TYPES).assign(**moments)
