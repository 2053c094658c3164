"""Requests with the facts of their bodies, and how they compare with each other."""

from sqlalchemy import FromClause, Subquery, func, select, true
from sqlalchemy.types import BigInteger

from tracelib.spendlogs import facts, marks
from tracelib.spendlogs.body_facts import FACTS, body_facts
from tracelib.spendlogs.measures import Relation, alphabetical
from tracelib.spendlogs.types import are_columns
from tracelib.spendlogs.wasted import READ

KEPT = tuple(
    dict.fromkeys(
        (
            *("request_id", "start_order", "session_id", "api_key", "tool", "call_type"),
            *READ,
            *marks.READ,
        )
    )
)
OF_METADATA = ("cached_prompt_tokens",)
BODIES = ("request_body", "response_body")


def are_held(requests: Subquery) -> bool:
    """Are the facts of bodies among these columns, or the bodies themselves?"""
    return not are_columns(requests) or "miss" in requests.c


def compared(requests: Subquery, newest: int) -> Relation:
    """Which of these requests have a body, and what does it show?

    The columns of `KEPT`, of `facts.with_facts`, and of `body_facts.FACTS` and `marks.MARKS`: of
    the `newest` requests with a prompt, which are compared with each other; of all in a replica.
    """
    if are_columns(requests):
        names = dict.fromkeys((*KEPT, *facts.FACTS, *FACTS, *marks.MARKS))
        held = select(*(requests.c[name] for name in names))
        return held.where(requests.c.wants_cache.is_not(None)).subquery("compared")
    known = _known(requests, newest)
    every = (column.name for column in known.c)
    found = marks.marked(known, "number", *every).subquery("found")
    return select(*found.c).where(found.c.wants_cache.is_not(None)).cte("compared")


def _known(requests: Subquery, newest: int) -> FromClause:
    """The newest requests with a prompt, and their facts, in the order of their numbers."""
    plain = [name for name in KEPT if name not in OF_METADATA]
    order = (requests.c.start_order.desc(), alphabetical(requests.c.request_id))
    rows = (
        select(*(requests.c[name] for name in (*plain, "metadata", *BODIES)))
        .where(requests.c.has_prompt)
        .order_by(*order)
        .limit(newest)
        .subquery("rows")
    )
    joins, of_bodies = body_facts(rows)
    by_start = (rows.c.start_order, alphabetical(rows.c.request_id))
    number = func.row_number(type_=BigInteger()).over(order_by=by_start).label("number")
    known = facts.with_facts(rows, *plain).add_columns(number, *of_bodies)
    for one in joins:
        known = known.outerjoin(one, true())
    return known.cte("facts_of_bodies")
