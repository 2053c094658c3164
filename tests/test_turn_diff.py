"""Two requests compared: messages, system prompt, settings, and texts line by line."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import rows
from tests.rows import KEY
from tests.sources import source_of
from tests.stored_rows import MORE, choice, made, scenario, scenario_names, session
from tracelib.conversation.turn_diff import (
    LONGEST_LINE,
    MOST_LINES,
    MessageDiff,
    SettingDiff,
    TextDiff,
    TurnDiff,
    diff_between,
    text_diff,
    turn_diff,
)
from tracelib.redaction import ALL
from tracelib.selection import RowId, Selection

ROLES = {"S": "system", "U": "user", "A": "assistant", "D": "developer"}


def chat(*messages: str, **body: object):
    """A request: `S:` opens a system prompt, `A:` an answer, `U:` a question."""
    sent = [{"role": ROLES[text[0]], "content": text[2:]} for text in messages]
    return made({"messages": sent, **body})


def fates(diff: TurnDiff) -> str:
    """A letter a message, in order: kept, added, removed or changed."""
    return "".join(one.fate[0] for one in diff.messages)


def real(name: str):
    return scenario(name, MORE)


def whole(one: MessageDiff) -> tuple[object, ...]:
    text = "".join(part.text for part in one.message.parts)
    return (one.fate, one.before, one.after, one.message.role, text, one.lines, one.is_cut)


def test_a_request_that_goes_on_adds_the_answer_and_what_is_new():
    diff = turn_diff(chat("S:s", "U:q"), chat("S:s", "U:q", "A:a", "U:more"))
    assert list(map(whole, diff.messages)) == [
        ("kept", 0, 0, "system", "s", (), False),
        ("kept", 1, 1, "user", "q", (), False),
        ("added", None, 2, "assistant", "a", (), False),
        ("added", None, 3, "user", "more", (), False),
    ]
    assert (diff.settings, diff.is_system_changed, diff.is_redacted) == ((), False, False)


def test_an_edited_question_of_a_real_session_is_changed_and_its_lines_told_apart():
    before, after = real("agent_22_after_compact"), real("agent_23_edited")
    diff = turn_diff(before, after)
    assert (diff.before, diff.after) == (before.row, after.row)
    assert fates(diff) == "kkkkkkc"
    assert whole(diff.messages[-1]) == (
        "changed",
        6,
        6,
        "user",
        "Which version number did you use, and why?",
        (
            ("removed", "Which version number?"),
            ("added", "Which version number did you use, and why?"),
        ),
        False,
    )
    assert diff.settings == ()


def test_a_real_compaction_has_another_system_prompt_model_and_no_tools():
    diff = turn_diff(real("agent_18_main"), real("agent_19_compact"))
    assert fates(diff) == "c" + "k" * 16 + "aa"
    assert diff.is_system_changed
    assert diff.settings == (
        SettingDiff("model", "gpt-4o", "gpt-4o-mini"),
        SettingDiff("tools offered", "read_file, run_tests, edit_file, spawn_agent", None),
    )


def test_a_real_history_replaced_by_its_summary_is_removed():
    diff = turn_diff(real("agent_18_main"), real("agent_20_after_compact"))
    assert fates(diff) == "k" + "r" * 16 + "aa"
    assert not diff.is_system_changed


def test_a_real_retry_sends_the_same_to_another_model():
    diff = turn_diff(real("agent_24_fail"), real("agent_25_retry_same"))
    assert fates(diff) == "k" * 9
    assert diff.settings == (SettingDiff("model", "rate-limited", "gpt-4o"),)


def test_an_answer_is_the_same_in_whichever_spelling_it_is_sent_back():
    blocks = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]
    spelled = made({"messages": [{"role": "assistant", "content": blocks}]})
    assert fates(turn_diff(chat("A:a"), spelled)) == "k"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((), (), ""),
        ((), ("U:q",), "a"),
        (("U:q",), (), "r"),
        (("U:one two",), ("U:one three",), "c"),
        (("U:one two",), ("U:three four",), "ra"),
        (("U:one two",), ("A:one two",), "ra"),
        (("U:one", "U:old"), ("U:one", "U:new"), "kra"),
        (("S:a", "U:q"), ("D:b", "U:q"), "ck"),
        (("U:q",), ("S:s", "U:q"), "ak"),
        (("U:q 1", "A:a 1", "U:p 1"), ("U:q 2", "A:a 2"), "ccr"),
        (("U:q", "A:a", "U:q", "A:a"), ("U:q", "A:a"), "kkrr"),
    ],
)
def test_what_became_of_each_message(before, after, expected):
    assert fates(turn_diff(chat(*before), chat(*after))) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("S:a", "U:q"), ("S:a", "U:p"), False),
        (("S:a", "U:q"), ("S:b", "U:q"), True),
        (("U:q",), ("S:b", "U:q"), True),
        (("S:a", "U:q"), ("U:q",), True),
    ],
)
def test_a_change_of_the_system_prompt_is_marked(before, after, expected):
    assert turn_diff(chat(*before), chat(*after)).is_system_changed is expected


def test_the_system_prompt_beside_the_messages_counts_too():
    asked = {"messages": [{"role": "user", "content": "q"}]}
    diff = turn_diff(made({"system": "one\ntwo", **asked}), made({"system": "one\n2", **asked}))
    assert diff.messages[0].lines == (("same", "one"), ("removed", "two"), ("added", "2"))


def test_changed_arguments_of_a_call_are_lines_below_its_name():
    def call(city):
        function = {"name": "weather", "arguments": f'{{"city": "{city}"}}'}
        calls = [{"id": "c1", "type": "function", "function": function}]
        return made({"messages": [{"role": "assistant", "tool_calls": calls}]})

    [one] = turn_diff(call("Paris"), call("Rome")).messages
    assert one.lines == (
        ("same", "[tool call weather]"),
        ("same", "{"),
        ("removed", '  "city": "Paris"'),
        ("added", '  "city": "Rome"'),
        ("same", "}"),
    )


def test_what_is_private_over_several_lines_is_masked_before_lines_are_compared():
    key = "-----BEGIN PRIVATE KEY-----\n{}\nMIIEvQIBADANBgkqhkiG9w0B\n-----END PRIVATE KEY-----"
    texts = [f"S:{key.format(word * 24)}\nUse {word} it." for word in ("x", "y")]
    [one] = turn_diff(chat(texts[0]), chat(texts[1]), ALL).messages
    assert one.lines == (("same", "[key]"), ("removed", "Use x it."), ("added", "Use y it."))
    long_line = "U:" + "word " * 99 + "ada@example.org {}"
    [one] = turn_diff(chat(long_line.format("a")), chat(long_line.format("b")), ALL).messages
    assert "ada" not in "".join(text for _, text in one.lines)
    [one] = turn_diff(chat("S:to a@example.org"), chat("S:to b@example.org"), ALL).messages
    assert (one.fate, one.lines) == ("changed", ())


def test_settings_that_differ_are_told_with_those_only_one_has():
    tools = [{"type": "function", "function": {"name": "look"}}]
    before = chat("U:q", model="gpt-4o", temperature=0.5, max_tokens=10)
    after = chat("U:q", model="gpt-4o", temperature=1, tools=tools, stream=True)
    assert turn_diff(before, after).settings == (
        SettingDiff("temperature", "0.5", "1"),
        SettingDiff("max_tokens", "10", None),
        SettingDiff("stream", None, "yes"),
        SettingDiff("tools offered", None, "look"),
    )


def test_redacted_messages_may_not_be_what_they_seem():
    diff = turn_diff(chat("U:redacted-by-litellm"), chat("U:redacted-by-litellm"))
    assert (fates(diff), diff.is_redacted) == ("k", True)


@pytest.mark.parametrize("body", [None, "", {}, [], "text", 7, '{"cut', {"messages": [[[]]]}])
def test_bodies_of_any_shape_are_compared(body):
    assert {one.fate for one in turn_diff(made(body), made(body)).messages} <= {"kept"}


def test_what_is_nested_too_deeply_says_so():
    content: object = "x"
    for _ in range(3_000):
        content = [content]
    [one] = turn_diff(made({}), made({"messages": [{"role": "user", "content": content}]})).messages
    assert whole(one)[3:5] == ("user", "Nested too deeply to be shown")


TEXTS = st.sampled_from(["S:s", "S:t", "U:q", "U:q more", "A:a", "A:other", "U:new"])


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, max_size=12), st.lists(TEXTS, max_size=12))
def test_every_message_of_both_is_there_once_and_in_order(before, after):
    found = turn_diff(chat(*before), chat(*after)).messages
    assert [one.before for one in found if one.before is not None] == list(range(len(before)))
    assert [one.after for one in found if one.after is not None] == list(range(len(after)))
    for one in found:
        both = one.before is not None and one.after is not None
        assert both == (one.fate in ("kept", "changed"))
        if both:
            assert (before[one.before] == after[one.after]) == (one.fate == "kept")


def test_two_requests_of_a_key_are_read_and_compared(real_rows_database):
    source = source_of(real_rows_database)
    names = {name: one for one, name in scenario_names(MORE).items()}
    wanted = [names["agent_22_after_compact"], names["agent_23_edited"]]
    of_id = {row["request_id"]: row for row in rows.real_rows()}
    row = of_id[wanted[0]]
    before, after = (rows.row_id(of_id[one]) for one in wanted)
    selection = Selection(row["api_key"], (row["session_id"],))
    expected = turn_diff(
        *(one for one in session("agent_2", file=MORE) if one.request_id in wanted)
    )
    found = diff_between(source, selection, before, after)
    assert found == replace(expected, before=before, after=after)
    assert diff_between(source, selection, before, before._replace(request_id="no")) is None
    assert diff_between(source, selection, RowId("", rows.NOON), after) is None
    assert diff_between(source, selection, before, after._replace(started_at=rows.NOON)) is None
    assert diff_between(source, Selection(KEY, (row["session_id"],)), before, after) is None


def test_a_request_compared_with_itself_keeps_everything(database):
    asked = {"messages": [{"role": "user", "content": "q"}]}
    row = rows.spend_log(request_id="r", proxy_server_request=asked, response=choice("a"))
    source, one = source_of(database(rows=[row])), rows.row_id(row)
    diff = diff_between(source, Selection(KEY, ("s",)), one, one)
    assert fates(diff) == "k"


def test_equal_texts_have_no_lines():
    assert text_diff("", "") == text_diff("a\nb", "a\nb\n") == TextDiff((), False)


def test_unchanged_lines_far_from_a_change_are_a_gap():
    text = [f"line {number}" for number in range(30)]
    edited = [*text[:10], "new", *text[10:24], "other", *text[25:]]
    assert text_diff("\n".join(text), "\n".join(edited)) == TextDiff(
        (
            ("gap", "7 unchanged lines"),
            ("same", "line 7"),
            ("same", "line 8"),
            ("same", "line 9"),
            ("added", "new"),
            ("same", "line 10"),
            ("same", "line 11"),
            ("same", "line 12"),
            ("gap", "8 unchanged lines"),
            ("same", "line 21"),
            ("same", "line 22"),
            ("same", "line 23"),
            ("removed", "line 24"),
            ("added", "other"),
            ("same", "line 25"),
            ("same", "line 26"),
            ("same", "line 27"),
            ("gap", "2 unchanged lines"),
        ),
        False,
    )


def test_a_change_deep_inside_a_huge_text_is_found():
    text = "\n".join(f"line {number}" for number in range(100_000))
    found = text_diff(text, text.replace("line 70000\n", ""))
    assert found.lines[0] == ("gap", "69,997 unchanged lines")
    assert ("removed", "line 70000") in found.lines
    assert found.lines[-1] == ("gap", "29,996 unchanged lines")
    assert not found.is_cut


def test_huge_texts_with_nothing_in_common_are_cut_and_say_so():
    found = text_diff("a" * 2_000_000, "b" * 2_000_000)
    assert found == TextDiff(
        (("removed", "a" * LONGEST_LINE),) * MOST_LINES
        + (("added", "b" * LONGEST_LINE),) * MOST_LINES,
        True,
    )


LINES = st.lists(st.sampled_from(["a", "b", "c", "", "long " * 150]), max_size=40)


@settings(max_examples=100, deadline=None)
@given(LINES, LINES)
def test_a_comparison_accounts_for_every_line_of_both_texts(old, new):
    found = text_diff("\n".join(old), "\n".join(new))
    unchanged = sum(int(text.split()[0]) for kind, text in found.lines if kind == "gap")
    for fate, lines in (("removed", old), ("added", new)):
        shown = [text for kind, text in found.lines if kind in ("same", fate)]
        pieces = "\n".join(lines).splitlines()
        total = sum(max(1, -(-len(line) // LONGEST_LINE)) for line in pieces)
        assert not found.lines or len(shown) + unchanged == total
    assert not found.is_cut
