"""However two ledgers differ, the classes add up to the difference, and equal ones have none."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tracelib.ledgers.cells import Cell, Sums
from tracelib.ledgers.classes import Amount, by_class, total, without_noise
from tracelib.ledgers.splitting import Evidence, split

DAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 28, 12)
MONEY = st.decimals(-5, 5, places=9, allow_nan=False)
CELLS = st.builds(
    Cell,
    st.sampled_from([DAY, DAY - timedelta(1)]),
    st.sampled_from(["", "ada", "bob"]),
    st.sampled_from(["k1", "k2"]),
    st.sampled_from(["m1", "m2"]),
    st.just("openai"),
    st.just(""),
)
MOMENTS = st.one_of(
    st.none(), st.integers(-30, 30).map(lambda minutes: NOON + timedelta(minutes=minutes))
)
SUMS = st.builds(
    Sums,
    st.integers(0, 9),
    st.integers(0, 3),
    MONEY,
    st.integers(0, 99),
    st.integers(0, 99),
    MOMENTS,
    MOMENTS,
)
LEDGER = st.dictionaries(CELLS, SUMS, max_size=8)
LESS = SUMS.map(lambda sums: sums._replace(requests=-sums.requests, usd=-sums.usd))
EVIDENCE = st.builds(
    Evidence,
    st.sampled_from(["user", "team", "tag"]),
    MOMENTS.map(lambda at: at and at.replace(tzinfo=UTC)),
    st.just(None),
    st.just(NOON.replace(tzinfo=UTC)),
    st.frozensets(st.sampled_from(["m1", "m2"])),
    pending=LEDGER,
    parked=LEDGER,
    young=LEDGER,
    uncounted=LEDGER,
    repeated=st.dictionaries(CELLS, LESS, max_size=4),
)


@given(LEDGER, LEDGER, EVIDENCE)
def test_the_classes_add_up_to_the_difference_of_each_cell_and_of_all(log, daily, known):
    found = split(log, daily, known)
    for one in found:
        own, booked = log.get(one.cell, Sums()), daily.get(one.cell, Sums())
        usd = without_noise(own, booked)
        assert one.whole == Amount(own.requests - booked.requests, usd)
    classes = by_class(found)
    whole = total(one.whole for one in found)
    assert total(classes.values()) == whole
    assert whole.requests == sum(one.requests for one in log.values()) - sum(
        one.requests for one in daily.values()
    )
    every = log.keys() | daily.keys()
    apart = (without_noise(log.get(one, Sums()), daily.get(one, Sums())) for one in every)
    assert whole.usd == sum(apart, Decimal(0))


@given(LEDGER, EVIDENCE)
def test_equal_ledgers_have_no_difference_whatever_is_known(log, known):
    assert split(log, log, known) == []


def cell(**of: str) -> Cell:
    return Cell(DAY, "ada", "k1", "m1", "openai", "")._replace(**of)


def known(**of: object) -> Evidence:
    begins = datetime(2026, 11, 1, tzinfo=UTC)
    return Evidence("user", begins, None, datetime(2026, 11, 29, tzinfo=UTC), **of)


def classes(log: dict, daily: dict, evidence: Evidence | None = None) -> dict:
    return dict(by_class(split(log, daily, evidence or known())))


def test_what_is_pending_goes_before_what_only_fits():
    log, daily = {cell(): Sums(5, 0, Decimal(5))}, {cell(): Sums(2, 0, Decimal(2))}
    waiting = known(pending={cell(): Sums(2, 0, Decimal(2))})
    assert classes(log, daily, waiting) == {
        "in_flight": Amount(2, Decimal(2)),
        "lost_between_writes": Amount(1, Decimal(1)),
    }


def test_more_evidence_than_difference_explains_no_more_than_that():
    log, daily = {cell(): Sums(3, 0, Decimal(3))}, {cell(): Sums(2, 0, Decimal("2.5"))}
    waiting = known(pending={cell(): Sums(9, 0, Decimal(9))})
    assert classes(log, daily, waiting) == {"in_flight": Amount(1, Decimal("0.5"))}


def test_fewer_requests_that_cost_more_are_unexplained():
    log, daily = {cell(): Sums(1, 0, Decimal(3))}, {cell(): Sums(2, 0, Decimal(2))}
    assert classes(log, daily) == {"unexplained": Amount(-1, Decimal(1))}


def test_whole_cells_that_the_log_lacks_were_not_kept():
    other = cell(model="m2")
    log = {cell(): Sums(3, 0, Decimal(3))}
    daily = {cell(): Sums(4, 0, Decimal(4)), other: Sums(2, 0, Decimal(2))}
    assert classes(log, daily) == {"not_kept": Amount(-3, Decimal(-3))}


def test_failures_without_an_id_of_their_own_have_one_row_for_all():
    log, daily = {cell(): Sums(3, 1, Decimal(3))}, {cell(): Sums(7, 5, Decimal(3))}
    assert classes(log, daily, known(none_models=frozenset({"m1"}))) == {
        "same_id_twice": Amount(-4)
    }
    assert classes(log, daily) == {"not_kept": Amount(-4)}


def test_alike_differences_of_two_strangers_are_not_the_same_requests():
    """Neither the key nor the owner is the same; on coarse days nothing else is known."""
    for fine in (True, False):
        own = cell() if fine else cell(model="", provider="")
        other = own._replace(owner="bob", key="k2")
        log, daily = {own: Sums(1, 0, Decimal(1)), other: Sums(1)}, {other: Sums(2, 0, Decimal(1))}
        assert set(classes(log, daily)) == {"lost_between_writes", "same_id_twice"}
        renamed = own._replace(owner="bob")
        assert classes({own: Sums(1, 0, Decimal(1))}, {renamed: Sums(1, 0, Decimal(1))}) == {}


def test_ten_thousand_equal_differences_are_paired_at_once():
    more = {cell(key=f"k{n}"): Sums(1, 0, Decimal(1)) for n in range(10_000)}
    less = {one._replace(owner="bob"): sums for one, sums in more.items()}
    found = split(more, less, known())
    assert {name for one in found for name in one.parts} == {"counted_otherwise"}


NOW = datetime(2026, 11, 28, 12, 0, 30, tzinfo=UTC)


def of_now(**of: object) -> Evidence:
    return Evidence("user", datetime(2026, 11, 1, tzinfo=UTC), None, NOW, **of)


def test_where_the_log_comes_first_it_is_never_behind():
    log, daily = {cell(): Sums(3)}, {cell(): Sums(4, last_at=NOON)}
    assert set(classes(log, daily, of_now())) == {"in_flight"}
    assert set(classes(log, daily, of_now(has_deliveries=True))) == {"same_id_twice"}


def test_a_log_with_requests_of_this_minute_lacks_no_more_than_as_many():
    log, daily = {cell(): Sums(30)}, {cell(): Sums(90, last_at=NOON)}
    assert set(classes(log, daily, of_now(young={cell(): Sums(7)}))) == {"same_id_twice"}
    assert set(classes(log, daily, of_now(young={cell(): Sums(60)}))) == {"in_flight"}


BEGINS = datetime(2026, 11, 28, 9, tzinfo=UTC)
EARLY, LATE = datetime(2026, 11, 28, 9, 0, 20), datetime(2026, 11, 28, 11)


def test_of_the_first_day_what_was_booked_at_once_may_be_from_before_the_log():
    """Where the totals have earlier days; a row that is younger by hours is not from before."""
    late = cell(model="m2")
    log = {cell(): Sums(3), late: Sums(3)}
    daily = {cell(): Sums(5, first_at=EARLY), late: Sums(6, first_at=LATE)}
    evidence = Evidence("user", BEGINS, None, datetime(2026, 11, 29, tzinfo=UTC))
    assert classes(log, daily, evidence) == {"same_id_twice": Amount(-5)}
    earlier = Evidence(
        *("user", BEGINS, None, datetime(2026, 11, 29, tzinfo=UTC)), first_booked=date(2026, 11, 1)
    )
    assert classes(log, daily, earlier) == {
        "deleted_by_retention": Amount(-2),
        "same_id_twice": Amount(-3),
    }


def of_tags(count: int, tag: str) -> dict[Cell, Sums]:
    return {
        cell(owner=f"{tag}{n:03}"): Sums(
            1, first_at=NOON + timedelta(minutes=n), last_at=NOON + timedelta(minutes=n)
        )
        for n in range(count)
    }


def cut(cells: dict[Cell, Sums], count: int) -> dict[Cell, Sums]:
    return dict(sorted(cells.items())[:count])


def test_tags_of_which_only_litellms_own_were_written_are_beyond_the_first_hundred():
    own, sent = of_tags(110, "User-Agent: "), of_tags(20, "z")
    both = Evidence("tag", BEGINS, None, NOW + timedelta(1), automatic=(own, cut(own, 100)))
    assert set(classes(sent, {}, both)) == {"first_hundred_drop"}


def test_tags_that_a_stopped_gateway_lost_with_litellms_own_are_only_in_the_log():
    own, sent = of_tags(110, "User-Agent: "), of_tags(20, "z")
    kept = {one: sums for one, sums in own.items() if not one.owner.endswith("7")}
    both = Evidence("tag", BEGINS, None, NOW + timedelta(1), automatic=(own, kept))
    assert set(classes(sent, {}, both)) == {"lost_between_writes"}
