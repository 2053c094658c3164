"""The newest requests that a check has found."""

from collections.abc import Callable, Mapping
from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, FromClause, Subquery, and_, not_, select

from tracelib.filters import Filters
from tracelib.quality.by_index import FUTURE, NO_IDS, to_come, without_id
from tracelib.quality.counting import BITS, GENERATED
from tracelib.quality.sampling import (
    AS_TEXT,
    DUPLICATED,
    NEWEST,
    NEWEST_DOCUMENTS,
    NO_PROMPT,
    STREAMS,
    is_repeated,
)
from tracelib.source import Postgres
from tracelib.spendlogs import stored_as
from tracelib.spendlogs.defects import has_no_first_token
from tracelib.spendlogs.measures import alphabetical

MOST = 20
Condition = Callable[[Subquery], ColumnElement[bool]]
# Of the newest requests alone: how many of them are read, and which have the defect.
OF_NEWEST: Mapping[str, tuple[int, Condition]] = {
    NO_PROMPT: (NEWEST, lambda newest: not_(newest.c.has_prompt)),
    DUPLICATED: (NEWEST, lambda newest: is_repeated(newest)),
    AS_TEXT: (NEWEST_DOCUMENTS, stored_as.has_text),
    STREAMS: (
        NEWEST_DOCUMENTS,
        lambda newest: and_(stored_as.is_streamed(newest), has_no_first_token(newest)),
    ),
}
WITH_EXAMPLES = frozenset({*BITS, NO_IDS, FUTURE, *OF_NEWEST}) - {GENERATED}


def examples(source: Postgres, filters: Filters, name: str, now: datetime) -> pd.DataFrame:
    """Which requests has this check found? At most 20, the newest first.

        request_id, session_id, api_key, key_name, model    text
        started_at          aware UTC
        total_tokens        int
        cost_usd            double, None if it is no possible amount

    For the checks in `WITH_EXAMPLES`. None gives the same columns without rows.
    """
    found = _found(source, filters, name, now)
    order = (found.c.start_order.desc(), alphabetical(found.c.request_id))
    newest = select(*found.c).order_by(*order).limit(MOST).subquery("examples")
    return source.frame(
        select(
            *(newest.c[one] for one in ("request_id", "session_id", "api_key")),
            source.name_of("key", newest.c.key, newest.c.request_id).label("key_name"),
            *(newest.c[one] for one in ("model", "started_at", "total_tokens")),
            newest.c.spend_order.label("cost_usd"),
        ).order_by(newest.c.start_order.desc(), alphabetical(newest.c.request_id))
    )


def _found(source: Postgres, filters: Filters, name: str, now: datetime) -> FromClause:
    if name == NO_IDS:
        return without_id(source, filters)
    if name == FUTURE:
        return to_come(source, filters, now)
    requests = source.requests(filters)
    if name in BITS:
        return select(*requests.c).where(BITS[name](requests)).subquery("found")
    limit, has = OF_NEWEST[name]
    order = (requests.c.start_order.desc(), alphabetical(requests.c.request_id))
    newest = select(*requests.c).order_by(*order).limit(limit).subquery("newest")
    flagged = select(*newest.c, has(newest).label("is_found")).subquery("flagged")
    return select(*flagged.c).where(flagged.c.is_found).subquery("found")
