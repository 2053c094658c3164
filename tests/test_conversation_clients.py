"""Habits of clients by name, each in a few requests: every message once, changes as changes."""

import json

import pytest

from tests.stored_rows import choice, made, told
from tracelib.conversation import transcript

SYSTEM = {"role": "system", "content": "You help with the handbook and answer shortly."}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, *calls):
    return {"role": "assistant", "content": content} | ({"tool_calls": [*calls]} if calls else {})


def call(call_id, name, arguments):
    return {"id": call_id, "function": {"name": name, "arguments": arguments}}


def result(call_id, content):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def chat(*requests):
    """Rows of chat completions: pairs of messages and an answer, a second apart."""
    return [
        made({"messages": messages}, _answer(answer), request_id=f"r{at}", at=at)
        for at, (messages, answer) in enumerate(requests, start=1)
    ]


def _answer(answer):
    if answer is None:
        return {}
    message = {} if isinstance(answer, str) else answer
    return choice(message.get("content", answer), **message)


def shown(rows):
    return told(transcript(rows)).strip()


def changes(rows):
    return [change.sentence for turn in transcript(rows).turns for change in turn.changes]


def words(name, number):
    """Words that no other name and number have."""
    return " ".join(f"{name}{number}x{at}" for at in range(8))


def question(number):
    return f"What of {words('topic', number)}?"


def answer(number):
    return f"It is {words('fact', number)}."


def history(count):
    """So many questions with their answers."""
    pairs = ((user(question(at)), assistant(answer(at))) for at in range(count))
    return [message for pair in pairs for message in pair]


@pytest.mark.parametrize(
    "stored",
    [
        "[THINK]They ask for a capital.[/THINK]It is Paris.",
        "They ask for a capital.[/THINK]It is Paris.",
        "<seed:think>They ask for a capital.</seed:think>It is Paris.",
        "<|START_THINKING|>Well.<|END_THINKING|><|START_RESPONSE|>It is Paris.<|END_RESPONSE|>",
        "<|begin_of_thought|>A capital.<|end_of_thought|>It is Paris.",
        "<|channel>thought\nA capital.<channel|>It is Paris.",
    ],
)
def test_an_answer_without_the_reasoning_written_into_it_is_the_same(stored):
    rows = chat(
        ([user("Capital of France?")], stored),
        ([user("Capital of France?"), assistant("It is Paris."), user("And Spain?")], "Madrid."),
    )
    (turn,) = transcript(rows).turns[1:]
    assert (turn.parent_number, turn.repeated, turn.starts_line, turn.changes) == (1, 2, False, ())


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("null", "{}"),
        ('{"w":"K\u00e4se"}', '{"w": "Ka\u0308se"}'),
        ('{"a\u0308":[1.0,{"b":"e\u0301"}]}', '{"\u00e4":[1,{"b":"\u00e9"}]}'),
    ],
)
def test_arguments_in_another_spelling_are_no_change(stored, sent):
    rows = chat(
        ([user("Look.")], assistant(None, call("c1", "look", stored))),
        (
            [user("Look."), assistant(None, call("c1", "look", sent)), result("c1", "seen")],
            "Seen.",
        ),
    )
    assert (changes(rows), transcript(rows).turns[1].repeated) == ([], 2)


def test_results_of_calls_that_a_client_gave_other_ids_have_the_names_of_their_tools():
    both = [call("c1", "north", '{"x":1}'), call("c2", "south", '{"x":2}')]
    renamed = [call("k-7", "north", '{"x":1}'), call("k-8", "south", '{"x":2}')]
    rows = chat(
        ([user("Look.")], assistant("I look.", *both)),
        (
            [user("Look."), assistant("I look.", *renamed), result("k-7", "n"), result("k-8", "s")],
            "Seen.",
        ),
    )
    assert shown(rows).endswith(
        """\
r2 in thread 0 after r1, 2 repeated
    tool: [north: n]
    tool: [south: s]
 => assistant: Seen."""
    )


def test_files_that_a_client_puts_behind_the_newest_answer_are_shown_once():
    """Aider sends them with a reply in the model's name before each question."""
    files = [user(f"The files: {words('code', 0)}"), assistant("Ok, I will edit only those.")]
    rules = {"role": "system", "content": "Every block must use this format."}
    for begun in ([], [user("The map of all files."), assistant("Ok.")]):
        for last in ([], [rules]):
            rows = chat(
                *(
                    ([SYSTEM, *begun, *history(at), *files, user(question(at)), *last], answer(at))
                    for at in range(5)
                )
            )
            turns = transcript(rows).turns
            assert [len(turn.new_messages) for turn in turns[1:]] == [1] * 4
            assert {(turn.thread, turn.starts_line) for turn in turns} == {(0, False)}
            assert changes(rows) == []


def test_files_that_changed_are_shown_as_what_is_new():
    rows = chat(
        *(
            (
                [
                    SYSTEM,
                    *history(at),
                    user(f"The files: {words('code', at)}"),
                    assistant("Ok, I will edit only those."),
                    user(question(at)),
                ],
                answer(at),
            )
            for at in range(3)
        )
    )
    turns = transcript(rows).turns
    assert [[one.role for one in turn.new_messages] for turn in turns[1:]] == [["user", "user"]] * 2
    assert {(turn.thread, turn.starts_line) for turn in turns} == {(0, False)}


def test_a_result_without_its_picture_is_changed_rather_than_emptied():
    picture = {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{'iVBORw0K' * 40}"},
    }
    content = [{"type": "text", "text": "Shot taken."}, picture]
    asked = [user("Look."), assistant(None, call("c1", "look", "{}"))]
    rows = chat(
        (asked[:1], asked[1]),
        ([*asked, result("c1", content)], "Seen."),
        ([*asked, result("c1", "Shot taken."), assistant("Seen."), user("And?")], "That is all."),
    )
    assert changes(rows) == ["Tool result changed"]


def test_a_history_too_long_to_be_weighed_is_aligned_by_its_calls():
    """Old results are emptied, each behind its own call, and the first question has the time."""

    def step(at):
        return [call(f"{side}{at}", "look", json.dumps([side, at])) for side in "ab"]

    def seen(at, side, newest):
        return result(f"{side}{at}", "" if at < newest - 1 else f"{side}{at} was seen. " * 9)

    def sent(count, newest):
        both = [
            message
            for at in range(count)
            for a, b in [step(at)]
            for message in (
                assistant(None, a),
                seen(at, "a", newest),
                assistant(None, b),
                seen(at, "b", newest),
            )
        ]
        return [user(f"Begin: {words('clock', newest)}"), *both]

    rows = chat(
        *(
            (sent(count, count), assistant("", *step(count)) if count < 93 else "Done.")
            for count in range(90, 94)
        )
    )
    turns = transcript(rows).turns
    assert [len(turn.new_messages) for turn in turns[1:]] == [2, 2, 2]
    assert {turn.thread for turn in turns} == {0}


@pytest.mark.parametrize("gap", ["", "\n", "\n\n"])
def test_questions_that_are_sent_as_one_later_or_as_several_are_no_change(gap):
    apart = [user(question(0)), user(question(1))]
    whole = [user(question(0) + gap + question(1))]
    for before, after in ((apart, whole), (whole, apart)):
        rows = chat(
            ([SYSTEM, *before], answer(0)),
            ([SYSTEM, *after, assistant(answer(0)), user(question(2))], answer(1)),
        )
        (turn,) = transcript(rows).turns[1:]
        asked = [part.text for message in turn.new_messages for part in message.parts]
        assert (asked, turn.changes) == ([question(2)], ())
        assert (turn.parent_number, turn.starts_line) == (1, False)


def test_a_split_question_of_another_conversation_is_shown_whole():
    """The question is known as one, but not here."""
    whole, apart = user(question(0) + question(1)), [user(question(0)), user(question(1))]
    other = {"role": "system", "content": "Translate into the language of the user."}
    rows = chat(([SYSTEM, whole], answer(0)), ([other, *apart], answer(1)))
    (turn,) = transcript(rows).turns[1:]
    texts = [part.text for message in turn.new_messages for part in message.parts]
    assert texts == [other["content"], question(0), question(1)]


def test_a_question_without_an_answer_that_is_asked_again_with_more_is_a_change():
    more = user(f"{question(0)}\n\n{question(1)}")
    rows = chat(
        ([SYSTEM, user(question(0))], None),
        ([SYSTEM, more], answer(0)),
        ([SYSTEM, more, assistant(answer(0)), user(question(2))], answer(1)),
    )
    assert [len(turn.new_messages) for turn in transcript(rows).turns] == [2, 0, 1]
    assert changes(rows) == ["User message changed: 8 words added"]
    assert {turn.thread for turn in transcript(rows).turns} == {0}


def test_another_question_after_one_without_an_answer_starts_a_conversation():
    rows = chat(
        ([SYSTEM, user(question(0))], None),
        ([SYSTEM, user(question(1))], answer(0)),
    )
    assert [turn.thread for turn in transcript(rows).turns] == [0, 1]


SUMMARY = f"The user asked for {words('gist', 0)} and {words('gist', 1)}."


def test_questions_that_a_client_keeps_beside_a_summary_are_not_shown_again():
    """Codex sends all questions, then the summary of the rest."""
    kept = [SYSTEM, user("Where we are."), user(question(0)), user(question(1))]
    begun = [SYSTEM, user("Where we are."), *history(2)]
    summed_up = [*kept, user(f"Another model wrote this:\n{SUMMARY}"), user(question(2))]
    rows = chat(
        (begun[:3], answer(0)),
        (begun[:5], answer(1)),
        ([*begun, user("Write a summary for another model.")], SUMMARY),
        (summed_up, answer(2)),
        ([*summed_up, assistant(answer(2)), user(question(3))], answer(3)),
    )
    turns = transcript(rows).turns
    assert [len(turn.new_messages) for turn in turns] == [3, 1, 1, 2, 1]
    assert changes(rows) == ["Starts from a summary of the conversation so far"]
    assert {(turn.thread, turn.starts_line) for turn in turns} == {(0, False)}
    assert [turn.parent_number for turn in turns] == [None, 1, 2, 3, 4]


def test_a_summary_in_the_system_prompt_continues_the_conversation():
    summed_up = {"role": "system", "content": f"{SYSTEM['content']}\nSo far: {SUMMARY}"}
    rows = chat(
        ([SYSTEM, user(question(0))], answer(0)),
        ([SYSTEM, *history(1), user("Sum it all up.")], SUMMARY),
        ([summed_up, user(question(1))], answer(1)),
        ([summed_up, user(question(1)), assistant(answer(1)), user(question(2))], answer(2)),
    )
    turns = transcript(rows).turns
    assert [len(turn.new_messages) for turn in turns] == [2, 1, 1, 1]
    assert [one.sentence.split(":")[0] for one in turns[2].changes] == [
        "System prompt changed",
        "Starts from a summary of the conversation so far",
    ]
    assert {(turn.thread, turn.starts_line) for turn in turns} == {(0, False)}


def test_an_answer_in_words_of_the_system_prompt_is_no_summary():
    long = {"role": "system", "content": f"{SYSTEM['content']}\nSay: {SUMMARY}"}
    rows = chat(([long, user(question(0))], SUMMARY), ([long, user(question(1))], answer(1)))
    assert [turn.thread for turn in transcript(rows).turns] == [0, 1]
    assert changes(rows) == []


def item(kind, **fields):
    return {"type": kind, **fields}


def named(name):
    return item("item_reference", id=name)


def responses(*requests):
    """Rows of the Responses API: pairs of input and output, a second apart."""
    return [
        made(
            {"input": asked},
            {"object": "response", "output": output},
            call_type="aresponses",
            request_id=f"r{at}",
            at=at,
        )
        for at, (asked, output) in enumerate(requests, start=1)
    ]


THOUGHT = item("reasoning", id="rs_1", summary=[])
CALLS = [
    item("function_call", id="fc_1", call_id="c2", name="north", arguments="{}"),
    item("function_call", id="fc_2", call_id="c1", name="south", arguments="{}"),
]
SEEN = [
    item("function_call_output", call_id="c2", output="n"),
    item("function_call_output", call_id="c1", output="s"),
]
SAID = item("message", id="msg_1", role="assistant", content=[item("output_text", text="Seen.")])


@pytest.mark.parametrize(
    "sent",
    [
        [named("rs_1"), named("fc_1"), named("fc_2")],
        [named("fc_2"), named("fc_1")],
        [named("rs_1"), *CALLS],
        [THOUGHT, CALLS[0], named("fc_2")],
    ],
)
def test_an_answer_that_is_named_by_the_ids_of_its_items_is_the_same(sent):
    """Clients do so where the provider keeps the answers."""
    asked = [user("Look.")]
    rows = responses(
        (asked, [THOUGHT, *CALLS]),
        ([*asked, *sent, *SEEN], [SAID]),
        ([*asked, *sent, *SEEN, named("msg_1"), user("And?")], [SAID]),
        ([*SEEN, named("msg_1"), user("And?"), named("msg_1"), user("So?")], []),
    )
    turns = transcript(rows).turns
    assert {(turn.thread, turn.starts_line) for turn in turns} == {(0, False)}
    assert [[one.role for one in turn.new_messages] for turn in turns] == [
        ["user"],
        ["tool", "tool"],
        ["user"],
        ["user"],
    ]
    assert [part.name for one in turns[1].new_messages for part in one.parts] == ["north", "south"]
    assert changes(rows) == ["Starts later: 2 messages no longer sent"]


def test_what_names_an_item_of_no_known_answer_is_shown():
    rows = responses(([user("Look."), named("msg_9"), user("And?")], [SAID]))
    (turn,) = transcript(rows).turns
    assert [part.text for one in turn.new_messages for part in one.parts] == [
        "Look.",
        "Refers to msg_9, stored by the provider",
        "And?",
    ]


DOCUMENTS = [
    "Oaks are tall trees.",
    "Whales live in the sea.",
    "Cars need fuel.",
    "Bread is baked.",
]


def retrieved(number):
    text = f"Use the following documents to answer:\n{DOCUMENTS[number]}"
    return {"role": "system", "content": text}


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("is_kept", [True, False])
def test_text_retrieved_into_a_system_message_is_shown_each_time(is_before, is_kept):
    """The system message begins alike in every request; what follows must not be lost."""

    def asked(at):
        pair = [retrieved(at), user(question(at))]
        return pair if is_before else pair[::-1]

    def sent(newest):
        earlier = [
            message
            for at in range(newest)
            for message in (
                *(asked(at) if is_kept else [user(question(at))]),
                assistant(answer(at)),
            )
        ]
        return [SYSTEM, *earlier, *asked(newest)]

    rows = chat(*((sent(at), answer(at)) for at in range(4)))
    texts = [
        part.text
        for turn in transcript(rows).turns
        for one in (
            *turn.new_messages,
            *(new for change in turn.changes for new in change.messages),
        )
        for part in one.parts
    ]
    assert [sum(text in one for one in texts) for text in DOCUMENTS] == [1] * 4
    assert [texts.count(question(at)) for at in range(4)] == [1] * 4
    assert {(turn.thread, turn.starts_line) for turn in transcript(rows).turns} == {(0, False)}


def test_prompts_that_a_client_goes_back_to_are_shown_once():
    """As where a coding agent plans and acts in turn."""
    plan = {"role": "system", "content": f"PLAN. {words('plan', 0)}"}
    act = {"role": "system", "content": f"ACT. {words('act', 0)}"}
    rows = chat(
        *(([(plan, act)[at % 2], *history(at), user(question(at))], answer(at)) for at in range(6))
    )
    turns = transcript(rows).turns
    assert [turn.thread for turn in turns] == [0, 1, 0, 1, 0, 1]
    assert [turn.parent_number for turn in turns] == [None, 1, 2, 3, 4, 5]
    assert [turn.starts_line for turn in turns] == [False, True, False, False, False, False]
    assert [len(turn.new_messages) for turn in turns] == [2, 2, 1, 1, 1, 1]
    assert changes(rows) == ["Same conversation with another system prompt"] * 5
