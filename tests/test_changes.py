"""What changed against the window before: the parts add up to the change, exactly."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calling import calls_of, token
from tests.page_words import words
from tests.replicas import PLACES
from tests.rows import KEY, NOON, failure, key_of, name_key, name_team, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, source_of
from tracelib import changes, sessions
from tracelib.changes import DIMENSIONS, MEASURES, Group, Sums
from tracelib.changes.splitting import MOST_MOVERS
from tracelib.choice import Choice, read_choice
from tracelib.filters import Filters
from tracelib.page import changes_part
from tracelib.permissions.access import Access, Scope

BEFORE = NOON - timedelta(minutes=30)
OLD = spend_log(startTime=NOON - 5 * HOUR, spend=0.0)
"""The log reaches back further than the window before."""


def compared(source, filters: Filters = FILTERS, measure: str = "cost_usd"):
    """The comparison, and its splits by each dimension."""
    found = changes.comparison(source, filters)
    sessions = changes.changed_sessions(source, filters, measure)
    splits = changes.splits(MEASURES[measure], found, sessions)
    return found, {one.dimension: one for one in splits}


def said(source, filters: Filters = FILTERS, measure: str = "cost_usd") -> str:
    found, splits = compared(source, filters, measure)
    return changes.headline(MEASURES[measure], found, tuple(splits.values()), "UTC")


def movers(split) -> list[tuple]:
    return [(one.group.name, float(one.change), one.is_new, one.is_gone) for one in split.movers]


amounts = st.integers(-(10**18), 10**21).map(lambda units: Decimal(units).scaleb(-15))


@st.composite
def sums(draw) -> Sums:
    requests = draw(st.integers(0, 50))
    answered = draw(st.integers(0, requests))
    return Sums(
        requests=requests,
        failures=draw(st.integers(0, requests)),
        cost_usd=draw(amounts) if requests else Decimal(0),
        tokens=draw(st.integers(-3, 10**6)) if requests else 0,
        answered=answered,
        response_ms=draw(st.integers(0, 10**7)) if answered else 0,
    )


def group(number: int, before: Sums, now: Sums) -> Group:
    return Group("model", f"model-{number}", f"model-{number}", before, now)


groups = st.lists(st.tuples(sums(), sums()), max_size=14).map(
    lambda pairs: [group(number, *pair) for number, pair in enumerate(pairs)]
)


def whole_of(all_groups: list[Group]) -> tuple[Sums, Sums]:
    before = now = Sums()
    for one in all_groups:
        before, now = before.plus(one.before), now.plus(one.now)
    return before, now


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@given(all_groups=groups, unread=st.integers(0, 14))
def test_the_parts_add_up_to_the_change_exactly(measure, all_groups, unread):
    whole = whole_of(all_groups)
    found = changes.split(measure, "model", whole, all_groups[unread:], len(all_groups))
    before, now = map(measure.value, whole)
    if before is None or now is None:
        assert found is None
        return
    parts = [*found.movers, *([found.others] if found.others else [])]
    assert sum((one.change for one in parts), Fraction(0)) == found.change == now - before
    for one in parts:
        assert measure.of is None or one.mix + one.rate == one.change
    assert len(found.movers) <= MOST_MOVERS
    sizes = [abs(one.change) for one in found.movers]
    assert sizes == sorted(sizes, reverse=True)
    assert 0 not in sizes


@given(all_groups=groups, unread=st.integers(0, 14))
def test_the_effects_on_cost_add_up_to_its_change_exactly(all_groups, unread):
    whole = whole_of(all_groups)
    effects = changes.cost_effects(whole, all_groups[unread:])
    assert effects.total == Fraction(whole[1].cost_usd) - Fraction(whole[0].cost_usd)


@pytest.mark.parametrize(
    ("now", "effects"),
    [
        ({"requests": 20, "tokens": 2_000, "cost_usd": Decimal(4)}, (2, 0, 0)),
        ({"requests": 10, "tokens": 3_000, "cost_usd": Decimal(6)}, (0, 4, 0)),
        ({"requests": 10, "tokens": 1_000, "cost_usd": Decimal(5)}, (0, 0, 3)),
    ],
    ids=["more requests", "longer requests", "dearer tokens"],
)
def test_one_factor_that_moves_alone_has_the_whole_effect(now, effects):
    before = Sums(requests=10, tokens=1_000, cost_usd=Decimal(2))
    one = group(1, before, Sums(**now))
    found = changes.cost_effects((one.before, one.now), [one])
    assert (found.requests, found.size, found.price) == effects


def test_models_of_one_window_and_models_without_tokens_have_their_own_effect():
    image = group(1, Sums(requests=2, cost_usd=Decimal(2)), Sums(requests=3, cost_usd=Decimal(6)))
    new = group(2, Sums(), Sums(requests=1, tokens=5, cost_usd=Decimal(7)))
    gone = group(3, Sums(requests=1, tokens=5, cost_usd=Decimal(4)), Sums())
    found = changes.cost_effects(whole_of([image, new, gone]), [image, new, gone])
    assert (found.requests, found.size, found.price) == (Fraction(3, 2), 0, Fraction(5, 2))
    assert (found.new_models, found.gone_models) == (7, -4)


def test_another_share_is_mix_and_another_average_is_rate():
    def answers(count: int, ms: int) -> Sums:
        return Sums(requests=count, answered=count, response_ms=count * ms)

    measure = MEASURES["response_ms_avg"]
    # The slow model is used three times as much as before, and is as slow as before.
    fast, slow = (
        group(1, answers(3, 100), answers(1, 100)),
        group(2, answers(1, 900), answers(3, 900)),
    )
    found = changes.split(measure, "model", whole_of([fast, slow]), [fast, slow])
    assert found.change == 400
    assert {one.group.id: (one.mix, one.rate) for one in found.movers} == {
        "model-1": (100, 0),
        "model-2": (300, 0),
    }
    # It is used as before, and is slower.
    slower = group(2, answers(1, 900), answers(1, 1_300))
    fast = group(1, answers(3, 100), answers(3, 100))
    found = changes.split(measure, "model", whole_of([fast, slower]), [fast, slower])
    assert [(one.group.id, one.mix, one.rate) for one in found.movers] == [("model-2", 0, 100)]


def two_windows(*more: dict) -> list[dict]:
    """A dollar in each window by key test, of model gpt-4o."""
    return [OLD, spend_log(startTime=BEFORE, spend=1.0), spend_log(spend=1.0), *more]


def gardener(**given: object) -> dict:
    given = {"session_id": "loop", "spend": 31.0, "model_group": "claude"} | given
    return spend_log(api_key=key_of("gardener"), user="ada", team_id="blue", **given)


def test_a_session_is_named_by_its_key(database):
    log = database(rows=two_windows(gardener(), gardener(spend=31.85)))
    name_key(log.engine, key_of("gardener"), "repo-gardener")
    source = source_of(log)
    assert said(source) == (
        "Cost rose by $62.85 to $63.85 (× 64): one session of repo-gardener, $62.85 of $62.85."
    )
    found, splits = compared(source)
    assert found.before == Sums(1, 0, Decimal(1), 15, 1, 1000)
    assert found.now == Sums(3, 0, Decimal("63.85"), 45, 3, 3000)
    assert found.counts == {"key": 2, "user": 2, "team": 2, "model": 2, "provider": 1}
    assert list(splits) == list(DIMENSIONS)
    assert movers(splits["key"]) == [("repo-gardener", 62.85, True, False)]
    assert splits["key"].others.change == 0
    assert splits["key"].others_count == 1
    session = splits["session"].movers[0].group
    assert (session.id, session.key, session.name) == ("loop", key_of("gardener"), "repo-gardener")
    assert movers(splits["team"]) == [("blue", 62.85, True, False)]


def test_a_key_is_named_where_no_session_explains_it(database):
    many = [gardener(session_id=None, spend=2.0) for _ in range(30)]
    log = database(rows=two_windows(*many))
    name_key(log.engine, key_of("gardener"), "repo-gardener")
    assert said(source_of(log)).endswith(": the new key repo-gardener, $60.00 of $60.00.")


def test_what_went_the_other_way_is_named(database):
    gone = spend_log(startTime=BEFORE, spend=20.0, model_group="old", user="bob", team_id="red")
    log = database(rows=two_windows(gardener(), replace_key(gone, "other")))
    name_key(log.engine, key_of("gardener"), "repo-gardener")
    text = said(source_of(log))
    assert text == (
        "Cost rose by $11.00 to $32.00 (+52.4 %): one session of repo-gardener, $31.00; "
        "everything else fell by $20.00."
    )
    _, splits = compared(source_of(log))
    assert movers(splits["model"]) == [("claude", 31.0, True, False), ("old", -20.0, False, True)]


def replace_key(row: dict, name: str) -> dict:
    return row | {"api_key": key_of(name)}


def test_requests_without_a_value_are_a_group(database):
    none = [spend_log(spend=5.0, team_id="", user="", session_id=f"s{n}") for n in range(9)]
    _, splits = compared(source_of(database(rows=two_windows(*none))))
    assert [(one.group.id, one.group.name) for one in splits["team"].movers] == [(None, None)]
    assert said(source_of(database(rows=two_windows(*none)))).endswith(
        ": requests without a user, $45.00 of $45.00."
    )


def test_many_small_movers_are_all_others(database):
    many = [
        spend_log(spend=1.0, api_key=key_of(str(n)), user=f"u{n}", team_id=f"t{n}")
        for n in range(40)
    ]
    source = source_of(database(rows=two_windows(*many)))
    _, splits = compared(source)
    assert len(splits["user"].movers) == MOST_MOVERS
    assert splits["user"].others_count == 41 - MOST_MOVERS
    assert splits["user"].others.change == 40 - MOST_MOVERS
    assert said(source) == (
        "Cost rose by $40.00 to $41.00 (× 41): spread over many, none with a fifth of it."
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "No requests in this time range, nor in the one before."),
        (
            [spend_log()],
            "No comparison: the log begins on 23 Nov 2026 12:00:00, the period to compare with on "
            "23 Nov 2026 11:00:00.",
        ),
        (two_windows(), "Cost did not change: $1.00 in both periods."),
        (
            [OLD, spend_log(spend=-0.5)],
            "Cost fell by $0.50 to -$0.50: one session of 21b2e3e6…, $0.50 of $0.50.",
        ),
        ([OLD], "No requests in this time range, nor in the one before."),
    ],
    ids=["empty", "one row", "nothing changed", "negative spend", "old rows only"],
)
def test_what_cannot_be_compared_is_a_sentence(database, rows, sentence):
    text = said(source_of(database(rows=rows)))
    assert text == sentence.replace("21b2e3e6", KEY[:8])


def test_averages_are_compared_where_both_windows_have_them(database):
    failed = [failure(spend=0.0, user="bob", session_id=f"f{n}") for n in range(3)]
    source = source_of(database(rows=two_windows(*failed)))
    assert said(source, measure="error_rate") == (
        "Error rate rose by 75.0 points to 75.0 %: the new user bob, 75.0 points of 75.0 points."
    )
    assert said(source, measure="requests") == (
        "Requests rose by 3 to 4 (+300.0 %): the new user bob, 3 of 3."
    )
    slow = spend_log(request_duration_ms=3_000, spend=0.0, session_id="slow")
    source = source_of(database(rows=two_windows(slow)))
    assert said(source, measure="response_ms_avg") == (
        "Average response time rose by 1.0 s to 2.0 s (+100.0 %): one session of "
        f"{KEY[:8]}…, 1.0 s of 1.0 s."
    )
    source = source_of(database(rows=[OLD, spend_log()]))
    assert said(source, measure="response_ms_avg") == (
        "Average response time cannot be compared: – before, 1.0 s now."
    )
    assert compared(source, measure="error_rate")[1] == {}


def test_filters_and_scopes_narrow_it(database):
    source = source_of(database(rows=two_windows(gardener())))
    blue = replace(FILTERS, team=("blue",))
    assert changes.comparison(source, blue).now.cost_usd == 31
    scoped = source.seen_by(Access(Scope(teams=("blue",)), "viewer"))
    found = changes.comparison(scoped, FILTERS)
    assert (found.before, found.now.cost_usd) == (Sums(), 31)
    assert {one.id for one in found.groups if one.dimension == "team"} == {"blue"}
    # Their own log begins with their own first request.
    assert found.log_begins == NOON


@pytest.mark.parametrize("place", PLACES)
def test_a_replica_compares_alike(database, server, tmp_path, place):
    rows = two_windows(gardener(), failure(team_id=""), spend_log(cache_hit="True", user=""))
    log = database(rows=rows)
    name_team(log.engine, "blue", "Blue team")
    source = source_of(log)
    with PLACES[place](source, server, tmp_path) as replica:
        for measure in MEASURES:
            assert compared(replica, measure=measure) == compared(source, measure=measure)


DAY = {"range": "custom", "from": "2026-11-23T12:00", "to": "2026-11-23T13:00", "zone": "UTC"}
PART = {"part": "what changed"}


def test_the_page_says_it_first_and_lists_the_movers(open_page, database):
    log = database(rows=two_windows(gardener(), gardener(spend=31.85)))
    name_key(log.engine, key_of("gardener"), "repo-*gardener*")
    app = open_page("pages/Overview.py", log.url, **DAY | PART)
    assert not app.exception
    assert "one session of repo" in words(app)
    tables = [one.value for one in app.dataframe][:-1]
    long_id, short_id = f"{KEY[:8]}…, …", "repo-*gardener*, …loop"
    assert all(one.startswith(long_id) for one in tables[0]["name"][1:])
    assert [list(one["name"]) for one in tables] == [
        [short_id, *tables[0]["name"][1:]],
        ["repo-*gardener*", "1 other"],
        ["ada", "1 other"],
        ["blue", "1 other"],
        ["claude", "1 other"],
        ["openai"],
    ]
    assert list(tables[1]["change"]) == [62.85, 0.0]
    assert list(tables[1]["state"]) == ["new", ""]
    # Where nothing is new or gone, its column takes no room.
    assert ["state" in one for one in tables] == [True] * 5 + [False]


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_row_opens_exactly_its_requests(database, dimension):
    gone = spend_log(startTime=BEFORE, spend=2.0, user="", team_id="", model_group="old")
    gone["custom_llm_provider"] = "azure"
    log = database(rows=two_windows(gardener(), replace_key(gone, "other")))
    source = source_of(log)
    _, splits = compared(source)
    for mover in splits[dimension].movers:
        given = changes_part._target(Choice(zone="UTC"), WINDOW, MEASURES["cost_usd"], mover)
        opened, complaints = read_choice(given)
        assert complaints == ()
        # The range of the page is not in a choice without one.
        window = opened.range.window(NOON + HOUR, "UTC") if mover.is_gone else WINDOW
        assert window == (WINDOW.previous() if mover.is_gone else WINDOW)
        found = sessions.found_sessions(
            source, Filters(window, **opened.chosen()), sessions.SessionSearch()
        ).rows
        if dimension == "session":
            found = found[found["session_id"] == given["session"][0]]
            assert given["of"] == [mover.group.key]
        side = mover.group.before if mover.is_gone else mover.group.now
        assert found["requests"].sum() == side.requests
        assert found["cost_usd"].sum() == float(side.cost_usd)


def test_failures_open_the_sessions_with_failures():
    one = changes.Mover(group(1, Sums(), Sums(requests=1)), None, Fraction(1), Fraction(1))
    given = changes_part._target(Choice(), WINDOW, MEASURES["error_rate"], one)
    assert given == {"model": ["model-1"], "status": ["with failures"]}


def test_a_measure_is_in_the_link(open_page, database):
    log = database(rows=two_windows(gardener()))
    app = open_page("pages/Overview.py", log.url, **DAY | PART, measure="error_rate")
    assert not app.exception
    assert "Error rate did not change: 0 % in both periods." in words(app).replace(
        "&#46;", "."
    ).replace("&#58;", ":").replace("&#37;", "%")
    app = open_page("pages/Overview.py", log.url, **DAY | PART, measure="nonsense")
    assert not app.exception


@pytest.mark.parametrize("rows", [[], [spend_log(startTime=NOON, spend=-1.0)]])
def test_the_page_explains_why_there_is_nothing(open_page, database, rows):
    app = open_page("pages/Overview.py", database(rows=rows).url, **DAY | PART)
    assert not app.exception
    assert not app.dataframe
    text = words(app)
    assert (
        "No comparison: the log begins on" if rows else "No requests in this time range"
    ) in text


RANGE = {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}


def test_the_api_gives_parts_that_add_up(database):
    log = database(rows=two_windows(gardener()))
    api = calls_of(log, token("all"), token("team", Scope(teams=("blue",)), "viewer"))
    found = api.get("/api/v1/changes", **RANGE)
    assert (found["before"], found["now"], found["is_comparable"]) == (1.0, 32.0, True)
    effects = found["cost_effects"]
    assert sum(map(Decimal, effects.values())) == 31
    assert [one["dimension"] for one in found["dimensions"]] == list(DIMENSIONS)
    assert found["dimensions"][2] == {
        "dimension": "user",
        "movers": [
            {
                "name": "ada",
                "session_id": None,
                "before": 0.0,
                "now": 31.0,
                "change": 31.0,
                "share": 1.0,
                "mix": None,
                "rate": None,
                "is_new": True,
                "is_gone": False,
            }
        ],
        "others": {"values": 1, "before": 1.0, "now": 1.0, "change": 0.0},
    }
    rate = api.get("/api/v1/changes", measure="error_rate", **RANGE)
    assert (rate["before"], rate["now"], rate["cost_effects"]) == (0.0, 0.0, None)
    assert rate["markers"] is None
    marked = api.get("/api/v1/changes", markers="true", **RANGE)
    assert marked["markers"][0] == {
        "at": "2026-11-23T12:00:00Z",
        "kind": "deployment",
        "what": "Deployment openai/claude first used",
        "model": "claude",
    }
    team = api.by("team").get("/api/v1/changes", **RANGE)
    assert (team["now"], team["is_comparable"], team["dimensions"]) == (31.0, False, [])


@pytest.mark.parametrize("query", [{"measure": "joy"}, {"start": "soon"}, {"limit": "5"}])
def test_the_api_refuses_what_is_no_change(real_rows_database, query):
    response = calls_of(real_rows_database).send("GET", "/api/v1/changes", params=query)
    assert response.status_code == 422
