"""Histories as clients of many kinds send them: each message once, and what changed as a change."""

import json
from textwrap import dedent

import pytest

from tests.stored_rows import shape, shape_names, told
from tracelib.conversation import transcript
from tracelib.export import redacted
from tracelib.redaction import ALL

WHOLE = {
    ("histories", "01-think"): """
        r1 in thread 0
            system: Be brief.
            user: Capital of France?
         => assistant: <think> They ask for a capital. That is Paris. < …
        r2 in thread 0 after r1, 3 repeated
            user: How many people live there?
         => assistant: <think> Paris has about two million. </think> Ab …
        r3 in thread 0 after r2, 5 repeated
            user: And in Lyon?
         => assistant: <think> Lyon. </think> Half a million.""",
    ("histories", "02-noargs-chat"): """
        r1 in thread 0
            user: Which files are here?
         => assistant: {list_files: {}}
        r2 in thread 0 after r1, 2 repeated
            tool: [list_files: a.txt]
         => assistant: One: a.txt.
        r3 in thread 0 after r2, 4 repeated
            user: Thanks
         => assistant: Welcome.""",
    ("histories", "04-split-chat"): """
        r1 in thread 0
            user: Weather in Oslo and Rome?
         => assistant: {weather: { "city": "Oslo" }} {weather: { "city": "Rome" }}
        r2 in thread 0 after r1, 3 repeated
            tool: [weather: -2 C]
            tool: [weather: 14 C]
         => assistant: Oslo -2, Rome 14.
        r3 in thread 0 after r2, 6 repeated
            user: Warmer one?
         => assistant: Rome.""",
    ("histories", "04-split-text"): """
        r1 in thread 0
            user: Weather in Oslo and Rome?
         => assistant: I look both up.
                {weather: { "city": "Oslo" }}
                {weather: { "city": "Rome" }}
        r2 in thread 0 after r1, 4 repeated
            tool: [weather: -2 C]
            tool: [weather: 14 C]
         => assistant: Oslo -2, Rome 14.""",
    ("histories", "12-microcompact"): """
        r1 in thread 0
            user: Read the five files.
         => assistant: Step 1. {Read: { "path": "f1.py" }}
        r2 in thread 0 after r1, 2 repeated
            tool: [Read: content of file number 1]
         => assistant: Step 2. {Read: { "path": "f2.py" }}
        r3 in thread 0 after r2, 4 repeated
            tool: [Read: content of file number 2]
         => assistant: Step 3. {Read: { "path": "f3.py" }}
        r4 in thread 0 after r3, 6 repeated
            tool: [Read: content of file number 3]
         => assistant: Step 4. {Read: { "path": "f4.py" }}
        r5 in thread 0 after r4, 8 repeated
            tool: [Read: content of file number 4]
         => assistant: Step 5. {Read: { "path": "f5.py" }}
        r6 in thread 0 after r5, 10 repeated
            - 3 tool results emptied
            tool: [Read: content of file number 5]
         => assistant: All read.""",
    ("histories", "14-openwebui-rag"): """
        r1 in thread 0
            system: You help with the handbook.
            user: ### Task: Respond to the user query using the pr …
         => assistant: 30 days [1].
        * r2 in thread 1
            user: ### Task: Generate a concise, 3-5 word title wit …
         => assistant: { "title": "Leave days" }
        * r3 in thread 2
            user: ### Task: Generate 1-3 broad tags summarizing th …
         => assistant: { "tags": ["HR"] }
        r4 in thread 0 after r1, 3 repeated
            - User message changed: 15 words removed
            user: ### Task: Respond to the user query using the pr …
         => assistant: A note from day 3 [1].
        r5 in thread 0 after r4, 5 repeated
            - User message changed: 20 words removed
            user: ### Task: Respond to the user query using the pr …
         => assistant: 5 more [1].""",
    ("histories", "16-nocontent"): """
        r1 in thread 0
            user: Look.
         => assistant: {look: { "at": "x" }}
        r2 in thread 0 after r1, 2 repeated
            tool: [look: seen]
         => assistant: Seen.""",
    ("histories", "16-dot"): """
        r1 in thread 0
            user: Look.
         => assistant: {look: { "at": "x" }}
        r2 in thread 0 after r1, 2 repeated
            tool: [look: seen]
         => assistant: Seen.""",
    ("histories", "34-prefill"): """
        r1 in thread 0
            user: As JSON.
            assistant: {
         => assistant: "a": 1}
        r2 in thread 0 after r1, 2 repeated
            user: More.
         => assistant: {}""",
    ("histories", "35-reminder"): """
        r1 in thread 0
            system: You code.
            user: Fix the login bug. <phase-reminder>Plan first, t …
         => assistant: I read it. {read: { "path": "login.py" }}
        r2 in thread 0 after r1, 3 repeated
            tool: [read: def login(): pass]
         => assistant: Fixed.
        r3 in thread 0 after r2, 5 repeated
            - User message changed: 6 words removed
            user: Now add a test. <phase-reminder>Plan first, then …
         => assistant: Test added.
        r4 in thread 0 after r3, 7 repeated
            - User message changed: 6 words removed
            user: Ship it. <phase-reminder>Plan first, then delega …
         => assistant: Shipped.""",
    ("histories", "38-rag-system"): """
        r1 in thread 0
            system: You help with the handbook. <context> <source id …
            user: Leave?
         => assistant: 30 days.
        r2 in thread 0 after r1, 3 repeated
            - System prompt changed: 5 words added, 4 removed
            user: Ill?
         => assistant: A note.
        r3 in thread 0 after r2, 5 repeated
            - System prompt changed: 4 words added, 5 removed
            user: Children?
         => assistant: 5 more.""",
    ("histories", "39-window"): """
        r1 in thread 0
            system: Be brief.
            user: q1
         => assistant: a1
        r2 in thread 0 after r1, 3 repeated
            user: q2
         => assistant: a2
        r3 in thread 0 after r2, 4 repeated
            - Starts later: 1 message no longer sent
            user: q3
         => assistant: a3
        r4 in thread 0 after r3, 4 repeated
            - Starts later: 3 messages no longer sent
            user: q4
         => assistant: a4
        r5 in thread 0 after r4, 4 repeated
            - Starts later: 5 messages no longer sent
            user: q5
         => assistant: a5""",
    ("histories", "40-middle"): """
        r1 in thread 0
            system: Be brief.
            user: q1
         => assistant: a1
        r2 in thread 0 after r1, 3 repeated
            user: q2
         => assistant: a2
        r3 in thread 0 after r2, 5 repeated
            user: q3
         => assistant: a3
        r4 in thread 0 after r3, 7 repeated
            user: q4
         => assistant: a4
        r5 in thread 0 after r4, 4 repeated
            - 5 messages left out
            user: q5
         => assistant: a5""",
    ("histories", "41-order"): """
        r1 in thread 0
            user: Both?
         => assistant: {weather: { "city": "Oslo" }} {weather: { "city": "Rome" }}
        r2 in thread 0 after r1, 2 repeated
            tool: [weather: 14]
            tool: [weather: -2]
         => assistant: ok""",
    ("histories", "44-marks"): """
        r1 in thread 0
            user: Who won?
         => assistant: The reds won citeturn0search0.
        r2 in thread 0 after r1, 2 repeated
            user: When?
         => assistant: Yesterday.""",
    ("shapes", "03-audio"): """
        r1 in thread 0
            user: Is a golden retriever a good family dog?
         => assistant: <image/png, 70 B> Yes, they are friendly and loyal.
        r2 in thread 0 after r1, 2 repeated
            user: Why do you say they are loyal?
         => assistant: <image/png, 70 B> They stay close to people.
        r3 in thread 0 after r2, 4 repeated
            user: Thanks
         => assistant: Welcome.""",
    ("shapes", "05-websearch"): """
        r1 in thread 0
            user: When was Claude Shannon born?
         => assistant: I'll look that up.Claude Shannon was born on Apr …
                {web_search: { "query": "claude shannon birth date" }}
                [web_search: Claude Shannon https://en.example.org/wiki/Claud …]
                «Claude Shannon: https://en.example.org/wiki/Claude_Shannon Claud …»
        r2 in thread 0 after r1, 2 repeated
            user: And when did he die?
         => assistant: On February 24, 2001.
        r3 in thread 0 after r2, 4 repeated
            user: Thanks
         => assistant: Welcome.""",
    ("shapes", "06-iserror"): """
        r1 in thread 0
            user: Clean the build folder.
         => assistant: {Bash: { "command": "make clean" }}
        r2 in thread 0 after r1, 2 repeated
            tool: [!Bash: removed 3 files]
         => assistant: It did not work.""",
    ("shapes", "07-mcplist"): """
        r1 in thread 0
            system: Use the wiki.
            user: What are bees?
         => assistant: [mcp_list_tools: lookup: Looks up { "type": "object" }]
                {lookup: { "q": "bees" }}
                [lookup: Bees are insects.]
                Bees are insects.
        r2 in thread 0 after r1, 3 repeated
            user: And wasps?
         => assistant: {lookup: { "q": "wasps" }} [lookup: Wasps too.] Wasps too.
        r3 in thread 0 after r2, 5 repeated
            user: Thanks
         => assistant: Welcome.""",
    ("shapes", "08-shell"): """
        r1 in thread 0
            system: Be brief.
            user: List the files.
         => assistant: {shell_call: { "action": { "commands": [ "ls -l" ], "timeout_ …}
                [shell_call: a.txt]
                There is a.txt.
        r2 in thread 0 after r1, 5 repeated
            user: How many?
         => assistant: One.""",
    ("shapes", "09-conversation"): """
        note: Part of the conversation conv_68a1, which the pr …
        r1 in thread 0
            system: Be brief.
            user: I am Ada.
         => assistant: Hello Ada.
        r2 in thread 0 after r1, 1 repeated
            user: Who am I?
         => assistant: Ada.
        r3 in thread 0 after r2, 1 repeated
            user: Thanks
         => assistant: Welcome.""",
    ("shapes", "15-redacted-thinking"): """
        r1 in thread 0
            user: hm?
         => assistant: (Encrypted; only the provider can read it) So.
        r2 in thread 0 after r1, 2 repeated
            user: and?
         => assistant: (Empty: the model reasoned, but no text was sent) Well.""",
    ("shapes", "17-converse"): """
        r1 in thread 0
            system: Be brief.
            user: Find the order status
         => assistant: I look. {lookup_order: { "order_id": "A1" }}
        r2 in thread 0 after r1, 3 repeated
            tool: [lookup_order: { "state": "sent" }]
         => assistant: It was sent.""",
    ("shapes", "30-compaction"): """
        r1 in thread 0
            system: You code.
            user: Fix the bug.
         => assistant: Fixed.
        r2 in thread 0 after r1, 3 repeated
            user: Now the tests.
         => assistant: Tested.
        r3 in thread 0 after r2, 5 repeated
            compaction: #Compacted conversation: Requested here#
         => assistant: #Compacted conversation: Encrypted; only the provider can read it#
        r4 in thread 0 after r3, 4 repeated
            - 3 messages left out
            user: And the docs.
         => assistant: Documented.
        r5 in thread 0 after r4, 6 repeated
            user: Thanks
         => assistant: Welcome.""",
    ("shapes", "42-compaction-anthropic"): """
        r1 in thread 0
            user: one
         => assistant: first
        r2 in thread 0 after r1, 2 repeated
            user: two
         => assistant: second #Compacted conversation: Summary: the user fixed a bug.#
        r3 in thread 0 after r2, 4 repeated
            user: three
         => assistant: third""",
    ("shapes", "bedrock-resend"): """
        r1 in thread 0
            user: BRASK
         => assistant: BRT1 looking {BRTOOL: { "q": "BRARG" }}
        r2 in thread 0 after r1, 2 repeated
            tool: [BRTOOL: BRRES 12]
         => assistant: BRANSWER2""",
}


@pytest.mark.parametrize(("file", "case"), WHOLE)
def test_each_message_stands_once_and_a_change_is_told(file, case):
    assert told(transcript(shape(case, file))) == dedent(WHOLE[file, case]).strip()


def test_every_history_is_told_here():
    told_below = {"23-maskjson"}
    assert {case for file, case in WHOLE if file == "histories"} | told_below == set(
        shape_names("histories")
    )


def test_masked_arguments_of_a_call_are_still_json():
    masked, _ = redacted(transcript(shape("23-maskjson", "histories")), ALL)
    (call,) = masked.turns[0].responses[0].parts
    assert json.loads(call.text) == {
        "card": "[card]",
        "phone": "[phone]",
        "mail": "[e-mail]",
        "n": 1,
    }
