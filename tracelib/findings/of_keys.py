"""What the review of keys shows that needs attention now: misuse, not housekeeping."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd

from tracelib import formatting
from tracelib.filters import Filters
from tracelib.findings.finding import Evidence, Finding, Found, evidence, finding_id
from tracelib.key_review import FINDINGS, KeyReview, key_review
from tracelib.ledgers.windows import Run
from tracelib.window import LONGEST, TimeWindow

NAME = "keys"
DAYS = timedelta(days=7)
# Others wait for a review: a key without an expiry is no news.
URGENT = (
    *("spend_after_expiry", "disabled_but_tried", "master_key"),
    *("unknown_keys", "new_network"),
)
# Of these, one finding for all keys.
TOGETHER = {
    "unknown_keys": "Requests with {keys} that LiteLLM does not know fail",
    "new_network": "{keys} used from a network that is new for it",
}
HEADLINES = {
    "spend_after_expiry": "Key {name} costs money though it is expired",
    "disabled_but_tried": "Key {name} is disabled and still tried",
    "master_key": "The master key is used for requests",
}
NAMED = 3
UNREADABLE = "The keys of LiteLLM cannot be read here."


def of_keys(run: Run, filters: Filters, now: datetime) -> Found:
    """Which keys are used as they should not be, in the last 7 days?

    A finding per key that is expired or blocked, one for all unknown keys together, and one for all
    that are used from a new network.
    """
    review: KeyReview
    (review,) = run([(key_review, filters.within(TimeWindow(now - DAYS, now)))])
    if not review.is_readable:
        return Found(notes=(UNREADABLE,))
    tested = formatting.counted(review.reviewed, "key")
    return Found(tuple(_findings(review)), (tested,), review.unknown)


def _findings(review: KeyReview) -> Iterator[Finding]:
    for kind in URGENT:
        rows = review.rows[review.rows["finding"] == kind]
        if rows.empty:
            continue
        if kind in TOGETHER:
            yield _together(kind, rows)
        else:
            yield from (_of_key(kind, row) for _, row in rows.iterrows())


def _of_key(kind: str, row: "pd.Series[str]") -> Finding:
    return Finding(
        id=finding_id(NAME, kind, row["key"]),
        source=NAME,
        about=("key", row["key"]),
        headline=HEADLINES[kind].format(name=row["key_name"]),
        cause=row["evidence"],
        remedy=FINDINGS[kind].remedy,
        people=1,
        requests=None if pd.isna(row["requests"]) else int(row["requests"]),
        since=_moment(row["since"]),
        evidence=_evidence(row, [row["key"]]),
    )


def _together(kind: str, rows: pd.DataFrame) -> Finding:
    first = rows.iloc[0]
    keys = list(dict.fromkeys(rows["key"]))
    counted = formatting.counted(len(keys), "key")
    cause = first["evidence"]
    if kind == "new_network":
        names = ", ".join(dict.fromkeys(rows["key_name"].head(NAMED)))
        counted = f"{counted} {'is' if len(keys) == 1 else 'are'}"
        cause = f"{names}{' and others' if len(keys) > NAMED else ''}. {cause}"
    requests = rows["requests"].sum()
    return Finding(
        id=finding_id(NAME, kind),
        source=NAME,
        about=("keys", kind),
        headline=TOGETHER[kind].format(keys=counted),
        cause=cause,
        remedy=FINDINGS[kind].remedy,
        people=1,
        requests=int(requests),
        since=_moment(rows["since"].min()),
        evidence=_evidence(first, keys),
    )


def _evidence(row: "pd.Series[str]", keys: list[str]) -> Evidence | None:
    """The requests of these keys; of a review without requests, there are none."""
    start, end = _moment(row["link_start"]), _moment(row["link_end"])
    if start is None or end is None:
        return None
    window = TimeWindow(max(start, end - LONGEST), end)
    more = {"status": "with failures"} if row["failures_only"] else {}
    return evidence("Sessions", window, more, {"key": keys})


def _moment(value: object) -> datetime | None:
    return None if not isinstance(value, pd.Timestamp) or pd.isna(value) else value.to_pydatetime()
