"""Rows of which a side-car wrote the JSON as text answer every question as LiteLLM's own do."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests import litellm, rows
from tests.cases import as_text
from tests.database import Database
from tests.questions import of_a_session, of_a_window
from tests.rows import KEY, failure, metadata, spend_log
from tests.sources import FILTERS, records, source_of
from tracelib import overview, sessions, status
from tracelib.conversation import Reading, first_lines, turns
from tracelib.conversation.links import linked_sessions
from tracelib.filters import Filters
from tracelib.selection import session
from tracelib.sessions import SessionSearch
from tracelib.source import Postgres
from tracelib.window import TimeWindow

TRUE_ROWS = rows.real_rows()
STARTS = [rows._moment(row["startTime"]) for row in TRUE_ROWS]
ALL = Filters(TimeWindow(min(STARTS), max(STARTS) + timedelta(seconds=1)))
SEARCHES = (
    SessionSearch(said="paris"),
    SessionSearch(said='city": "paris'),
    SessionSearch(tool="get_weather"),
    SessionSearch(has_tool_calls=True),
    SessionSearch(error_class="ratelimiterror"),
    SessionSearch(used_fallback=True),
    SessionSearch(metadata_key="user_api_key_alias", metadata_value="alice-key"),
    SessionSearch(metadata_key="ticket"),
)
FIGURES = of_a_window(ALL)
TAGGED = SessionSearch(tag="prod")


@pytest.fixture(scope="module")
def by_side_car(server) -> Database:
    """All true rows, their JSON as text; to be read only."""
    made = Database(server, name="side_car")
    made.insert(map(as_text, TRUE_ROWS))
    yield made
    made.drop()


@pytest.fixture
def both(real_rows_database, by_side_car) -> tuple[Postgres, Postgres]:
    """The true rows as LiteLLM wrote them, and as a side-car would have."""
    return source_of(real_rows_database), source_of(by_side_car)


def same(one: Any, other: Any) -> None:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize("question", FIGURES)
def test_figures_are_the_same(both, question):
    same(*map(FIGURES[question], both))


def test_sessions_are_found_by_a_tag(both):
    found = [sessions.found_sessions(source, ALL, TAGGED).rows for source in both]
    assert len(found[0])
    same(*found)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: " ".join(search.in_documents))
def test_searches_in_documents_find_the_same(both, search):
    found = [sessions.scan(source, ALL, search, for_seconds=60).keys for source in both]
    assert found[0]
    assert found[1] == found[0]


def test_every_session_is_read_the_same(both):
    listed = sessions.found_sessions(both[0], ALL, SessionSearch(), limit=500).rows
    for row in records(listed[(listed["requests"] > 1) | (listed["failures"] > 0)]):
        questions = of_a_session(session(row["session_id"], row["api_key"]), ALL)
        for ask in questions.values():
            same(*map(ask, both))


@pytest.mark.parametrize("version", litellm.VERSIONS)
def test_every_schema_tells_failures_tags_and_names(database, version):
    named = metadata(user_api_key_alias="Ada's", user_api_key_team_alias="Red")
    made = [
        spend_log(request_tags=["blue", "User-Agent: x"], metadata=named, session_id="s"),
        failure("429", "RateLimitError", "slow down", api_key="f" * 64, team_id="team-2"),
    ]
    # Before LiteLLM had the column, a failure stood in the metadata only.
    source = source_of(database(version, map(as_text, made)))
    assert overview.totals(source, FILTERS).failures == 1
    assert list(overview.cost_by_tag(source, FILTERS)["tag"]) == ["blue"]
    [failed] = records(status.newest_failures(source, FILTERS))
    assert (failed["error_class"], failed["error_message"]) == ("RateLimitError", "slow down")
    owners = records(overview.cost_by_owner(source, FILTERS))
    named = {one["id"]: one["name"] for one in owners}
    assert (named[KEY], named["team-1"]) == ("Ada's", "Red")


def test_malformed_text_in_every_column_is_no_error(database):
    """It says nothing, and a body of it is shown as the text it is."""
    broken = dict.fromkeys(("metadata", "request_tags", "messages"), '"{\\"a\\": [1,}"')
    bodies = dict.fromkeys(("response", "proxy_server_request"), '"{\\"said\\": umbrella"')
    made = [failure(session_id="s", request_id="r", **broken, **bodies)]
    source = source_of(database(rows=made))
    window = FILTERS
    assert overview.totals(source, window).failures == 1
    assert overview.cost_by_tag(source, window).empty
    [group] = records(status.failure_groups(source, window).query("by == 'class'"))
    assert group["value"] == "(none)"
    for search in SEARCHES:
        assert sessions.scan(source, window, search, for_seconds=60).keys == ()
    chosen = session("s", KEY)
    assert sessions.summary(source, chosen).tags == ()
    assert linked_sessions(source, chosen).later == ()
    assert of_a_session(chosen, window)["attempts"](source) == ()
    [turn] = turns(source, Reading(chosen)).turns
    assert turn.request.error_class is None
    assert first_lines(source, window, [(f"s:{KEY}", "s")]) == {}


def test_words_with_quotes_are_found_in_a_text_in_a_text(database):
    asked = {"messages": [{"role": "user", "content": 'he said "no\\yes" é\n😀'}]}
    source = source_of(database(rows=[as_text(spend_log(proxy_server_request=asked))]))
    for words in ('"no\\yes"', "é", "\n😀", 'SAID "NO'):
        assert sessions.scan(source, FILTERS, SessionSearch(said=words), for_seconds=60).keys
    assert not sessions.scan(source, FILTERS, SessionSearch(said='"no"'), for_seconds=60).keys
