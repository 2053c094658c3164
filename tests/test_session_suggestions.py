"""What a search may name, out of what is really there."""

from datetime import timedelta

from tests import litellm
from tests.rows import NOON, failure, metadata, spend_log
from tests.sources import FILTERS, HOUR, source_of
from tracelib.permissions.access import EVERYONE, Access
from tracelib.sessions import suggestions
from tracelib.sessions.search_fields import FIELDS

NOTHING = dict.fromkeys(FIELDS, ())
SECOND = timedelta(seconds=1)


def calling(*tools: str) -> dict:
    calls = [{"function": {"name": tool}} for tool in tools]
    return {"choices": [{"message": {"tool_calls": calls}}]}


def test_whatever_requests_carry_is_suggested_the_most_frequent_first(database):
    made = [
        spend_log(response=calling("search", "fetch"), end_user="bo", agent_id="agent-1"),
        spend_log(response=calling("fetch"), end_user="bo", request_tags=["b", "a"]),
        spend_log(call_type="aresponses", request_tags=["User-Agent: x", "b"], end_user="ada"),
        spend_log(
            call_type="call_mcp_tool",
            mcp_namespaced_tool_name="weather/get_forecast",
            response={"content": [{"type": "text", "text": "sunny"}]},
        ),
        failure(error_class="Timeout"),
        failure(error_class="Timeout"),
        failure(),
        spend_log(metadata=metadata(error_information={"error_class": "of a success"})),
        spend_log(end_user="after the window", startTime=NOON + HOUR),
    ]
    assert suggestions(source_of(database(rows=made)), FILTERS) == {
        "tool": ("fetch", "search", "weather/get_forecast"),
        "error_class": ("Timeout", "RateLimitError"),
        "tag": ("b", "a"),
        "end_user": ("bo", "ada"),
        "agent": ("agent-1",),
        "call_type": ("acompletion", "aresponses", "call_mcp_tool"),
    }


def test_no_request_suggests_nothing(empty_database):
    assert suggestions(source_of(empty_database), FILTERS) == NOTHING


def test_only_the_newest_are_looked_at_and_the_most_frequent_are_suggested(database, monkeypatch):
    monkeypatch.setattr("tracelib.sessions.search_fields.NEWEST", 4)
    monkeypatch.setattr("tracelib.sessions.search_fields.NEWEST_FAILURES", 1)
    monkeypatch.setattr("tracelib.sessions.search_fields.NEWEST_RESPONSES", 2)
    monkeypatch.setattr("tracelib.sessions.search_fields.MOST", 2)
    made = [
        spend_log(end_user="oldest", response=calling("too old")),
        failure(end_user="c", error_class="too old"),
        failure(end_user="b"),
        spend_log(end_user="a", response=calling("newer")),
        spend_log(end_user="a", response=calling("newest")),
    ]
    for number, row in enumerate(made):
        row["startTime"] = NOON + number * SECOND
    assert suggestions(source_of(database(rows=made)), FILTERS) == NOTHING | {
        "tool": ("newer", "newest"),
        "error_class": ("RateLimitError",),
        "end_user": ("a", "b"),
        "call_type": ("acompletion",),
    }


def test_answers_of_any_shape_and_metadata_that_says_nothing_are_passed_over(database):
    odd = [None, [], {}, '"text"', "7", {"choices": 1}, {"choices": [{"message": None}]}]
    made = [spend_log(response=answer, request_tags=answer, metadata=answer) for answer in odd]
    made.append(failure(metadata=["x"]))
    found = suggestions(source_of(database(rows=made)), FILTERS)
    assert found == NOTHING | {"call_type": ("acompletion",)}


def test_who_reads_no_messages_is_told_no_tool_that_stands_in_one(database):
    made = [spend_log(response=calling("search"), end_user="bo")]
    source = source_of(database(rows=made)).seen_by(Access(EVERYONE, "viewer"))
    found = suggestions(source, FILTERS)
    assert (found["tool"], found["end_user"]) == ((), ("bo",))


def test_every_version_of_litellm_has_something_to_suggest(database):
    for version in litellm.VERSIONS:
        found = suggestions(source_of(database(version, rows=[spend_log()])), FILTERS)
        assert found["call_type"] == ("acompletion",)
