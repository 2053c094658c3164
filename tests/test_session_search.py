"""What sessions are searched for: texts and ids, the URL's words, and the pages of the list."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests import rows
from tests.database import Database
from tests.rows import KEY, NOON, failure, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, source_of
from tracelib import choice, sessions
from tracelib.sessions import SessionSearch, read_search
from tracelib.sessions.cursor import COMPLAINT, MOVED, Cursor
from tracelib.sessions.search import BOUNDS, FLAGS, PARAMETERS, SORTS, STATUSES, TEXTS
from tracelib.source import Postgres

ALL = SessionSearch()
OTHER_KEY = "b" * 64
SECOND = timedelta(seconds=1)
MOST_PAGES = 40
ENDS = ((min, "startTime"), (max, "endTime"))


def found(source: Postgres, search: SessionSearch = ALL, filters=FILTERS) -> set[str]:
    """The ids of all sessions found."""
    page = sessions.found_sessions(source, filters, search, limit=500)
    assert sessions.session_counts(source, filters, search) == len(page.rows)
    return set(page.rows["session_id"])


@pytest.mark.parametrize(
    "text",
    [
        *("Nightly Report", "REPORT", "Blue", "Ann", "ann@example", "model-x", "Azure/dep"),
        *("customer-9", "agent-7", "user-9", "team-9", "99999999", "99999999…"),
    ],
)
def test_a_text_is_found_in_every_name_whatever_its_case(database, text):
    sought = spend_log(
        session_id="sought",
        api_key="9" * 64,
        user="user-9",
        team_id="team-9",
        model_group="Model-X",
        model="azure/Dep-1",
        end_user="customer-9",
        agent_id="agent-7",
    )
    made = database(rows=[sought, spend_log(session_id="other")])
    rows.name_key(made.engine, "9" * 64, "nightly report")
    rows.name_team(made.engine, "team-9", "blue team")
    rows.name_user(made.engine, "user-9", "ann", "ann@example.com")
    assert found(source_of(made), SessionSearch(text=text)) == {"sought"}


def test_a_session_found_by_one_request_is_listed_with_all_of_them(database):
    made = database(
        rows=[
            spend_log(session_id="s", model_group="claude", spend=1),
            spend_log(session_id="s", spend=2),
            spend_log(session_id="s", spend=4, startTime=NOON - HOUR),
        ]
    )
    page = sessions.found_sessions(source_of(made), FILTERS, SessionSearch(text="claude"))
    assert page.rows[["requests", "cost_usd"]].values.tolist() == [[2, 3.0]]


def test_a_deleted_key_and_a_special_one_are_found_by_name(database):
    made = database(
        rows=[
            spend_log(session_id="gone"),
            spend_log(session_id="master", api_key="litellm_proxy_master_key"),
        ]
    )
    rows.name_deleted_key(made.engine, KEY, "an old key")
    source = source_of(made)
    assert found(source, SessionSearch(text="old")) == {"gone"}
    assert found(source, SessionSearch(text="Master Key")) == {"master"}


@pytest.mark.parametrize("sign", ["%", "_", "\\", "/", "'", '"', ";--", "%(x)s", ":x", "$1", "…"])
def test_signs_that_mean_something_in_sql_stand_for_themselves(database, sign):
    named = spend_log(session_id="named", user=f"a{sign}b")
    made = database(rows=[named, spend_log(session_id="plain", user="axb", model_group="m")])
    assert found(source_of(made), SessionSearch(text=f"A{sign}B")) == {"named"}


@pytest.mark.parametrize("sign", ["%", "_", "'; DROP TABLE x; --", "x\x1fy"])
def test_signs_that_nobody_has_in_a_name_find_nothing(database, sign):
    row = spend_log(user="x", team_id="y", model_group="m", model="p/m")
    assert found(source_of(database(rows=[row])), SessionSearch(text=sign)) == set()


def test_a_text_does_not_reach_from_one_name_into_the_next(database):
    row = spend_log(model_group="alpha", model="beta")
    assert found(source_of(database(rows=[row])), SessionSearch(text="alphabeta")) == set()


def test_names_that_may_not_be_read_are_not_searched(database, role):
    made = database(rows=[spend_log(session_id="s")])
    rows.name_key(made.engine, KEY, "a key")
    source = source_of(made, role(made, "nameless", ['SELECT ON "LiteLLM_SpendLogs"']))
    assert found(source, SessionSearch(text="a key")) == set()
    assert found(source, SessionSearch(text="gpt")) == {"s"}


@pytest.mark.parametrize("identity", ["session", "request", "call"])
def test_an_id_finds_its_session_whenever_it_was_and_whatever_is_filtered(database, identity):
    made = database(
        rows=[
            spend_log(
                session_id="session",
                request_id="request",
                litellm_call_id="call",
                startTime=NOON - timedelta(days=90),
                spend=1,
            ),
            spend_log(session_id="session", spend=2),
            spend_log(session_id="other"),
        ]
    )
    made.execute('CREATE INDEX ON "LiteLLM_SpendLogs" (litellm_call_id)')
    search = SessionSearch(id=identity, text="nobody", min_cost_usd=99, status="with failures")
    for filters in (FILTERS, replace(FILTERS, model=("no model",))):
        page = sessions.found_sessions(source_of(made), filters, search)
        listed = page.rows[["session_id", "requests", "cost_usd", "goes_on"]]
        assert listed.values.tolist() == [["session", 2, 3.0, False]]
        assert sessions.session_counts(source_of(made), filters, search) == 1


def test_without_its_index_a_call_id_is_found_in_the_window_only(database):
    made = database(
        rows=[
            spend_log(session_id="now", litellm_call_id="in"),
            spend_log(session_id="then", litellm_call_id="out", startTime=WINDOW.end),
        ]
    )
    source = source_of(made)
    assert found(source, SessionSearch(id="in")) == {"now"}
    assert found(source, SessionSearch(id="out")) == set()


def test_an_id_is_found_whole_or_not_at_all(database):
    source = source_of(database(rows=[spend_log(session_id="session%_1")]))
    assert found(source, SessionSearch(id="session%_1")) == {"session%_1"}
    for other in ("session", "SESSION%_1", "session%%1", "%", "session__1"):
        assert found(source, SessionSearch(id=other)) == set()


def test_an_id_shared_by_two_keys_finds_two_sessions_and_a_request_its_own(database):
    shared = [
        spend_log(session_id="shared", request_id="1"),
        spend_log(session_id="shared", request_id="2", api_key=OTHER_KEY),
    ]
    source = source_of(database(rows=shared))

    def keys(identity):
        search = SessionSearch(id=identity)
        return sorted(sessions.found_sessions(source, FILTERS, search).rows["api_key"])

    assert keys("shared") == sorted([KEY, OTHER_KEY])
    assert (keys("1"), keys("2")) == ([KEY], [OTHER_KEY])


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (SessionSearch(tag="nightly"), {"tagged"}),
        (SessionSearch(tag="NIGHTLY"), set()),
        (SessionSearch(end_user="customer-9"), {"tagged"}),
        (SessionSearch(agent="agent-7"), {"tagged", "long"}),
        (SessionSearch(agent="agent"), set()),
        (SessionSearch(call_type="aresponses"), {"long"}),
        (SessionSearch(call_type="responses"), set()),
        (SessionSearch(tag="nightly", end_user="customer-9"), {"tagged"}),
        (SessionSearch(tag="nightly", status="with failures"), set()),
        (SessionSearch(min_requests=2), {"tagged", "long"}),
        (SessionSearch(min_requests=2, max_requests=2), {"tagged"}),
        (SessionSearch(max_requests=0), set()),
        (SessionSearch(min_error_share=1 / 3), {"long", "failed"}),
        (SessionSearch(min_error_share=1.0), {"failed"}),
        (SessionSearch(max_error_share=0.0), {"tagged", "plain"}),
        (SessionSearch(min_duration_s=61.0), {"tagged"}),
        (SessionSearch(min_duration_s=61.001), set()),
        (SessionSearch(min_duration_s=1.0, max_duration_s=1.0), {"plain", "failed", "long"}),
        (SessionSearch(min_tokens=31), {"long"}),
        (SessionSearch(max_tokens=15), {"plain", "failed"}),
        (SessionSearch(min_models=2), {"long"}),
        (SessionSearch(max_models=1), {"plain", "tagged", "failed"}),
    ],
)
def test_what_is_asked_of_the_whole_session_may_be_met_by_different_requests(
    database, search, expected
):
    made = database(
        rows=[
            spend_log(session_id="plain"),
            spend_log(session_id="tagged", request_tags=["User-Agent: x", "nightly"]),
            spend_log(
                session_id="tagged",
                end_user="customer-9",
                agent_id="agent-7",
                startTime=NOON + timedelta(minutes=1),
            ),
            spend_log(session_id="long", agent_id="agent-7", prompt_tokens=100),
            spend_log(session_id="long", model_group="claude", call_type="aresponses"),
            # What the cache repeats is not billed, and no model's work either.
            failure(session_id="long", cache_hit="True", prompt_tokens=10_000),
            failure(session_id="failed"),
        ]
    )
    assert found(source_of(made), search) == expected


def test_a_session_whose_clock_ran_backwards_has_no_duration_and_stays_in_the_list(database):
    odd = spend_log(session_id="odd", endTime=NOON - HOUR)
    source = source_of(database(rows=[odd, spend_log(session_id="even")]))
    assert found(source, SessionSearch(min_duration_s=0.0)) == {"even"}
    assert [key[:4] for key in pages(source, SessionSearch(sort="duration"), 1)] == ["even", "odd:"]


def test_tags_of_another_shape_are_nobodys(database):
    made = database(rows=[spend_log(request_tags=tags) for tags in ({"a": 1}, "null", [["a"]])])
    assert found(source_of(made), SessionSearch(tag="a")) == set()


def test_an_old_log_without_agents_has_none(database):
    source = source_of(database("2025-05-23", rows=[spend_log(session_id="s")]))
    assert found(source, SessionSearch(agent="agent-7")) == set()
    assert found(source, SessionSearch(max_duration_s=5.0)) == {"s"}


words = st.text(max_size=300).map(lambda text: SessionSearch(text=text).text)
some_words = dict.fromkeys((*TEXTS, "metadata_key", "metadata_value"), words)
searches = st.builds(
    SessionSearch,
    **some_words,
    status=st.sampled_from(STATUSES),
    sort=st.sampled_from(SORTS),
    **dict.fromkeys(FLAGS, st.booleans()),
    **{
        name: st.none()
        | (st.integers if one.number is int else st.floats)(one.smallest, one.greatest)
        for one in BOUNDS
        for name in one.fields
    },
)


@settings(deadline=None)
@given(searches)
@example(SessionSearch(text="  a\0 \ud800 "))
@example(SessionSearch(min_cost_usd=0.0, max_cost_usd=-0.0))
@example(SessionSearch(metadata_key="a=b", metadata_value="c=d"))
@example(SessionSearch(metadata_key=" = ", metadata_value="v"))
@example(SessionSearch(metadata_key="x" * 300, metadata_value="y" * 300))
def test_a_search_comes_back_from_the_url_as_it_was(search):
    for one in BOUNDS:
        least, most = (getattr(search, name) for name in one.fields)
        assume(least is None or most is None or least <= most)
    query = search.to_query()
    assert set(query) <= set(PARAMETERS)
    assert read_search(query) == (search, ())


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*PARAMETERS, "x"]),
        st.lists(
            st.text() | st.sampled_from(["nan", "1e999", "-inf", "1", "0", "cost", "=", "=a"])
        ),
    )
)
def test_whatever_the_url_says_makes_a_search_that_the_url_can_say(query):
    search, _ = read_search(query)
    assert read_search(search.to_query()) == (search, ())


def test_no_word_of_the_search_is_a_word_of_the_sidebar_or_of_the_page():
    taken = {*choice.PARAMETERS, "session", "of", "page", "after"}
    assert taken.isdisjoint(PARAMETERS)
    assert len(set(PARAMETERS)) == len(PARAMETERS)


@pytest.mark.parametrize(
    ("search", "is_scanned"),
    [
        (ALL, False),
        (SessionSearch(text="x", tag="x", end_user="x", agent="x", min_models=2), False),
        (SessionSearch(said="x"), True),
        (SessionSearch(tool="x"), True),
        (SessionSearch(error_class="x"), True),
        (SessionSearch(metadata_key="x"), True),
        (SessionSearch(has_tool_calls=True), True),
        (SessionSearch(used_fallback=True), True),
        (SessionSearch(metadata_value="of no key"), False),
        (SessionSearch(id="x", said="x"), False),
    ],
)
def test_only_conditions_on_documents_need_a_scan(search, is_scanned):
    assert search.needs_scan is is_scanned


def test_a_search_is_plain_where_every_session_passes():
    assert SessionSearch(sort="cost").is_plain
    assert not SessionSearch(max_requests=10).is_plain


def not_a_number(name: str, value: str) -> str:
    return f"Ignored {name} “{value}” in the link: not a valid number."


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"min_cost": "much"}, not_a_number("min_cost", "much")),
        ({"max_cost": "nan"}, not_a_number("max_cost", "nan")),
        ({"max_cost": "1e999"}, not_a_number("max_cost", "1e999")),
        ({"min_requests": "1.5"}, not_a_number("min_requests", "1.5")),
        ({"max_requests": "-1"}, not_a_number("max_requests", "-1")),
        ({"min_error_share": "1.1"}, not_a_number("min_error_share", "1.1")),
        ({"max_duration_s": "inf"}, not_a_number("max_duration_s", "inf")),
        ({"min_tokens": "many"}, not_a_number("min_tokens", "many")),
        ({"min_models": "9" * 99}, not_a_number("min_models", "9" * 40)),
        (
            {"min_models": "3", "max_models": "2"},
            "Ignored min_models and max_models in the link: min_models is greater than max_models.",
        ),
        ({"meta": "=x"}, "Ignored meta in the link: the metadata key is missing."),
        ({"meta": "x" * 602}, "Ignored meta in the link: too long or unreadable."),
        ({"said": "x" * 301}, "Ignored said in the link: too long or unreadable."),
        ({"calls": "no"}, "Ignored calls “no” in the link: unknown value."),
        (
            {"min_cost": "2", "max_cost": "1"},
            "Ignored min_cost and max_cost in the link: min_cost is greater than max_cost.",
        ),
        ({"status": "odd"}, "Ignored status “odd” in the link: unknown value."),
        ({"many": "perhaps"}, "Ignored many “perhaps” in the link: unknown value."),
        ({"sort": "name"}, "Ignored sort “name” in the link: unknown value."),
        ({"q": "x" * 301}, "Ignored q in the link: too long or unreadable."),
        ({"id": "a\0b"}, "Ignored id in the link: too long or unreadable."),
    ],
)
def test_what_makes_no_sense_in_a_url_is_left_out_and_said(query, complaint):
    read = read_search({name: [value] for name, value in query.items()})
    assert read == (ALL, (complaint,))


def test_metadata_is_split_at_its_first_sign_of_equality():
    read = read_search({"meta": [" customer = a=b "]})
    assert read == (SessionSearch(metadata_key="customer", metadata_value="a=b"), ())
    assert read_search({"meta": ["customer"]})[0].to_query() == {"meta": ["customer="]}


def test_the_plain_search_is_the_plain_url():
    assert ALL.to_query() == {}
    assert read_search({}) == read_search({"q": [], "sort": [""]}) == (ALL, ())


@pytest.fixture(scope="module")
def log(server) -> Iterator[tuple[Database, Postgres]]:
    """A log that one test fills and empties again and again."""
    made = Database(server)
    yield made, source_of(made)
    made.drop()


ABSURD = (float("nan"), float("inf"), float("-inf"), 1e12, -1e12)
requests = st.fixed_dictionaries(
    {
        "session_id": st.sampled_from(["a", "b", "c", "d:", "é", None, ""]),
        "api_key": st.sampled_from([KEY, OTHER_KEY, ""]),
        "startTime": st.integers(0, 3).map(lambda second: NOON + timedelta(seconds=second)),
        "spend": st.sampled_from([0, 0.1, 0.2, 0.3, -0.1, 1e-12, 1e15, *ABSURD]),
        "status": st.sampled_from(["success", "failure", None]),
    }
)


def figures_of(made: list[dict], sort: str) -> dict[str, Decimal]:
    """What each session is sorted by, worked out by hand."""
    figure: dict[str, list] = {}
    for row in made:
        session_id = row["session_id"] or row["request_id"]
        figure.setdefault(f"{session_id}:{row['api_key']}", []).append(row)
    if sort == "recent":
        return {
            key: Decimal(max(row["startTime"] for row in rows).timestamp())
            for key, rows in figure.items()
        }
    if sort == "duration":
        return {key: Decimal(lasted_ms(rows)) for key, rows in figure.items()}
    if sort == "tokens":
        return {
            key: Decimal(sum(row["total_tokens"] for row in rows)) for key, rows in figure.items()
        }
    if sort == "cost":
        return {key: cost_of([row["spend"] for row in rows]) for key, rows in figure.items()}
    return {
        key: Decimal(sum(sort == "length" or row["status"] == "failure" for row in rows))
        for key, rows in figure.items()
    }


def cost_of(spends: list[float]) -> Decimal:
    """What is no possible amount counts as none."""
    return sum((Decimal(repr(one)) for one in spends if abs(one) <= 1e15), Decimal(0))


def in_order(made: list[dict], sort: str, only: Iterable[str] | None = None) -> list[str]:
    """The session keys as the list has them: the greatest, then the latest, then by key."""
    figure, last = figures_of(made, sort), figures_of(made, "recent")
    kept = figure if only is None else only
    return sorted(kept, key=lambda key: (-figure[key], -last[key], key))


def lasted_ms(rows: list[dict]) -> int:
    first, last = (pick(row[end] for row in rows) for pick, end in ENDS)
    return round((last - first) / timedelta(milliseconds=1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(requests, max_size=14),
    st.sampled_from(SORTS),
    st.integers(1, 4),
    st.sampled_from([ALL, SessionSearch(status="with failures"), SessionSearch(text="gpt")]),
)
def test_the_pages_joined_are_the_whole_list_each_session_once_in_order(
    log, changes, sort, limit, search
):
    made = refilled(log, changes)
    search = replace(search, sort=sort)
    listed = list(pages(log[1], search, limit))
    failing = figures_of(made, "errors")
    kept = [key for key in failing if failing[key] or search.status == "any"]
    assert listed == in_order(made, sort, kept)


@pytest.mark.parametrize("sort", SORTS)
def test_absurd_costs_have_a_place_in_every_order_each_once(log, sort):
    made = [
        {"spend": spend, "session_id": f"s{n}"} for n, spend in enumerate((*ABSURD, 0.1, 0, -1))
    ]
    made += [{"spend": spend, "session_id": f"s{n}"} for n, spend in enumerate((0.2, *ABSURD))]
    expected = in_order(refilled(log, made), sort)
    assert list(pages(log[1], SessionSearch(sort=sort), 1)) == expected


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "session_id": st.sampled_from("abcdef"),
                "startTime": st.integers(-2, 15).map(lambda second: NOON + second * SECOND),
            }
        ),
        max_size=30,
    ),
    st.integers(1, 3),
    st.sampled_from([2, 3]),
)
def test_the_newest_sessions_are_the_same_from_a_few_requests_as_from_all(
    log, changes, limit, requests_a_session
):
    made = refilled(log, changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracelib.sessions.lookup.REQUESTS_A_SESSION", requests_a_session)
        listed = list(pages(log[1], ALL, limit))
    figure = figures_of([row for row in made if row["startTime"] >= WINDOW.start], "recent")
    assert listed == sorted(figure, key=lambda key: (-figure[key], key))


def refilled(log: tuple[Database, Postgres], changes: list[dict]) -> list[dict]:
    """Put these rows in place of those of the example before."""
    made = [spend_log(**change) for change in changes]
    log[0].execute('TRUNCATE "LiteLLM_SpendLogs"')
    log[0].insert(made)
    return made


def pages(source: Postgres, search: SessionSearch, limit: int) -> Iterator[str]:
    """The session keys of one page after the other."""
    after = None
    for _ in range(MOST_PAGES):
        page = sessions.found_sessions(source, FILTERS, search, after, limit)
        assert page.complaint is None
        assert len(page.rows) == limit or page.next is None
        yield from page.rows["session_key"]
        if page.next is None:
            return
        after = page.next
    pytest.fail("The pages never end.")


def test_the_newest_page_is_read_from_the_newest_requests_alone(database, monkeypatch):
    made = [spend_log(session_id=f"s{n}", startTime=NOON + timedelta(seconds=n)) for n in range(9)]
    made += [spend_log(session_id="s8"), spend_log(session_id="s5")]
    source = source_of(database(rows=made))
    monkeypatch.setattr("tracelib.sessions.lookup.REQUESTS_A_SESSION", 2)
    monkeypatch.delattr("tracelib.sessions.listing.searched_requests")
    first = sessions.found_sessions(source, FILTERS, ALL, limit=2)
    assert list(first.rows["session_id"]) == ["s8", "s7"]
    second = sessions.found_sessions(source, FILTERS, ALL, first.next, limit=2)
    assert list(second.rows["session_id"]) == ["s6", "s5"]


def test_sessions_that_began_in_the_same_moment_are_each_listed_once(database, monkeypatch):
    source = source_of(database(rows=[spend_log(session_id=name) for name in "abcdefgh"]))
    monkeypatch.setattr("tracelib.sessions.lookup.REQUESTS_A_SESSION", 2)
    assert [key[0] for key in pages(source, ALL, 2)] == list("abcdefgh")


def test_a_moment_written_in_another_way_is_the_same_place(database):
    made = [spend_log(session_id=f"s{n}", startTime=NOON + timedelta(seconds=n)) for n in range(3)]
    source = source_of(database(rows=made))
    for moment in ("2026-11-23T12:00:02+00:00", "20261123T130002+0100", "2026-W48-1T12:00:02Z"):
        page = sessions.found_sessions(source, FILTERS, ALL, forged("recent", moment, "z"))
        assert (list(page.rows["session_id"]), page.complaint) == (["s1", "s0"], None)


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "after",
    [
        *("x", "%%%", "😀", "e30=", "bnVsbA==", "W10=", "A" * 9_000, "W" * 999),
        forged("cost", "1"),
        forged("cost", 1, "key"),
        forged("cost", "1; DROP TABLE x", "key"),
        forged("cost", "1e999999999", "key"),
        forged("cost", "1", "k\0y"),
        forged("cost", "1", "\ud800"),
        forged("length", "9" * 30, "key"),
        forged("recent", "yesterday", "key"),
        forged("recent", "2026-11-23T12:00:00", "key"),
        forged("name", "1", "key"),
        base64.urlsafe_b64encode(b"[" * 5_000).decode(),
    ],
)
def test_a_forged_place_gives_the_first_page_and_says_so(database, after):
    source = source_of(database(rows=[spend_log(session_id="s")]))
    page = sessions.found_sessions(source, FILTERS, SessionSearch(sort="cost"), after)
    assert (list(page.rows["session_id"]), page.complaint) == (["s"], COMPLAINT)


def test_a_place_in_another_order_gives_the_first_page_and_says_so(database):
    source = source_of(database(rows=[spend_log(session_id="s")]))
    after = Cursor("length", "1", datetime(2026, 11, 23), "key").written()
    page = sessions.found_sessions(source, FILTERS, SessionSearch(sort="cost"), after)
    assert (list(page.rows["session_id"]), page.complaint) == (["s"], MOVED)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SORTS),
    st.text() | st.builds(forged, st.sampled_from(SORTS), st.text(), st.text()),
)
def test_no_place_however_odd_is_an_error(log, sort, after):
    _, source = log
    sessions.found_sessions(source, FILTERS, SessionSearch(sort=sort), after)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        *((value, True) for value in ("0", "-1.5", "1E-12", "9" * 22, "0.000000000000001")),
        *((value, False) for value in ("1E+300", "NaN", "Infinity", "-Infinity", "9" * 23)),
    ],
)
def test_every_possible_cost_and_no_other_can_be_a_place(database, value, is_one):
    source = source_of(database(rows=[spend_log(), failure()]))
    after = Cursor("cost", value, datetime(2026, 11, 23), "key").written()
    page = sessions.found_sessions(source, FILTERS, SessionSearch(sort="cost"), after)
    assert page.complaint == (None if is_one else COMPLAINT)


def test_a_place_in_an_old_link_repeats_at_most_sessions_that_are_equal(database):
    made = [spend_log(session_id=name, spend=spend) for name, spend in (("a", 3), ("b", 2))]
    made += [spend_log(session_id=name, spend=2) for name in "cd"]
    source = source_of(database(rows=[*made, spend_log(session_id="e", spend=1)]))
    page = sessions.found_sessions(
        source, FILTERS, SessionSearch(sort="cost"), forged("cost", "2", f"c:{KEY}")
    )
    assert (list(page.rows["session_id"]), page.complaint) == (["b", "c", "d", "e"], None)
