"""Who is hit by incidents, with which errors, and in which sessions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, case, func, literal, select, union_all
from sqlalchemy.types import DateTime, Text

from tracelib.filters import Filters
from tracelib.incidents.counting import MOST_DOCUMENTS, Tested, is_of
from tracelib.incidents.values import Stretch
from tracelib.source import Source
from tracelib.spendlogs import measures
from tracelib.spendlogs.conditions import key_or_none
from tracelib.spendlogs.faults import signature, with_faults
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.types import utc
from tracelib.window import TimeWindow

OWNERS = ("team", "user", "key")
MOST_OWNERS, MOST_SIGNATURES, MOST_EXAMPLES = 5, 8, 3
# Failures before an incident, among which its errors are looked for.
MOST_EARLIER = 1_000
KEPT = (
    *("request_id", "session_id", "session_group", "api_key", "key_group", "start_order"),
    *("model", "team", "user", "provider", "deployment"),
)
ERROR = ("error_class", "error_code", "signature")
Rows = Sequence[Row[Any]]


class Details:
    """The faults of some stretches. Rows of each have the position of their stretch in `part`."""

    def __init__(
        self, source: Source, filters: Filters, stretches: Sequence[Stretch], tested: Tested
    ) -> None:
        self._source, self._filters, self._tested = source, filters, tested
        self._stretches = stretches

    def reads_hidden(self, one: Stretch) -> bool:
        """Can the retries and fallbacks of its time be read?"""
        return self._tested.reads_hidden or one.requests <= MOST_DOCUMENTS // 10

    def totals(self) -> Rows:
        """Failures, hidden, sessions, first_at and last_at of each stretch with a fault."""
        faults = self._faults()
        start = faults.c.start_order
        figures = measures.named(
            failures=func.count().filter(~faults.c.is_hidden),
            hidden=func.count().filter(faults.c.is_hidden),
            sessions=func.count(func.distinct(faults.c.session_group)),
            first_at=utc(func.min(start, type_=DateTime())),
            last_at=utc(func.max(start, type_=DateTime())),
        )
        return self._source.rows(select(faults.c.part, *figures).group_by(faults.c.part))

    def owners(self) -> Rows:
        """The teams, users and keys with the most faults, and how many there are.

        Dimension, id, name, failures, hidden and count, most faults first, ties by ID.
        """
        faults = self._faults()
        arms = [_owners(self._source, faults, dimension) for dimension in OWNERS]
        every = union_all(*arms).subquery("owners")
        columns = (*("part", "dimension", "id", "name", "failures", "hidden", "of"),)
        order = (every.c.part, every.c.dimension, every.c.rank)
        return self._source.rows(select(*(every.c[name] for name in columns)).order_by(*order))

    def signatures(self) -> Rows:
        """The most frequent errors: class, code, signature, failures, first_at and last_at."""
        failed = _signed(self._failed())
        by = (failed.c.part, *(failed.c[name] for name in ERROR))
        start = failed.c.start_order
        order: list[ColumnElement[Any]] = [func.count().desc()]
        order += [alphabetical(failed.c[name]) for name in ERROR]
        ranked = (
            select(
                *by,
                func.count().label("failures"),
                utc(func.min(start, type_=DateTime())).label("first_at"),
                utc(func.max(start, type_=DateTime())).label("last_at"),
                _rank(failed.c.part, order).label("rank"),
            )
            .group_by(*by)
            .subquery("ranked")
        )
        return self._source.rows(
            select(*ranked.c)
            .where(ranked.c.rank <= MOST_SIGNATURES)
            .order_by(ranked.c.part, ranked.c.rank)
        )

    def earlier_signatures(self, since: Sequence[TimeWindow]) -> Rows:
        """The errors of the newest failures in each of these times before a stretch.

        Part, class, code and signature.
        """
        arms = []
        for number, window in enumerate(since):
            failed = with_faults(self._source.requests(self._filters.within(window)), False, *KEPT)
            newest = (
                select(literal(number).label("part"), *failed.c)
                .order_by(failed.c.start_order.desc(), alphabetical(failed.c.request_id))
                .limit(MOST_EARLIER)
                .subquery()
            )
            signed = _signed(newest)
            arms.append(select(signed.c.part, *(signed.c[name] for name in ERROR)).distinct())
        every = union_all(*arms).subquery("earlier")
        return self._source.rows(select(*every.c))

    def examples(self) -> Rows:
        """Sessions with failures first, then those with the most faults.

        Session_id, api_key, key_name, model, faults, and request_id and started_at of the newest
        failure, or of a hidden fault if there is none.
        """
        newest = _newest_of_session(self._faults())
        is_hidden = case((newest.c.is_hidden, 1), else_=0)
        order = (is_hidden, newest.c.faults.desc(), alphabetical(newest.c.session_id))
        ranked = (
            select(
                *newest.c,
                _rank(newest.c.part, order).label("rank"),
            )
            .where(newest.c.place == 1)
            .subquery("ranked")
        )
        shown = select(*ranked.c).where(ranked.c.rank <= MOST_EXAMPLES).subquery("shown")
        identity = key_or_none(shown.c.key_group)
        name = self._source.name_of("key", identity, shown.c.request_id).label("key_name")
        columns = ("part", "session_id", "api_key", "model", "faults", "is_hidden", "request_id")
        return self._source.rows(
            select(
                *(shown.c[one] for one in columns),
                name,
                utc(shown.c.start_order).label("started_at"),
            ).order_by(shown.c.part, shown.c.rank)
        )

    def _faults(self) -> Subquery:
        return self._joined([self.reads_hidden(one) for one in self._stretches])

    def _failed(self) -> Subquery:
        return self._joined([False for _ in self._stretches])

    def _joined(self, reads_hidden: Sequence[bool]) -> Subquery:
        arms = []
        for number, (one, is_read) in enumerate(zip(self._stretches, reads_hidden, strict=True)):
            within = self._filters.within(TimeWindow(one.start, one.end))
            faults = with_faults(self._source.requests(within), is_read, *KEPT)
            own = is_of(faults, one.entity, self._tested.routes)
            arms.append(select(literal(number).label("part"), *faults.c).where(own))
        return union_all(*arms).subquery("faults")


def _owners(source: Source, faults: Subquery, dimension: str) -> Select[Any]:
    value = faults.c["key_group" if dimension == "key" else dimension]
    each = (
        select(
            faults.c.part,
            value.label("value"),
            measures.sample(faults),
            func.count().filter(~faults.c.is_hidden).label("failures"),
            func.count().filter(faults.c.is_hidden).label("hidden"),
        )
        .group_by(faults.c.part, value)
        .subquery(f"each_{dimension}")
    )
    identity = key_or_none(each.c.value) if dimension == "key" else each.c.value
    known = select(*each.c, identity.label("id")).subquery(f"known_{dimension}")
    order = ((known.c.failures + known.c.hidden).desc(), alphabetical(known.c.id))
    ranked = select(
        *known.c,
        _rank(known.c.part, order).label("rank"),
        func.count(known.c.id).over(partition_by=known.c.part).label("of"),
    ).subquery(f"ranked_{dimension}")
    return select(
        ranked.c.part,
        literal(dimension, Text()).label("dimension"),
        ranked.c.id,
        source.name_of(dimension, ranked.c.id, ranked.c.sample).label("name"),
        *(ranked.c[name] for name in ("failures", "hidden", "of", "rank")),
    ).where(ranked.c.rank <= MOST_OWNERS)


def _rank(part: ColumnElement[int], order: Sequence[ColumnElement[Any]]) -> ColumnElement[int]:
    return func.row_number().over(partition_by=part, order_by=order)


def _signed(failed: Subquery) -> Subquery:
    text = signature(failed.c.error_message).label("signature")
    return select(*failed.c, text).subquery("signed")


def _newest_of_session(faults: Subquery) -> Subquery:
    session = (faults.c.part, faults.c.session_group)
    # A failure before a hidden fault, whose ID a replica does not have.
    order: tuple[ColumnElement[Any], ...] = (
        case((faults.c.is_hidden, 1), else_=0),
        faults.c.start_order.desc(),
        alphabetical(faults.c.request_id),
    )
    return select(
        *faults.c,
        func.count().over(partition_by=session).label("faults"),
        func.row_number().over(partition_by=session, order_by=order).label("place"),
    ).subquery("newest")
