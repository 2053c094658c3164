"""What there is to choose from in the drop-downs."""

from datetime import timedelta

import pytest

from tests import litellm, rows
from tests.rows import KEY, NOON, key_of, metadata, spend_log
from tests.sources import HOUR, source_of
from tracelib.facets import Facet, Facets, facets
from tracelib.filters import DIMENSIONS, NONE, Filters
from tracelib.window import TimeWindow

NOW = NOON + HOUR


def test_each_dimension_offers_what_is_there_the_most_used_first(database):
    made = database(
        rows=[
            spend_log(),
            spend_log(user="", team_id=None, custom_llm_provider="azure", api_key=key_of("k")),
            spend_log(
                model_group="claude", custom_llm_provider="", model="claude", api_key=key_of("k")
            ),
            spend_log(user="bo", team_id="blue", api_key="", model_group="claude"),
        ]
    )
    rows.name_user(made.engine, "user-1", email="ada@example.com")
    rows.name_team(made.engine, "team-1", "Red")
    rows.name_key(made.engine, key_of("k"), "the key")
    assert facets(source_of(made), NOW) == Facets(
        {
            "model": (Facet("claude", "claude", 2), Facet("gpt-4o", "gpt-4o", 2)),
            "provider": (
                Facet("openai", "openai", 2),
                Facet("azure", "azure", 1),
                Facet(NONE, NONE, 1),
            ),
            "user": (
                Facet("user-1", "ada@example.com", 2),
                Facet("bo", "bo", 1),
                Facet(NONE, NONE, 1),
            ),
            "team": (Facet("team-1", "Red", 2), Facet("blue", "blue", 1), Facet(NONE, NONE, 1)),
            "key": (
                Facet(key_of("k"), "the key", 2),
                Facet(KEY, f"{KEY[:8]}…", 1),
                Facet(NONE, NONE, 1),
            ),
        }
    )


def test_names_are_looked_up_by_id_in_the_order_of_the_facets():
    offered = Facets({"user": (Facet("u2", "Bo", 5), Facet("u1", "Ada", 3))})
    assert list(offered.names("user").items()) == [("u2", "Bo"), ("u1", "Ada")]
    assert offered.names("team") == {}
    assert offered.of("team") == ()


def test_no_request_offers_nothing(empty_database):
    assert facets(source_of(empty_database), NOW) == Facets(dict.fromkeys(DIMENSIONS, ()))


def test_only_the_ninety_days_before_now_count(database):
    logs = [
        spend_log(user="first", startTime=NOW - timedelta(days=90)),
        spend_log(user="too old", startTime=NOW - timedelta(days=90, milliseconds=1)),
        spend_log(user="last", startTime=NOW - timedelta(milliseconds=1)),
        spend_log(user="not yet", startTime=NOW),
    ]
    assert set(facets(source_of(database(rows=logs)), NOW).names("user")) == {"first", "last"}


def test_only_the_newest_requests_are_looked_at(database, monkeypatch):
    monkeypatch.setattr("tracelib.facets.NEWEST", 2)
    logs = [spend_log(user=f"u{i}", startTime=NOON + timedelta(seconds=i)) for i in range(4)]
    assert set(facets(source_of(database(rows=logs)), NOW).names("user")) == {"u2", "u3"}


def test_only_the_most_used_are_offered_and_equals_go_by_id(database, monkeypatch):
    monkeypatch.setattr("tracelib.facets.MOST", 2)
    logs = [spend_log(user=user) for user in ("c", "b", "b", "a")]
    assert list(facets(source_of(database(rows=logs)), NOW).names("user")) == ["b", "a"]


def test_ids_of_the_same_name_carry_their_id(database):
    long = ["a" * 32 + "1", "a" * 32 + "2"]
    made = database(rows=[spend_log(user=user) for user in ("u1", "u2", "u3", *long)])
    for user in ("u1", "u2"):
        rows.name_user(made.engine, user, "Ada")
    for user in long:
        rows.name_user(made.engine, user, "Bo")
    names = facets(source_of(made), NOW).names("user")
    assert names == {
        "u1": "Ada (u1)",
        "u2": "Ada (u2)",
        "u3": "u3",
        long[0]: f"Bo ({long[0]})",
        long[1]: f"Bo ({long[1]})",
    }


def test_long_ids_behind_a_name_are_shortened(database):
    made = database(rows=[spend_log(user=letter * 32) for letter in "ab"])
    for letter in "ab":
        rows.name_user(made.engine, letter * 32, "Ada")
    names = facets(source_of(made), NOW).names("user")
    assert set(names.values()) == {"Ada (aaaaaaaa…)", "Ada (bbbbbbbb…)"}


def test_a_key_that_is_gone_goes_by_the_name_its_rows_carry(database):
    made = database(rows=[spend_log(metadata=metadata(user_api_key_alias="ada's key"))])
    assert facets(source_of(made), NOW).names("key") == {KEY: "ada's key"}


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_facet_chooses_as_many_requests_as_it_says(dimension, real_rows_database):
    source = source_of(real_rows_database)
    window = TimeWindow(NOW - timedelta(days=1), NOW)
    for facet in facets(source, NOW).of(dimension):
        chosen = source.requests(Filters(window, **{dimension: (facet.id,)}))
        assert len(source.rows(chosen.select().with_only_columns(chosen.c.request_id))) == (
            facet.requests
        )


@pytest.mark.parametrize("partitioned", [False, True], ids=["whole", "partitioned"])
@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_version_offers_the_same(version, partitioned, database, real_rows_database):
    source = source_of(database(version, rows.real_rows(), partitioned))
    assert facets(source, NOW) == facets(source_of(real_rows_database), NOW)


def test_a_role_that_may_read_the_log_alone_is_offered_ids(database, role):
    made = database(rows=[spend_log()])
    rows.name_user(made.engine, "user-1", "Ada")
    url = role(made, "reader", ['SELECT ON "LiteLLM_SpendLogs"'])
    assert facets(source_of(made, url), NOW).names("user") == {"user-1": "user-1"}
