"""What bodies show of waste, caches and tools: from PostgreSQL, and the same from a replica."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.database import Database
from tests.page_words import words
from tests.planted_keys import insert
from tests.replicas import in_files, in_tables, opened, seen, written, written_as
from tests.replicating import Clock, after_a_day, held, in_log, in_step, writer_of
from tests.rows import KEY, NOON, failure, metadata, spend_log
from tests.sources import FILTERS, source_of
from tracelib import savings
from tracelib.filters import Filters
from tracelib.permissions.access import EVERYONE, Access, Scope
from tracelib.replica.settings import ReplicaSettings
from tracelib.savings.caching import Resent
from tracelib.savings.tools import Group, Unused, unused
from tracelib.source import NotHeld
from tracelib.spendlogs.body_facts import SIZED
from tracelib.spendlogs.types import BETWEEN
from tracelib.spendlogs.wasted import CLASSES, OF_BODIES
from tracelib.window import TimeWindow

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
Row = dict[str, Any]


def user(text: str) -> Row:
    return {"role": "user", "content": text}


def reply(text: str) -> Row:
    return {"role": "assistant", "content": text}


def system(text: str) -> Row:
    return {"role": "system", "content": text}


def sent(
    *messages: Row,
    at: timedelta = timedelta(),
    finish: str = "stop",
    call: Row | None = None,
    **of: Any,
) -> Row:
    """A success with these messages; `of` are columns, or fields of the body under `body`."""
    body = {"model": "gpt-4o", "messages": list(messages), **of.pop("body", {})}
    message = {"role": "assistant", "content": "Done.", "tool_calls": [call] if call else None}
    response = {"choices": [{"finish_reason": finish, "message": message}]}
    defaults = {"session_id": "s", "prompt_tokens": 4_000, "completion_tokens": 100}
    return spend_log(
        startTime=NOON + at,
        proxy_server_request=body,
        response=response,
        **(defaults | of),
    )


def called(name: str, arguments: str, number: int) -> Row:
    """A call, whose ID is another one each time."""
    return {
        "id": f"call-{number}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


@pytest.fixture
def both(server, tmp_path) -> Iterator[Callable[..., Any]]:
    """The result of a query of these rows, which a replica that reads bodies has, too."""
    made: list[Database] = []

    def result(query: Callable[..., Any], rows: list[Row]) -> Any:
        log = Database(server)
        made.append(log)
        log.insert(rows)
        source = source_of(log)
        found = query(source, FILTERS)
        with in_files(source, server, tmp_path / str(len(made))) as replica:
            assert query(replica, FILTERS) == found
        source.engine.dispose()
        return found

    yield result
    for log in made:
        log.drop()


def classes(found: savings.Waste) -> dict[str, tuple[int, Decimal]]:
    return {one.name: (one.requests, one.cost_usd) for one in found.classes}


# ---------------------------------------------------------------- waste


def test_a_response_that_was_cut_off_is_waste_if_it_is_long(both):
    rows = [
        sent(user("a"), finish="length", spend=1),
        sent(user("b"), finish="length", spend=2, completion_tokens=63),
        sent(user("c"), finish="stop", spend=4),
        # As other APIs write it.
        spend_log(
            spend=8,
            completion_tokens=64,
            proxy_server_request={"input": "d"},
            response={"incomplete_details": {"reason": "max_output_tokens"}},
        ),
        spend_log(
            spend=16,
            completion_tokens=64,
            proxy_server_request={"messages": [user("e")]},
            response={"stop_reason": "max_tokens", "content": []},
        ),
    ]
    found = both(savings.waste_of_bodies, rows)
    assert classes(found) == {"cut_offs": (3, Decimal(25))}
    assert (found.requests, found.requests_read, found.cost_usd) == (5, 5, 31)


def test_the_same_request_again_is_a_regeneration_in_its_session_and_else_cacheable(both):
    again = [user("the same")]
    rows = [
        sent(*again, at=0 * MINUTE, spend=1),
        sent(*again, at=1 * MINUTE, spend=2),
        # Later than ten minutes it is for a cache.
        sent(*again, at=12 * MINUTE, spend=4),
        sent(*again, at=13 * MINUTE, spend=8, session_id="other"),
        # Another key, another temperature, other messages: another request.
        sent(*again, at=14 * MINUTE, spend=16, api_key="a" * 64),
        sent(*again, at=15 * MINUTE, spend=32, body={"temperature": 1}),
        sent(user("different"), at=16 * MINUTE, spend=64),
        # A failure and a cache hit are no first responses.
        failure(startTime=NOON + 17 * MINUTE, proxy_server_request={"messages": [user("failed")]}),
        sent(user("failed"), at=18 * MINUTE, spend=128),
    ]
    found = both(savings.waste_of_bodies, rows)
    assert classes(found) == {"regenerations": (1, Decimal(2)), "cacheable": (2, Decimal(12))}
    assert found.cacheable_usd == ((60, 0), (600, 8), (3_600, 12), (86_400, 12))
    assert found.ttl_s == 3_600


def test_what_the_client_adds_to_a_request_does_not_make_it_another(both):
    block = {"type": "text", "text": "the same"}
    marked = block | {"cache_control": {"type": "ephemeral"}}
    rows = [
        sent({"role": "user", "content": [block]}, spend=1, body={"metadata": {"n": 1}}),
        sent({"role": "user", "content": [marked]}, at=MINUTE, spend=2, body={"stream": True}),
    ]
    assert classes(both(savings.waste_of_bodies, rows)) == {"regenerations": (1, Decimal(2))}


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_calls_that_repeat_for_the_third_time_are_a_loop(both, length):
    rows = [
        sent(
            user(f"turn {turn}"),
            at=turn * SECOND,
            call=called("run", f'{{"a": {turn % length}}}', turn),
            spend=1,
        )
        for turn in range(4 * length)
    ]
    assert classes(both(savings.waste_of_bodies, rows)) == {"loops": (length + 1, length + 1)}


def test_other_arguments_another_session_or_a_cycle_of_five_are_no_loop(both):
    rows = [
        *(sent(user(f"a{n}"), at=n * SECOND, call=called("run", f"{n}", n)) for n in range(9)),
        *(
            sent(user(f"b{n}"), at=n * SECOND, call=called("run", "1", n), session_id=f"b{n}")
            for n in range(9)
        ),
        *(
            sent(user(f"c{n}"), at=n * SECOND, call=called("go", f"{n % 5}", n), session_id="c")
            for n in range(20)
        ),
    ]
    assert both(savings.waste_of_bodies, rows).classes == ()


def test_a_request_with_a_class_of_its_own_is_in_none_of_bodies(both):
    gone = metadata(error_information={"error_class": "ClientDisconnected"})
    rows = [sent(user("a"), finish="length", spend=1, metadata=gone)]
    assert both(savings.waste_of_bodies, rows).classes == ()
    assert [one.name for one in both(savings.waste, rows).classes] == ["hang_ups"]


def test_redacted_prompts_are_alike_and_not_the_same(both):
    redacted = user("redacted-by-litellm")
    rows = [sent(redacted, at=n * SECOND, spend=1) for n in range(4)]
    found = both(savings.waste_of_bodies, rows)
    assert (found.classes, found.requests_read) == ((), 4)


def test_without_bodies_nothing_is_known_and_nothing_is_claimed(both):
    found = both(savings.waste_of_bodies, [spend_log(), failure()])
    assert (found.requests, found.requests_read, found.classes, found.ttl_s) == (2, 0, (), None)


def test_the_two_parts_of_waste_exclude_each_other_and_add_up(both):
    rows = [failure(spend=1), sent(user("a"), finish="length", spend=2), spend_log(spend=4)]
    whole = savings.together(both(savings.waste, rows), both(savings.waste_of_bodies, rows))
    assert classes(whole) == {"paid_failures": (1, Decimal(1)), "cut_offs": (1, Decimal(2))}
    assert (whole.wasted_usd, whole.cost_usd, whole.bodies_read) == (3, 7, 1)
    assert savings.together(whole, None) is whole
    assert not CLASSES.keys() & OF_BODIES.keys()


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "user", "x", "length"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "name", "function", "tool_calls", "message"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
BODY = st.dictionaries(
    st.sampled_from(["messages", "input", "system", "instructions", "tools", "prompt"]), ODD
)
RESPONSE = st.dictionaries(
    st.sampled_from(["choices", "content", "output", "stop_reason", "incomplete_details"]), ODD
)


@given(st.lists(st.tuples(BODY | ODD, RESPONSE | ODD), min_size=1, max_size=12))
@settings(max_examples=20)
def test_bodies_of_any_shape_are_read_without_an_error(server, bodies):
    log = Database(server)
    try:
        log.insert(
            spend_log(proxy_server_request=body or {}, response=response or {})
            for body, response in bodies
            if isinstance(body or {}, dict | list) and isinstance(response or {}, dict | list)
        )
        source = source_of(log)
        for query in (savings.waste_of_bodies, savings.resent, savings.unused_tools):
            query(source, FILTERS)
        source.engine.dispose()
    finally:
        log.drop()


# ---------------------------------------------------------------- misses, and what is sent again

LONG = system("You are careful. " * 100)
TALK = [user("one"), reply("1"), user("two"), reply("2"), user("three")]


def cached(tokens: int) -> Row:
    return metadata(additional_usage_values={"cache_read_input_tokens": tokens})


def causes(rows: tuple[Resent, ...]) -> dict[str, tuple[int, int]]:
    return {one.cause: (one.requests, one.missed) for one in rows if one.cause}


def turns(second: Row | None = None, **of: Any) -> list[Row]:
    """Two turns of a conversation, a minute apart; what differs in the second."""
    first = sent(LONG, *TALK[:1], prompt_tokens=4_000)
    changes = {"prompt_tokens": 5_000, "at": MINUTE} | of
    return [first, sent(second or LONG, *TALK[:3], **changes)]


def test_a_turn_sends_all_of_the_one_before_again(both):
    (one,) = both(savings.resent, turns(metadata=cached(3_968)))[:1]
    assert (one.cause, one.requests, one.prompt_tokens) == (None, 2, 9_000)
    assert (one.resent, one.resent_cached, one.cached, one.missed) == (4_000, 3_968, 3_968, 0)


def test_without_a_cause_the_cause_is_unknown(both):
    assert causes(both(savings.resent, turns())) == {"unknown": (1, 4_000)}


MOVING = system("Today is Monday, 23 November 2026, 12:00:01. " + "You are careful. " * 100)
MOVED = system("Today is Tuesday, 24 November 2026, 09:14:59. " + "You are careful. " * 100)
TOOL = {"type": "function", "function": {"name": "run", "description": "Runs."}}


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        ("tools_changed", {"body": {"tools": [TOOL]}}),
        ("system_prompt_changed", {"second": system("You are bold. " * 100)}),
        ("other_deployment", {"api_base": "https://eu.example.com"}),
        ("other_deployment", {"custom_llm_provider": "azure"}),
        ("expired", {"at": 6 * MINUTE}),
    ],
)
def test_a_miss_has_the_first_cause_that_fits(both, cause, changes):
    found = causes(both(savings.resent, turns(**changes)))
    assert found == {cause: (1, 4_000)}


def test_a_clock_in_the_system_prompt_is_found(both):
    first = sent(MOVING, *TALK[:1])
    second = sent(MOVED, *TALK[:3], at=MINUTE, prompt_tokens=5_000)
    assert causes(both(savings.resent, [first, second])) == {"clock": (1, 4_000)}


def test_a_clock_is_found_in_single_requests_with_one_system_prompt(both):
    rows = [
        sent(MOVING, user("a question"), session_id="a"),
        sent(MOVED, user("another question"), session_id="b", at=MINUTE),
    ]
    ((cause, (requests, missed)),) = causes(both(savings.resent, rows)).items()
    assert (cause, requests) == ("clock", 1)
    # Nearly all of the prompt is the system prompt, by its bytes.
    assert 3_800 < missed < 4_000


def test_a_model_of_claude_caches_only_what_is_marked(both):
    claude = {"model_group": "claude", "custom_llm_provider": "anthropic"}
    first, second = turns(**claude)
    plain = [first | claude | {"model": second["model"]}, second]
    assert causes(both(savings.resent, plain)) == {"not_requested": (1, 4_000)}
    mark = {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
    rows = [
        sent(*TALK[:1], **claude, body=mark),
        sent(*TALK[:3], **claude, body=mark, at=MINUTE, prompt_tokens=5_000),
    ]
    assert causes(both(savings.resent, rows)) == {"unknown": (1, 4_000)}


def test_short_prompts_are_too_short(both):
    first = sent(LONG, *TALK[:1], prompt_tokens=900)
    second = sent(LONG, *TALK[:3], prompt_tokens=950, at=MINUTE)
    assert causes(both(savings.resent, [first, second])) == {"too_short": (1, 900)}


def test_requests_of_others_are_not_compared(both):
    first, second = turns()
    for column in ("team_id", "user", "api_key"):
        other = second | {column: "b" * 64}
        found = both(savings.resent, [first, other])
        assert causes(found) == {}
        assert sum(one.resent for one in found) == 0


# ---------------------------------------------------------------- tools

UNUSED = {"type": "function", "function": {"name": "edit", "description": "x" * 327}}


def test_a_tool_that_is_offered_fifty_times_and_never_called_is_found(both):
    rows = [
        sent(
            user(f"turn {n}"),
            at=n * SECOND,
            body={"tools": [TOOL, UNUSED]},
            call=called("run", f"{n}", n) if n == 7 else None,
        )
        for n in range(50)
    ]
    (one,) = both(savings.unused_tools, rows)
    size = len('{"type": "function", "function": {"name": "edit", "description": ""}}') + 327
    assert one == Unused(KEY, "edit", "openai/gpt-4o", "openai", 50, 50 * size // 4, 0.0)
    assert both(savings.unused_tools, rows[:49]) == ()


def test_a_call_of_another_key_is_none_of_this_one():
    offered = BETWEEN.join(f"{name}{SIZED}40" for name in ("a", "b"))
    groups = [
        Group("one", "d", "p", offered, None, 60, 1_000, 500),
        Group("one", "d", "p", None, "a", 1, 10, 0),
        Group("two", "d", "p", offered, None, 70, 0, 0),
        Group("two", "d", "p", "cut off" + SIZED, None, 70, 0, 0),
    ]
    assert unused(groups) == (
        Unused("two", "a", "d", "p", 70, 700, 0.0),
        Unused("two", "b", "d", "p", 70, 700, 0.0),
        Unused("one", "b", "d", "p", 60, 600, 0.5),
    )


# ---------------------------------------------------------------- the replica


def test_a_replica_in_tables_or_without_bodies_leaves_them_to_postgresql(
    database, server, tmp_path
):
    source = source_of(database(rows=turns()))
    plain = ReplicaSettings(tmp_path / "plain", duty=1.0)
    with in_tables(source, server, tmp_path) as tables, _filled(source, plain) as files:
        for replica in (tables, files):
            assert savings.waste(replica, FILTERS) == savings.waste(source, FILTERS)
            for query in (savings.waste_of_bodies, savings.resent, savings.unused_tools):
                with pytest.raises(NotHeld):
                    query(replica, FILTERS)


@contextmanager
def _filled(source: Any, plain: ReplicaSettings) -> Iterator[Any]:
    with opened(written_as(source, plain)) as files:
        yield seen(files)


def test_a_viewer_who_reads_no_messages_gets_no_facts_of_bodies(database, server, tmp_path):
    source = source_of(database(rows=turns()))
    access = Access(EVERYONE, "viewer")
    with opened(written(source, tmp_path)) as files, pytest.raises(NotHeld):
        savings.resent(seen(files, access), FILTERS)
    assert savings.resent(source.seen_by(access), FILTERS) == ()


def test_a_replica_that_is_to_read_bodies_is_written_again(database, tmp_path):
    source = source_of(database(rows=turns()))
    plain = ReplicaSettings(tmp_path, duty=1.0)
    with _filled(source, plain) as before:
        assert not before.reads_bodies
    with _filled(source, replace(plain, reads_bodies=True)) as after:
        assert after.reads_bodies
        assert causes(savings.resent(after, FILTERS)) == {"unknown": (1, 4_000)}


def test_hashes_and_prompts_are_in_no_result(both):
    rows = [*turns(), sent(user("a secret"), finish="length", spend=2)]
    for query in (savings.waste_of_bodies, savings.resent, savings.unused_tools):
        text = repr(both(query, rows))
        assert "secret" not in text and "hash" not in text


def test_the_documents_name_every_cause():
    described = (Path(__file__).parent.parent / "docs" / "savings.md").read_text()
    for name, one in savings.CAUSES.items():
        assert f"| {one.title} | `{name}` | {one.definition} | {one.remedy} |" in described


def listed_tools(log: Database) -> None:
    for name, day in (("run", NOON), ("edit", NOON), ("old", NOON - timedelta(days=9))):
        insert(log.engine, "LiteLLM_ToolTable", tool_id=name, tool_name=name, last_used_at=day)
    call = {"request_id": "a", "tool_name": "run", "start_time": NOON}
    insert(log.engine, "LiteLLM_SpendLogToolIndex", **call)


def test_without_bodies_the_tables_of_tools_name_those_that_are_never_called(database, role):
    log = database(rows=[spend_log()])
    listed_tools(log)
    source = source_of(log)
    assert savings.tools_without_calls(source, FILTERS) == ("edit",)
    team = source.seen_by(Access(Scope(teams=("team-1",)), "admin"))
    assert savings.tools_without_calls(team, FILTERS) is None
    narrow = role(log, "narrow_tools", ['SELECT ON "LiteLLM_SpendLogs"'])
    assert savings.tools_without_calls(source_of(log, narrow), FILTERS) is None


# ---------------------------------------------------------------- marks across files

HOUR = timedelta(hours=1)
DAYS = Filters(TimeWindow(NOON - 48 * HOUR, NOON + 48 * HOUR))


def repeats(folder: Path) -> int:
    """How many requests repeat another, in the replica in this folder."""
    with opened(ReplicaSettings(folder)) as files:
        return sum(one.requests for one in savings.waste_of_bodies(seen(files), DAYS).classes)


def test_a_replica_with_facts_of_bodies_follows_the_log(database, tmp_path):
    log = database(
        rows=[sent(user(f"{n % 7}"), at=-HOUR * 30 * n / 200, spend=1) for n in range(200)]
    )
    source, clock = source_of(log), Clock()
    writer = writer_of(source, tmp_path, clock, reads_bodies=True, duty=1.0)
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source, reads_bodies=True)
    log.insert(sent(user(f"{n % 7}"), at=SECOND * n, spend=1) for n in range(50))
    clock.now += 600
    in_step(writer, clock)
    assert held(tmp_path) == in_log(source, reads_bodies=True)
    # A day is in one file once the next one has a file, too.
    log.insert([sent(user("next day"), at=timedelta(hours=24), spend=1)])
    after_a_day(writer, clock)
    after_a_day(writer, clock)
    assert held(tmp_path) == in_log(source, reads_bodies=True)
    found = savings.waste_of_bodies(source, DAYS)
    assert repeats(tmp_path) == sum(one.requests for one in found.classes) > 200


def test_a_pair_in_two_files_is_found_once_the_day_is_in_one(database, tmp_path):
    """Half past twelve the open file begins at ten."""
    before, after = (sent(user("the same"), at=at * MINUTE, spend=1) for at in (-121, -119))
    other = sent(user("the same"), at=timedelta(hours=-25), spend=1)
    next_day = sent(user("next day"), at=timedelta(hours=20), spend=1)
    source, clock = source_of(database(rows=[before, after, other, next_day])), Clock()
    writer = writer_of(source, tmp_path, clock, reads_bodies=True, duty=1.0)
    in_step(writer, clock)
    assert repeats(tmp_path) == 0
    after_a_day(writer, clock)
    after_a_day(writer, clock)
    assert repeats(tmp_path) == 1
    # Of another day: never.
    assert sum(one.requests for one in savings.waste_of_bodies(source, DAYS).classes) == 1


def test_a_mark_stays_when_the_other_request_is_in_another_file_later(database, tmp_path):
    rows = [sent(user("the same"), at=at * MINUTE, spend=1) for at in (-50, 10)]
    source, clock = source_of(database(rows=rows)), Clock()
    writer = writer_of(source, tmp_path, clock, reads_bodies=True, duty=1.0)
    for _ in range(4):
        in_step(writer, clock)
        assert repeats(tmp_path) == 1
        clock.now += 3_600


# ---------------------------------------------------------------- the page

PAGE = {"range": "custom", "from": "2026-11-23T12:00", "to": "2026-11-23T13:00", "zone": "UTC"}


def test_the_page_shows_misses_context_and_another_model(open_page, database):
    mini = spend_log(model_group="gpt-4o-mini", spend=0.9)
    log = database(rows=[*turns(), mini])
    app = open_page("pages/Overview.py", log.url, part="savings", **PAGE)
    assert not app.exception
    text = words(app)
    assert "Bodies of 2 of 3 requests could be compared." in text
    assert "of prompt tokens" in text
    basis = "Known of 2 of 3 requests: those whose stored prompts were read, newest first."
    assert text.count(basis) == 2
    (causes_shown,) = [one.value for one in app.dataframe if "tokens" in one.value]
    assert list(causes_shown["title"]) == ["Unknown"]
    assert list(causes_shown["usd"]) == [pytest.approx(4_000 * (2.5e-6 - 1.25e-6))]
    # The most expensive first, and no model as another one than itself.
    assert app.selectbox(key="repriced model").options == ["gpt-4o-mini", "gpt-4o"]
    assert app.selectbox(key="repriced target").options == ["openai/gpt-4o"]
    app.selectbox(key="repriced model").set_value("gpt-4o").run()
    assert app.selectbox(key="repriced target").options == ["openai/gpt-4o-mini"]
    app.selectbox(key="repriced target").set_value("openai/gpt-4o-mini").run()
    assert not app.exception
    # 9,000 tokens of prompts and 200 of completions.
    assert "$0.50 would be $0.0015 on openai/gpt-4o-mini" in words(app)


def test_a_price_file_that_cannot_be_read_is_a_sentence_on_the_page(
    open_page, database, monkeypatch
):
    monkeypatch.setenv("TRACELIB_PRICES", "/no/such/file.json")
    app = open_page("pages/Overview.py", database(rows=turns()).url, part="savings", **PAGE)
    assert not app.exception
    assert "TRACELIB_PRICES" in words(app)
