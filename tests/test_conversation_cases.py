"""Rows of reported cases, each read by itself: what is stored in it is shown."""

from itertools import pairwise
from textwrap import dedent

import pytest

from tests.stored_rows import shape, shape_names, told
from tracelib.conversation import Message, Part, transcript
from tracelib.conversation.bodies.request_messages import CHAT, POLL
from tracelib.conversation.notes import NOT_STORED, shared_notes
from tracelib.conversation.threading.history import as_message, read_turn

ENCRYPTED = "(Encrypted; only the provider can read it)"

# Of each case, by the number of a row in it, what that row says by itself.
ROWS = {
    ("05-websearch", 1): """
        user: When was Claude Shannon born?
        => assistant: I'll look that up.Claude Shannon was born on Apr …
        {web_search: { "query": "claude shannon birth date" }}
        [web_search: Claude Shannon https://en.example.org/wiki/Claud …]
        «Claude Shannon: https://en.example.org/wiki/Claude_Shannon Claud …»""",
    ("05-websearch", 2): """
        user: When was Claude Shannon born?
        assistant: I'll look that up.
        {web_search: { "query": "claude shannon birth date" }}
        [web_search: Claude Shannon https://en.example.org/wiki/Claud …]
        Claude Shannon was born on April 30, 1916.
        «Claude Shannon: https://en.example.org/wiki/Claude_Shannon Claud …»
        user: And when did he die?
        => assistant: On February 24, 2001.""",
    ("06-iserror", 2): """
        user: Clean the build folder.
        assistant: {Bash: { "command": "make clean" }}
        tool: [!Bash: removed 3 files]
        => assistant: It did not work.""",
    ("07-mcplist", 1): """
        system: Use the wiki.
        user: What are bees?
        => assistant: [mcp_list_tools: lookup: Looks up { "type": "object" }]
        {lookup: { "q": "bees" }}
        [lookup: Bees are insects.]
        Bees are insects.""",
    ("07-mcplist", 2): """
        system: Use the wiki.
        user: What are bees?
        assistant: [mcp_list_tools: lookup: Looks up { "type": "object" }]
        {lookup: { "q": "bees" }}
        [lookup: Bees are insects.]
        Bees are insects.
        user: And wasps?
        => assistant: {lookup: { "q": "wasps" }} [lookup: Wasps too.] Wasps too.""",
    ("08-shell", 1): """
        system: Be brief.
        user: List the files.
        => assistant: {shell_call: { "action": { "commands": [ "ls -l" ], "timeout_ …}
        [shell_call: a.txt]
        There is a.txt.""",
    ("10-prompt-openai", 1): """
        developer: Prompt pmpt_68b0c2, version 2 city: San Francisc …
        system: Answer in French.
        => assistant: Bonjour.""",
    ("10-prompt-and-input", 1): """
        developer: Prompt pmpt_68b0c2, version 2 city: San Francisc …
        user: What shall I see?
        => assistant: The bridge.""",
    ("10-prompt-litellm", 1): """
        developer: Prompt my-responses-prompt topic: large language …
        => assistant: They predict words.""",
    ("11-imagegen", 1): """
        system: Be brief.
        user: Draw a cat.
        => assistant: {image_generation_call: { "revised_prompt": "A cat on a wall.", "size": …}
        [image_generation_call: ]
        <image/png, 70 B>""",
    ("15-redacted-thinking", 1): f"""
        user: hm?
        => assistant: {ENCRYPTED} So.""",
    ("15-redacted-thinking", 2): f"""
        user: hm?
        assistant: {ENCRYPTED} So.
        user: and?
        => assistant: (Empty: the model reasoned, but no text was sent) Well.""",
    ("17-converse", 2): """
        system: Be brief.
        user: Find the order status
        assistant: I look. {lookup_order: { "order_id": "A1" }}
        tool: [lookup_order: { "state": "sent" }]
        => assistant: It was sent.""",
    ("19-citations-chat", 1): """
        user: Who won?
        => assistant: The reds won [1]. «Reds win: https://news.example.org/match»""",
    ("20-documents", 1): """
        user: <Handbook: document, text below>
        Leave is 30 days.
        Sick notes from day 3.
        <Leave: search result, https://intra.example.org/leave>
        Parents get 5 more.
        How much leave?
        => assistant: 30 days.""",
    ("30-compaction", 3): """
        system: You code.
        user: Fix the bug.
        assistant: Fixed.
        user: Now the tests.
        assistant: Tested.
        compaction: #Compacted conversation: Requested here#
        => assistant: #Compacted conversation: Encrypted; only the provider can read it#
        """,
    ("42-compaction-anthropic", 2): """
        user: one
        assistant: first
        user: two
        => assistant: second #Compacted conversation: Summary: the user fixed a bug.#""",
    ("42-compaction-anthropic", 3): """
        user: one
        assistant: first
        user: two
        assistant: #Compacted conversation: Summary: the user fixed a bug.# second
        user: three
        => assistant: third""",
    ("ws-turn", 1): """
        user: WSASK list the files
        => assistant: WSANSWER there are two {read_file: { "path": "WSARG.txt" }}""",
    ("a2a", 1): """
        user: A2AASK plan a trip
        => assistant: A2ASTATUS done plan: A2AANSWER go to Rome""",
    ("ocr", 1): """
        user: <https://files.example.com/OCRASK.pdf>
        => assistant: page 1: # OCRANSWER invoice 12 <image/png, 9.3 kB>""",
    ("prompt-id-chat", 1): """
        developer: Prompt pmpt_PIID city: PIVAR
        => assistant: PIANSWER""",
    ("realtime-audio", 1): """
        user: <audio, not stored> RLUSER hello
        => assistant: <audio, not stored> RLANS1 hi
        => user: <audio, not stored> RLTWO bye
        => assistant: {hangup: { "why": "RLARG" }}""",
    ("realtime-order", 1): """
        system: Be kind.
        user: Hello realtime
        => assistant: You said: Hello realtime
        => user: How are you?
        => assistant: You said: How are you?""",
    ("doc-content", 1): """
        user: <Policy: document, text below>
        DOCTEXT refunds in 30 days
        DOCASK when?
        => assistant: DOCANSWER 30 days""",
    ("mistral-thinking", 1): """
        user: MTASK
        assistant: (MTTHINK carry the one) MTTEXT 42
        user: MTNEXT
        => assistant: (MTLATE again) MTANSWER 43""",
    ("mcp-image", 1): """
        user: {get_forecast: { "city": "Paris" }}
        => tool: [get_forecast: MITEXT shot] <image/png, 9.3 kB>""",
    ("image-gen-call", 1): """
        user: IGASK draw a cat
        => assistant: {image_generation_call: { "revised_prompt": "IGREV a cat" }}
        [image_generation_call: ]
        <image/png, 9.3 kB>
        IGANSWER here""",
    ("computer-output", 1): """
        user: CUASK open it
        assistant: {computer_call: { "action": { "type": "click", "x": 1, "y": 2, " …}
        tool: [computer_call: ] <image/png, 9.3 kB>
        => assistant: CUANSWER opened""",
    ("server-tool-history", 1): """
        user: STASK
        assistant: {web_search: { "query": "STQUERY" }}
        [web_search: STTITLE https://example.com/ST]
        STTEXT found
        «STTITLE: https://example.com/ST STCITED»
        user: STNEXT
        => assistant: STANSWER""",
    ("bedrock-converse", 1): """
        system: BCSYS be brief
        user: BCASK one plus one
        tool: [{ "v": "BCRES" }]
        => assistant: BCANSWER two {BCTOOL: { "q": "BCARG" }}""",
    ("bedrock-resend", 2): """
        user: BRASK
        assistant: BRT1 looking {BRTOOL: { "q": "BRARG" }}
        tool: [BRTOOL: BRRES 12]
        => assistant: BRANSWER2""",
    ("resp-failed", 1): """
        user: RFASK1
        => assistant: /Failed (server_error): RFAILMSG the model overheated/""",
    ("content-filter", 1): """
        user: CFASK
        => assistant: /Stopped by a content filter (content_filter)/""",
    ("tool-error", 1): """
        user: TEASK
        assistant: {f: {}}
        tool: [!f: TERES]
        => assistant: TEANS""",
    ("tool-error", 2): """
        user: {get_forecast: { "city": "Paris" }}
        => tool: [!get_forecast: TEMCP]""",
    ("sse-string", 1): """
        user: raw pass-through call
        => assistant: SSEONE SSETWO""",
    ("interactions", 1): """
        user: INTASK why
        => assistant: (INTTHINK) INTANSWER because""",
    ("poll", 1): """
        user: BGASK research this
        => assistant: /Not finished when it was stored (queued)/""",
    ("poll", 3): "=> assistant: BGANSWER the report",
}


@pytest.mark.parametrize(("case", "number"), ROWS, ids=[f"{c}:{n}" for c, n in ROWS])
def test_a_row_of_a_case_is_shown(case, number):
    row = shape(case)[number - 1]
    lines = told(transcript([row])).splitlines()[1:]
    shown = "\n".join(line.strip() for line in lines if not line.strip().startswith("note:"))
    assert shown == dedent(ROWS[case, number]).strip()


def test_every_case_is_told_here_or_below():
    told_below = {"03-audio", "09-conversation", "24-numbers", "36-signs", "not-stored-one"}
    assert {case for case, _ in ROWS} | told_below == set(shape_names())


def test_numbers_of_arguments_are_shown_with_the_digits_they_were_sent_with():
    first, second = shape("24-numbers")
    expected = """\
{
  "id": 107505301260286111,
  "price": 0.10000000000000000555,
  "big": 123456789012345678901234567890,
  "huge": 1e400,
  "at": 12.50,
  "who": "a",
  "who": "b"
}"""
    (answered,) = read_turn(first).responses[0].parts
    asked = as_message(read_turn(second).question.messages[1]).parts[0]
    for part in (answered, asked):
        assert (part.kind, part.name, part.call_id, part.is_json) == (
            "tool_call",
            "pay",
            "call_big",
            True,
        )
        assert part.text == expected


def test_a_spoken_answer_is_shown_with_its_words_and_later_by_its_id():
    first, second, _ = shape("03-audio")
    sound, words = read_turn(first).responses[0].parts
    assert (sound.kind, sound.reference) == ("audio", "audio_abc123")
    assert words == Part("text", "Yes, they are friendly and loyal.")
    (named,) = as_message(read_turn(second).question.messages[1]).parts
    assert (named.kind, named.text, named.reference) == (
        "audio",
        "audio, not stored",
        "audio_abc123",
    )


def test_flags_and_families_are_said_as_they_were():
    row = shape("36-signs")[0]
    (turn,) = transcript([row]).turns
    assert turn.new_messages == (
        Message("user", (Part("text", row.request_body["messages"][0]["content"]),)),
    )
    assert turn.responses[0].parts[0].text == "مرحبا 100% (ok) שלום 3.5"


def test_a_conversation_that_the_provider_keeps_is_named():
    for row in shape("09-conversation"):
        one = read_turn(row)
        assert one.question.conversation_id == "conv_68a1"
        (turn,) = transcript([row]).turns
        assert ("conversation", "conv_68a1") in turn.settings
        assert turn.notes[0].startswith("Part of the conversation conv_68a1, which the ")


def test_requests_of_a_conversation_that_the_provider_keeps_continue_each_other():
    first, *later = transcript(shape("09-conversation")).turns
    assert later
    assert (first.parent, first.thread) == (None, 0)
    for before, turn in pairwise([first, *later]):
        assert (turn.parent, turn.thread, turn.starts_line) == (before.request.row, 0, False)


def test_a_poll_is_told_apart_and_asks_nothing():
    asked, *polls = shape("poll")
    assert read_turn(asked).question.kind == CHAT
    for poll in polls:
        question = read_turn(poll).question
        assert (question.kind, question.polled_id, question.messages) == (POLL, "resp_bg0", ())
        (turn,) = transcript([poll]).turns
        (note,) = turn.notes
        assert note.startswith("No prompt: this fetches the ")
        assert note.endswith("response resp_bg0 of an earlier request.")


def test_a_session_of_one_request_with_nothing_stored_says_so():
    (turn,) = transcript(shape("not-stored-one")).turns
    assert (turn.new_messages, turn.responses, turn.notes) == ((), (), (NOT_STORED,))
    assert shared_notes([turn.notes]) == ()  # so that it stands on the turn
