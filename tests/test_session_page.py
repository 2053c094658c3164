"""The page of a session: its figures, its conversation in order, and the ways through it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import pytest

from tests.database import Database, role
from tests.page_words import figures, nodes, plain, told, turns, words
from tests.rows import KEY, NOON, failure, key_of, metadata, name_key, row_id, spend_log
from tests.sources import records
from tracelib import conversation
from tracelib.conversation.notes import WITHHELD
from tracelib.conversation.turn_diff import diff_between
from tracelib.querying.installation import installation
from tracelib.querying.query import Query
from tracelib.querying.runner import expire_results, run_together
from tracelib.selection import session

PAGE = "pages/Sessions.py"

AGENT = "sess-agent-0140"
CHAIN = (
    "1553928e-2efa-4e02-a06d-4069d74fe9bc",
    "2db3db06-a948-4b19-b451-58935f10dec0",
    "b21dd457-8dcf-4df1-bb69-ef54cfd8f471",
    "6b76507f-af81-4d13-b770-514e00663623",
)
ADA = "ada@example.org"
KEY_A, KEY_B = sorted((key_of("a"), key_of("b")))
MARKDOWN = "# Title\n\n**bold** ![x](http://canary.invalid/a.png)"
PEM = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----"
SECOND = timedelta(seconds=1)


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


def chat(name: str, at: int, messages: list[dict], answer: str | None = None, **changes) -> dict:
    """The request of this name, `at` seconds after noon: what it sent, and what came back."""
    response = {"choices": [{"message": assistant(answer)}]} if answer else {}
    facts = {"session_id": "s", "request_id": name, "startTime": NOON + at * SECOND}
    body = {"messages": messages}
    return spend_log(**(facts | {"proxy_server_request": body, "response": response} | changes))


def long_session() -> list[dict]:
    """Forty-five turns, each of which sends again all that was said before it."""
    said: list[dict] = []
    rows = []
    for number in range(1, 46):
        said = [*said, user(f"question {number}")]
        facts = {"session_id": "long", "request_id": f"long-{number}"}
        rows.append(chat("", number, said, f"answer {number}", **facts))
        said = [*said, assistant(f"answer {number}")]
    failed = metadata(status="failure", error_information={"error_class": "Timeout"})
    for number in (3, 43):
        rows[number - 1] |= {"status": "failure", "metadata": failed}
    return rows


def private_session() -> list[dict]:
    """Ada's address wherever a client or a provider may put it."""
    call = {"id": "c", "function": {"name": "mail", "arguments": f'{{"to": "{ADA}"}}'}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c", "content": f"sent to {ADA}"}
    key = PEM.format("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC")
    asked = [{"role": "system", "content": f"{key}\nHelp {ADA}."}, user(f"I am {ADA}")]
    changed = [{"role": "system", "content": f"{key}\nHelp {ADA} at once."}, *asked[1:]]
    of_ada = {"session_id": "private", "end_user": ADA}
    choice = {"response": {"choices": [{"message": calling}]}}
    return [
        chat("private-1", 1, asked, **of_ada, **choice),
        chat("private-2", 2, [*changed, calling, result], "done", **of_ada),
        failure(
            "400",
            "BadRequestError",
            f"{ADA} is no model",
            request_id="private-3",
            startTime=NOON + 3 * SECOND,
            model_group=ADA,
            **of_ada,
        ),
        failure(
            "400",
            "BadRequestError",
            request_id="private-4",
            startTime=NOON + 4 * SECOND,
            litellm_call_id="again",
            model_group=ADA,
            **of_ada,
        ),
        chat("private-5", 6, asked, "hello", litellm_call_id="again", model_group=ADA, **of_ada),
    ]


def system_session() -> list[dict]:
    """Three turns; the last one has another system prompt."""
    first = [{"role": "system", "content": "It is 09:10.\nBe kind."}, user("Hello")]
    more = [*first, assistant("Hi"), user("And now?")]
    other = [{"role": "system", "content": "It is 09:12.\nBe kind."}, *more[1:]]
    of_it = {"session_id": "system"}
    return [
        chat("system-1", 1, first, "Hi", **of_it),
        chat("system-2", 2, more, "Go on.", **of_it),
        chat("system-3", 3, [*other, assistant("Go on."), user("Well?")], "No.", **of_it),
    ]


@pytest.fixture(scope="module")
def made(server) -> Iterator[Database]:
    """Sessions that no true rows hold, shared by the module: to be read only."""
    shared = Database(server)
    shared.insert([*long_session(), *private_session(), *system_session()])
    shared.insert(
        [
            chat(
                "marked",
                0,
                [user("# Title\n\n**bold** ![x](http://canary.invalid/a.png)")],
                session_id="marked",
            ),
            *(spend_log(session_id="unstored", startTime=NOON + n * SECOND) for n in range(2)),
            spend_log(session_id="shared", api_key=KEY_A),
            spend_log(session_id="shared", api_key=KEY_B, spend=0.5),
        ]
    )
    name_key(shared.engine, KEY_A, f"key of {ADA}")
    yield shared
    shared.drop()


@pytest.fixture
def open_session(open_page):
    """Opens the page of a session, times in UTC: `open_session(database, session_id, **query)`."""

    def opened(database: Database, session_id: str, **query):
        app = open_page(PAGE, database.url, session=session_id, zone="UTC", **query)
        assert not app.exception
        return app

    return opened


def said_in_url(app) -> dict[str, list[str]]:
    """What the URL says beside what every test gives."""
    return {
        name: value if isinstance(value, list) else [value]
        for name, value in app.query_params.items()
        if name not in ("refresh", "zone")
    }


def labels(app, beginning: str) -> list[str]:
    """The buttons whose keys begin like this, as they are read."""
    return [plain(one.label) for one in app.button if (one.key or "").startswith(beginning)]


def click(app, label: str):
    """Click the first button that says this."""
    next(one for one in app.button if one.label == label).click()
    return app.run()


def turn_to(app, page: int, where: str = "below"):
    """Turn to a page of the transcript, with the pager above or below it."""
    (pager,) = [one for one in app.pagination if one.key.endswith(f" {where}")]
    return pager.set_value(page).run()


def followed(app) -> str | None:
    """The key of the element to which the page brings the reader."""
    target = _following(app)["target"]
    return target and target.removeprefix("st-key-")


def token(app) -> str:
    """In answer to what the page brings the reader there: once for each."""
    return _following(app)["token"]


def _following(app) -> dict:
    given = [json.loads(component.proto.json) for component in app.get("bidi_component")]
    (following,) = [one for one in given if "target" in one]
    return following


def test_the_figures_are_those_of_the_whole_session(open_session, real_rows_database):
    app = open_session(real_rows_database, AGENT)
    said = figures(app)
    assert {name: plain(said[name].replace("\\", "")) for name in list(said)[:6]} == {
        "Cost": "$0.04",
        "Requests": "25",
        "Failures": "1",
        "Tokens": "17,708",
        "Duration": "6.7 s",
        "Cache hits": "0",
    }
    assert (
        "User: alice@example.com · Team: Red team · Key: alice-key · "
        "Models: gpt-4o, gpt-4o-mini, rate-limited · "
        "From: 23 Nov 2026 08:50:05 · To: 23 Nov 2026 08:50:12 · Zone: UTC"
    ) in plain(words(app))


def test_a_result_stands_beside_its_call_and_is_not_repeated(open_session, real_rows_database):
    app = open_session(real_rows_database, "sess-tools-0005")
    assert told(app) == dedent("""\
        User · 07:42:39 / Weather in Paris?
        Assistant · 07:42:39 / Calls get_weather / \
`{ "city": "Paris", "unit": "celsius" }` | Result of get_weather / `{"temp_c": 21}`
        Request 1: gpt-4o, 12 → 4 tokens, $0.00007, 57 ms

        Assistant · 07:42:39 / Answer 3: you said '{"temp_c": 21}'
        Request 2: gpt-4o, 16 → 10 tokens, $0.00014, 56 ms / [What changed]""")
    assert "Tools called: get_weather (1)" in plain(words(app))


def test_parallel_requests_say_where_they_branch_off(open_session, real_rows_database):
    app = open_session(real_rows_database, "sess-parallel-0120")
    assert told(app) == dedent("""\
        User · 08:50:02 / Compare three cities.
        Assistant · 08:50:02 / I will ask about each of them.
        Request 1: gpt-4o, 13 → 25 tokens, $0.00028, 59 ms

        User · 08:50:03 / Tell me about Paris.
        Assistant · 08:50:03 / Answer 3: you said 'Tell me about Paris.'
        Request 2: gpt-4o-mini, 26 → 12 tokens, $0.000011, 63 ms / [What changed]

        --- Branches off request 1, 2 messages from above not repeated
        User · 08:50:03 / Tell me about Rome.
        Assistant · 08:50:03 / Answer 3: you said 'Tell me about Rome.'
        Request 3: gpt-4o-mini, 26 → 12 tokens, $0.000011, 72 ms / [What changed]

        --- Branches off request 1, 2 messages from above not repeated
        User · 08:50:03 / Tell me about Oslo.
        Assistant · 08:50:03 / Answer 3: you said 'Tell me about Oslo.'
        Request 4: gpt-4o-mini, 26 → 12 tokens, $0.000011, 74 ms / [What changed]

        --- Branches off request 1, 2 messages from above not repeated
        User · 08:50:03 / Paris is big. Rome is old. Oslo is cold. Conclude.
        Assistant · 08:50:03 / Go to Rome.
        Request 5: gpt-4o, 51 → 20 tokens, $0.00033, 59 ms / [What changed]""")


def test_threads_of_an_agent_are_told_apart_and_quoted_calls_keep_their_results(
    open_session, real_rows_database
):
    app = open_session(real_rows_database, AGENT)
    blocks = told(app).split("\n\n")
    threads = {
        number: block.split("\n")[0].removeprefix("--- ")
        for number, block in enumerate(blocks, start=1)
        if block.startswith("---")
    }
    own = "Starts a new thread"
    assert threads == {
        **dict.fromkeys((2, 4, 8, 9), own),
        7: "Continues request 3, 5 messages from above not repeated",
        10: "Continues request 8, 3 messages from above not repeated",
        11: "Continues request 9, 3 messages from above not repeated",
        12: "Continues request 10, 5 messages from above not repeated",
        13: "Continues request 11, 5 messages from above not repeated",
        14: "Continues request 7, 7 messages from above not repeated",
        19: "Branches off request 18, 17 messages from above not repeated",
        23: "Branches off request 21, 6 messages from above not repeated",
    }
    # Request 19 has the conversation summed up; request 20 goes on from that summary.
    assert "Starts from a summary of the conversation so far" in blocks[19]
    assert "No result" not in told(app)
    assert "\nTool ·" not in told(app)
    called = "Tools called: run_tests (2), spawn_agent (3), read_file (6), edit_file (3)"
    assert called in plain(words(app))
    assert labels(app, "failure ") == ["24"]
    assert "1 failure: request" in words(app)
    assert blocks[23].split("\n")[-1].startswith("Failed RateLimitError, 429 / `litellm.RateLimit")


def test_several_answers_are_choices(open_session, real_rows_database):
    app = open_session(real_rows_database, "2be72d69-d7d2-49ab-8001-642ebfc6987d")
    assert told(app) == dedent("""\
        User · 08:49:42 / Give me two names for a cat.
        Assistant, choice 1 · 08:49:42 / First: Momo.
        Assistant, choice 2 · 08:49:42 / Choice number 2.
        Request 1: gpt-4o, 15 → 43 tokens, $0.00047, 89 ms""")


def test_tools_that_were_offered_and_never_called_are_named(open_session, database):
    tools = [{"type": "function", "function": {"name": name}} for name in ("look", "leap")]
    call = {"id": "c", "function": {"name": "look", "arguments": "{}"}}
    calling = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}
    body = {"messages": [user("Look!")], "tools": tools}
    row = chat("r", 0, [], proxy_server_request=body, response=calling)
    said = plain(words(open_session(database(rows=[row]), "s")))
    assert "Tools called: look (1)" in said
    assert "Offered, never called: leap" in said
    assert "No result was sent back." in said


def test_a_long_conversation_is_read_by_pages_of_forty_turns(open_session, made):
    app = open_session(made, "long")
    assert list(turns(app)) == [f"turn-{number}" for number in range(1, 41)]
    assert told(app).split("\n\n")[39] == dedent("""\
        User · 12:00:40 / question 40
        Assistant · 12:00:40 / answer 40
        Request 40: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s / [What changed]""")
    assert (followed(app), labels(app, "failure ")) == (None, ["3", "43"])
    turn_to(app, 2)
    assert said_in_url(app) == {"session": ["long"], "page": ["2"]}
    assert list(turns(app)) == [f"turn-{number}" for number in range(41, 46)]
    assert told(app).split("\n\n")[0] == dedent("""\
        --- Continues request 40, 80 messages from above not repeated
        User · 12:00:41 / question 41
        Assistant · 12:00:41 / answer 41
        Request 41: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s / [What changed]""")
    assert followed(app) == "transcript"
    turn_to(app, 1, "above")
    assert (next(iter(turns(app))), followed(app)) == ("turn-1", "transcript")


def test_a_request_in_the_url_opens_its_page_and_a_jump_leads_there_each_time(open_session, made):
    app = open_session(made, "long", request="long-43")
    assert (next(iter(turns(app))), followed(app)) == ("turn-41", "turn-43")
    before = token(app)
    assert token(app.run()) == before
    app.button("failure 3").click().run()
    assert said_in_url(app) == {
        "session": ["long"],
        "request": ["long-3@2026-11-23T12:00:03.000Z"],
    }
    assert (next(iter(turns(app))), followed(app)) == ("turn-1", "turn-3")
    once = token(app)
    app.button("failure 3").click().run()
    assert len({before, once, token(app)}) == 3


def test_a_search_leads_to_the_first_place_on_the_page_unless_the_url_names_one(open_session, made):
    app = open_session(made, "long", said="ANSWER 7")
    assert (followed(app), labels(app, "match ")) == ("turn-7", ["7"])
    app.button("failure 3").click().run()
    assert followed(app) == "turn-3"
    app = open_session(made, "long", said="answer 44", page="2")
    assert (followed(app), labels(app, "match ")) == (None, ["44"])


@pytest.mark.parametrize(("words", "is_open"), [("Needle", True), ("thread", False), ("", False)])
def test_a_long_text_is_open_where_the_sought_words_are_further_down(
    open_session, database, words, is_open
):
    text = f"{'A thread. ' * 300}The needle."
    log = database(rows=[chat("long-text", 1, [user(text)], session_id="haystack")])
    app = open_session(log, "haystack", **({"said": words} if words else {}))
    folds = [one for one in app.expander if one.label.startswith("Show all")]
    assert [text in one.value for one in app.text] == ([True] if is_open else [False, True])
    assert len(folds) == (0 if is_open else 1)


def test_a_page_that_there_is_not_is_the_nearest(open_session, made):
    app = open_session(made, "long", page="3")
    assert next(iter(turns(app))) == "turn-41"
    for page in ("0", "²", "9" * 12):
        app.query_params["page"] = page
        assert next(iter(turns(app.run()))) == "turn-1"


def test_another_session_is_opened_at_its_top_whatever_page_was_read_before(open_session, made):
    app = open_session(made, "long")
    turn_to(app, 2)
    assert followed(app) == "transcript"
    click(app, "All sessions")
    app.query_params["session"] = "system"
    app.run()
    assert (list(turns(app)), followed(app)) == (["turn-1", "turn-2", "turn-3"], None)


def test_a_system_prompt_that_changes_is_marked(open_session, made):
    app = open_session(made, "system")
    assert told(app) == dedent("""\
        System · 12:00:01 / It is 09:10. Be kind.
        User · 12:00:01 / Hello
        Assistant · 12:00:01 / Hi
        Request 1: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s

        User · 12:00:02 / And now?
        Assistant · 12:00:02 / Go on.
        Request 2: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s / [What changed]

        +System prompt changed: 1 word added, 1 removed
        User · 12:00:03 / Well?
        Assistant · 12:00:03 / No.
        Request 3: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s / [What changed]""")
    (changed,) = (one for one in app.expander if plain(one.label).startswith("System prompt"))
    assert [one.value for one in changed.text] == ["It is 09:12.\nBe kind."]


def test_what_changed_is_told_over_the_page_and_the_url_holds_it(open_session, made):
    app = open_session(made, "system")
    app.button("diff 3 system-3").click().run()
    assert said_in_url(app) == {
        "session": ["system"],
        "diff": ["system-2@2026-11-23T12:00:02.000Z", "system-3@2026-11-23T12:00:03.000Z"],
    }
    (dialog,) = app.get("dialog")
    assert [one.value for one in dialog.markdown] == ["**Request 2 → request 3**"]
    said = [
        element.value
        for kind in ("caption", "warning", "code", "text")
        for element in getattr(dialog, kind)
    ]
    assert list(map(plain, said)) == [
        "Messages of the request: added 2, changed 1, kept 3.",
        "Changed System",
        "Added Assistant",
        "Added User",
        "The system prompt changed.",
        "- It is 09:10.\n+ It is 09:12.\n  Be kind.",
        "Go on.",
        "Well?",
    ]


def test_a_result_that_was_added_is_named_after_the_tool_that_was_called(open_session, made):
    app = open_session(made, "private", diff=["private-1", "private-2"])
    (dialog,) = app.get("dialog")
    said = [plain(one.value) for one in dialog.caption]
    assert [one for one in said if "mail" in one] == ["Calls mail", "Result of mail"]


def test_only_two_requests_that_are_there_can_be_compared(open_session, made):
    app = open_session(made, "system", diff=["system-1", "gone"])
    (dialog,) = app.get("dialog")
    assert [one.value for one in dialog.caption] == [
        "One of the two requests is no longer in the log."
    ]
    for ids in ([], ["system-1"], ["system-1", "system-2", "system-3"]):
        app.query_params["diff"] = ids
        assert not app.run().get("dialog")


def sent_to_browser(app) -> list[str]:
    """All that the page gives to the browser, element by element."""
    return [str(node.proto) for node in nodes(app.main)]


@pytest.mark.parametrize("look", [{}, {"formatted": "yes"}])
def test_nothing_private_reaches_the_browser_of_a_masked_page(open_session, made, look):
    diff = ["private-1", "private-2"]
    app = open_session(made, "private", redacted="yes", diff=diff, said=ADA, **look)
    sent = "\n".join(sent_to_browser(app))
    assert "MIIEvQ" not in sent
    assert "[e-mail]" in sent
    assert ADA not in sent.replace(f'"{ADA}"', "")
    blocks = plain(told(app)).split("\n\n")
    assert "User · 12:00:01 / I am [e-mail]" in blocks[0]
    assert 'Calls mail / `{ "to": "[e-mail]" }` | Result of mail / `sent to [e-mail]`' in blocks[0]
    assert "Request 3: [e-mail]" in blocks[2]
    assert "`[e-mail] is no model`" in blocks[2]
    assert "End user: [e-mail]" in plain(words(app))
    assert "“[e-mail]” appears in request" in plain(words(app))
    assert labels(app, "match ") == ["1", "2"]


def test_without_masks_all_of_it_is_there(open_session, made):
    app = open_session(made, "private")
    assert f"User · 12:00:01 / I am {ADA}" in told(app)
    assert f"End user: {ADA}" in plain(words(app))
    app.toggle("switch redacted").set_value(True).run()
    assert said_in_url(app) == {"session": ["private"], "redacted": ["yes"]}
    assert ADA not in told(app)
    app.toggle("switch redacted").set_value(False).run()
    assert said_in_url(app) == {"session": ["private"]}


def test_markdown_is_laid_out_only_where_wanted_and_harmless(open_session, made):
    app = open_session(made, "marked")
    (asked,) = app.text
    assert asked.value == MARKDOWN
    app.toggle("switch formatted").set_value(True).run()
    assert not app.text
    (laid_out,) = [one.value for one in app.markdown if one.value.startswith("####")]
    assert "**bold**" in laid_out
    assert "![x]" not in laid_out


def test_what_took_several_attempts_is_told_whole(open_session, real_rows_database):
    app = open_session(real_rows_database, "9602718e-a586-43fa-a994-32d3d2d622a2")
    (table,) = app.dataframe
    assert records(table.value) == [
        {
            "started_at": datetime(2026, 11, 23, 7, 42, 42, 885_000, tzinfo=UTC),
            "request": 1,
            "request_id": "chatcmpl-9b6ff86e9c15c89d43e85144",
            "requested": "primary",
            "served": "gpt-4o-mini",
            "deployment": "openai/gpt-4o-mini",
            "attempts": 2,
            "because": None,
            "wasted_time": "–",
            "wasted_cost": "–",
            "how": "Reported by LiteLLM",
        }
    ]
    assert "Wasted time: –. Wasted cost: –. Each logged failure is a request" in words(app)


def test_attempts_name_nobody_on_a_masked_page(open_session, made):
    app = open_session(made, "private", redacted="yes")
    (table,) = app.dataframe
    assert records(table.value) == [
        {
            "started_at": NOON + 4 * SECOND,
            "request": 4,
            "request_id": "private-4",
            "requested": "[e-mail]",
            "served": "[e-mail]",
            "deployment": "openai/[e-mail]",
            "attempts": 2,
            "because": "BadRequestError",
            "wasted_time": "2.0 s",
            "wasted_cost": "$0",
            # Its prompt is not stored: a call id alone proves nothing, for clients choose it.
            "how": "Inferred",
        }
    ]
    assert "Wasted time: 2.0 s. Wasted cost: \\$0." in words(app)


def test_a_chain_of_responses_is_told_and_read_as_one_where_wanted(
    open_session, real_rows_database
):
    app = open_session(real_rows_database, CHAIN[1])
    assert "Looked for continuations up to 24 Nov 2026 08:50:04." in words(app)
    assert labels(app, "linked ") == [
        "23 Nov 2026 08:50:03, gpt-4o",
        "23 Nov 2026 08:50:04, gpt-4o",
        "23 Nov 2026 08:50:04, gpt-4o",
    ]
    assert "No result was sent back." not in told(app)
    assert told(app) == dedent("""\
        Tool · 08:50:04 / Result of call_1d0b507cdbab3d503c016310 / `{"temp": 20}`
        Tool · 08:50:04 / Result of call_201a5cd1a4d727914c440721 / `{"temp": 20}`
        Assistant · 08:50:04 / Paris 21 C, Rome 27 C.
        Request 1: gpt-4o, 83 → 48 tokens, $0.00069, 59 ms
        note: Continues a response that is not in this session. To see the …""")
    app.toggle("read the chain as one").set_value(True).run()
    assert said_in_url(app) == {"session": [CHAIN[1]], "joined": ["yes"]}
    assert figures(app)["Requests"] == "4"
    assert 'Calls get_weather / `{ "city": "Rome" }` | Result of get_weather' in told(app)
    assert "**4 sessions shown as one conversation**" in words(app)
    app.button(f"linked {CHAIN[0]}").click().run()
    assert said_in_url(app)["session"] == [CHAIN[0]]
    assert "joined" not in said_in_url(app)


def test_what_goes_on_is_looked_for_until_now_at_most(open_session, database):
    just_now = datetime.now(UTC) - 2 * SECOND
    response = {"call_type": "aresponses", "startTime": just_now}
    first = spend_log(session_id="first", request_id="resp_1", **response)
    follows = {"input": "And?", "previous_response_id": "resp_1"}
    second = spend_log(
        session_id="second", request_id="resp_2", proxy_server_request=follows, **response
    )
    app = open_session(database(rows=[first, second]), "second")
    (said,) = [one.value for one in app.caption if one.value.startswith("Looked for")]
    until = datetime.strptime(
        f"{said} +0000", "Looked for continuations up to %d %b %Y %H:%M:%S. %z"
    )
    assert just_now.replace(microsecond=0) <= until <= datetime.now(UTC)


def test_two_keys_that_share_an_id_are_told_apart(open_session, made):
    app = open_session(made, "shared")
    assert labels(app, "session of ") == [f"key of {ADA}, 1 requests", f"{KEY_B[:8]}…, 1 requests"]
    masked_page = open_session(made, "shared", redacted="yes")
    assert labels(masked_page, "session of ")[0] == "key of [e-mail], 1 requests"
    app.button(f"session of {KEY_B}").click().run()
    assert said_in_url(app) == {"session": ["shared"], "of": [KEY_B]}
    assert figures(app)["Cost"] == "\\$0.50"


def test_a_session_that_is_not_there_says_so(open_session, made):
    app = open_session(made, "no-such")
    assert "No session has this ID." in plain(words(app))
    for key in (KEY, "", "\0"):
        app.query_params["of"] = key
        assert "No session has this ID." in plain(words(app.run()))
        assert [one.value for one in app.code] == ["no-such"]
        assert not turns(app)
    click(app, "Search for this ID")
    assert said_in_url(app) == {"id": ["no-such"]}


def test_prompts_that_are_not_stored_are_not_made_up(open_session, made):
    app = open_session(made, "unstored")
    assert told(app) == dedent("""\
        Request 1: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s

        Request 2: gpt-4o, 10 → 5 tokens, $0.25, 1.0 s""")
    (note,) = app.info
    assert plain(note.value).startswith("Neither prompt nor response is stored.")


def test_a_role_that_may_not_read_what_was_said_sees_all_else(open_page, database):
    log = database(rows=system_session())
    columns = log.execute(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attnum > 0"
        " AND NOT attisdropped AND attrelid = '\"LiteLLM_SpendLogs\"'::regclass"
        " AND attname NOT IN ('messages', 'response', 'proxy_server_request')"
    )[0][0]
    url = role(log, "no_bodies", [f'SELECT ({columns}) ON "LiteLLM_SpendLogs"'])
    app = open_page(PAGE, url, session="system", zone="UTC")
    assert not app.exception
    assert not app.error
    assert figures(app)["Requests"] == "3"
    assert list(turns(app)) == ["turn-1", "turn-2", "turn-3"]
    assert not app.text
    (note,) = app.info
    assert plain(note.value) == WITHHELD


def test_figures_stay_and_words_do_not_while_the_database_is_away(open_page, spare_server):
    log = Database(spare_server)
    log.insert(system_session())
    app = open_page(PAGE, log.url, session="system", zone="UTC", of=KEY)
    assert len(turns(app)) == 3
    spare_server.stop()
    expire_results()
    app.run()
    assert not app.exception
    assert figures(app)["Requests"] == "3"
    assert "The database is not responding. The figures are those of" in words(app)
    assert not turns(app)
    assert not app.text
    spare_server.start()
    click(app, "Refresh now")
    assert len(turns(app)) == 3


def test_what_was_said_is_never_kept_as_a_last_good_answer(fresh_caches, monkeypatch, spare_server):
    log = Database(spare_server)
    log.insert(system_session())
    monkeypatch.setenv("DATABASE_URL", log.url)
    place, of = installation(), session("system", KEY)
    wordy = [
        Query(conversation.turns, (conversation.Reading(of),)),
        Query(diff_between, (of, *map(row_id, system_session()[:2]))),
    ]
    first = run_together(place, NOON, wordy)
    assert [one.error for one in first] == [None, None]
    spare_server.stop()
    later = run_together(place, NOON + 30 * SECOND, wordy)
    assert [(one.value, one.is_stale) for one in later] == [(None, False)] * 2


def test_a_session_whose_rows_go_while_it_is_read_says_so(open_page, database):
    log = database(rows=system_session())
    app = open_page(PAGE, log.url, session="system", zone="UTC", of=KEY)
    log.execute("DELETE FROM \"LiteLLM_SpendLogs\" WHERE request_id = 'system-2'")
    click(app, "Refresh now")
    assert not app.exception
    assert told(app).count("Request ") == 2
    log.execute('DELETE FROM "LiteLLM_SpendLogs"')
    click(app, "Refresh now")
    assert not app.exception
    assert "No session has this ID." in words(app)
    assert not turns(app)


def test_two_sessions_are_read_side_by_side(open_session, real_rows_database):
    app = open_session(real_rows_database, "sess-tools-0005", **{"with": "sess-parallel-0120"})
    (table,) = app.dataframe
    assert records(table.value) == [
        dict(zip(("figure", "left", "right", "change"), row, strict=True))
        for row in (
            ("Cost", "$0.00021", "$0.00064", "+206.3 %"),
            ("Requests", "2", "5", "+150.0 %"),
            ("Failures", "0", "0", None),
            ("Cache hits", "0", "0", None),
            ("Prompt tokens", "28", "142", "+407.1 %"),
            ("Completion tokens", "14", "81", "+478.6 %"),
            ("Duration", "277 ms", "651 ms", "+135.0 %"),
            ("Time in models", "113 ms", "327 ms", "+189.4 %"),
            ("Average response time", "56 ms", "65 ms", "+15.8 %"),
            ("Time to first token, p50", "–", "–", None),
            ("Models", "gpt-4o", "gpt-4o, gpt-4o-mini", None),
        )
    ]
    left, right = told(app, "left-"), told(app, "right-")
    assert left.startswith("User · 07:42:39 / Weather in Paris?")
    assert right.startswith("User · 08:50:02 / Compare three cities.")
    assert "What changed" not in left + right
    click(app, "Close the comparison")
    assert said_in_url(app) == {"session": ["sess-tools-0005"]}
    assert len(turns(app)) == 2


def test_a_session_is_read_beside_itself(open_session, made):
    app = open_session(made, "long", **{"with": "long"})
    assert {row["change"] for row in records(app.dataframe[0].value)} == {None, "0 %"}
    assert told(app, "left-") == told(app, "right-") != ""
    app.pagination("transcript page 1 left-").set_value(2).run()
    assert list(turns(app, "right-")) == [f"right-turn-{number}" for number in range(41, 46)]


def test_the_other_session_is_chosen_from_those_opened_before_or_by_its_id(open_session, made):
    app = open_session(made, "private")
    click(app, "All sessions")
    app.query_params.update({"session": "system", "redacted": "yes"})
    app.run()
    assert labels(app, "compare with ") == ["user-1, 23 Nov 2026 12:00:01, 5 requests"]
    app.button(f"compare with private {KEY}").click().run()
    assert said_in_url(app)["with"] == ["private"]
    assert ADA not in "\n".join(sent_to_browser(app))
    click(app, "Close the comparison")
    app.text_input("session to compare").set_value(" shared ").run()
    app.button(f"session of {KEY_B}").click().run()
    assert {name: said_in_url(app)[name] for name in ("session", "with", "with_of")} == {
        "session": ["system"],
        "with": ["shared"],
        "with_of": [KEY_B],
    }
    assert len(turns(app, "right-")) == 1


def test_a_session_beside_none_says_so_and_leads_back(open_session, made):
    app = open_session(made, "system", **{"with": "no-such"})
    assert "No session has this ID." in words(app)
    click(app, "Close the comparison")
    assert len(turns(app)) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"session": "x" * 2_001},
        {"session": "", "of": "x" * 2_001},
        {"session": "system", "with": "x" * 2_001},
        {"request": f"{'x' * 2_001}@2026-11-23T09:00:00.000Z"},
    ],
)
def test_an_id_that_is_too_long_is_not_looked_for(open_page, made, query):
    app = open_page(PAGE, made.url, **query)
    assert not app.exception
    assert "No session has this ID. An ID has at most 2,000 characters." in words(app)
    assert not turns(app)


def test_an_endless_link_is_ignored(open_page, made):
    app = open_page(PAGE, made.url, session="system", model=["x" * 300] * 107)
    assert "Ignored the link: it has more than 32,000 characters." in plain(words(app))
    assert (bool(turns(app)), "session" in app.query_params) == (False, False)
    assert "Ignored the link" not in words(open_page(PAGE, made.url, said="x" * 31_900))


def test_a_verdict_leads_to_the_requests_that_it_names(open_page, database):
    rows = [
        spend_log(
            session_id="s",
            request_id=f"r{n}",
            startTime=NOON + timedelta(minutes=n * n),
            endTime=NOON + timedelta(minutes=n * n, seconds=2),
            status="failure" if n == 1 else "success",
        )
        for n in range(4)
    ]
    app = open_page(
        "pages/Sessions.py", database(rows=rows).url, session="s", of=rows[0]["api_key"]
    )
    assert not app.exception
    said = [one.value for one in app.markdown if "idle" in one.value or "failure not" in one.value]
    assert said == [
        "**1 failure not retried:**",
        "**· 99 % of 9 min 2 s idle, the longest gap, 4 min 58 s, after**",
    ]
    links = [one for one in app.button if (one.key or "").startswith("verdict ")]
    assert [one.label for one in links] == ["request 2", "request 3"]
    links[0].click().run()
    assert app.query_params["request"] == "r1@2026-11-23T12:01:00.000Z"
