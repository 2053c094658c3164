"""What clients of Anthropic's messages and of the Responses API do."""

from tests.live.client import MESSAGES, RESPONSES
from tests.live.playing import Habit, Turn
from tests.live.words import (
    ANTHROPIC_IMAGE,
    ANTHROPIC_TOOLS,
    CACHED,
    DOCUMENTS,
    FIRST,
    ONE,
    PARIS,
    RESPONSES_TOOLS,
    SECOND,
    TWO,
    WEATHER,
    anthropic,
    assistant,
    says,
    text,
    user,
)

AGENT_HABITS = (
    Habit(
        "moves its cache marks",
        MESSAGES,
        (
            Turn(anthropic(ONE, system="Be kind."), says("First.")),
            Turn(
                anthropic(
                    *(
                        user(text("One?")),
                        assistant([text("First.")]),
                        user(text("Two?", **CACHED)),
                    ),
                    system=[text("Be kind.", **CACHED)],
                ),
                says("Second."),
            ),
            Turn(
                anthropic(
                    *(ONE, FIRST, user(text("Two?")), SECOND, user(text("Three?", **CACHED))),
                    system=[text("Be kind.", **CACHED)],
                ),
                says("Third."),
            ),
        ),
        (
            *("system: Be kind.", "user: One?", "assistant: First."),
            *("user: Two?", "assistant: Second.", "user: Three?", "assistant: Third."),
        ),
    ),
    Habit(
        "reports that a tool failed",
        MESSAGES,
        (
            Turn(
                anthropic(WEATHER, tools=ANTHROPIC_TOOLS, stream=True),
                says("Let me see.", ("toolu_1", "Paris"), thinking="They want the weather."),
            ),
            Turn(
                anthropic(
                    WEATHER,
                    assistant(
                        [
                            {
                                "type": "thinking",
                                "thinking": "They want the weather.",
                                "signature": "c2lnbmVk",
                            },
                            text("Let me see."),
                            {
                                "type": "tool_use",
                                "id": "toolu_1",
                                "name": "weather",
                                "input": {"city": "Paris"},
                            },
                        ]
                    ),
                    user(
                        {
                            "type": "tool_result",
                            "tool_use_id": "toolu_1",
                            "content": "No such city",
                            "is_error": True,
                        }
                    ),
                    tools=ANTHROPIC_TOOLS,
                    stream=True,
                ),
                says("It is not known."),
            ),
        ),
        (
            "user: Weather?",
            'assistant: (They want the weather.) Let me see. {weather {"city": "Paris"}}',
            *("tool: [No such city]", "assistant: It is not known."),
        ),
    ),
    Habit(
        "sends documents and an image",
        MESSAGES,
        (
            Turn(anthropic(user(*DOCUMENTS, ANTHROPIC_IMAGE, text("What?"))), says("Three.")),
            Turn(
                anthropic(
                    user(*DOCUMENTS, ANTHROPIC_IMAGE, text("What?")), assistant("Three."), TWO
                ),
                says("Second."),
            ),
        ),
        (
            "user: <application/pdf, 48 B> <text/plain, text below> Grass is green."
            " <image/png, 70 B> What?",
            *("assistant: Three.", "user: Two?", "assistant: Second."),
        ),
    ),
    Habit(
        "names the response before",
        RESPONSES,
        (
            Turn({"input": "One?", "instructions": "Be kind."}, says("First.")),
            Turn({"input": "Two?", "instructions": "Be kind."}, says("Second."), after=0),
            Turn({"input": "Three?", "instructions": "Be kind."}, says("Third."), after=1),
        ),
        (
            *("system: Be kind.", "user: One?", "assistant: First."),
            *("user: Two?", "assistant: Second.", "user: Three?", "assistant: Third."),
        ),
    ),
    Habit(
        "names the response before, with tools",
        RESPONSES,
        (
            Turn({"input": "Weather?", "tools": RESPONSES_TOOLS}, says("", ("call_1", "Paris"))),
            Turn(
                {
                    "input": [
                        {
                            "type": "function_call_output",
                            "call_id": "call_1",
                            "output": "21 degrees",
                        }
                    ],
                    "tools": RESPONSES_TOOLS,
                },
                says("It is warm."),
                after=0,
            ),
        ),
        ("user: Weather?", PARIS, "tool: [21 degrees]", "assistant: It is warm."),
    ),
    Habit(
        "sends all items of its responses",
        RESPONSES,
        (
            Turn({"input": [WEATHER], "tools": RESPONSES_TOOLS}, says("", ("call_1", "Paris"))),
            Turn(
                {
                    "input": [
                        WEATHER,
                        {
                            "type": "function_call",
                            "call_id": "call_1",
                            "name": "weather",
                            "arguments": '{"city":"Paris"}',
                        },
                        {
                            "type": "function_call_output",
                            "call_id": "call_1",
                            "output": "21 degrees",
                        },
                    ],
                    "tools": RESPONSES_TOOLS,
                    "stream": True,
                },
                says("It is warm."),
            ),
        ),
        ("user: Weather?", PARIS, "tool: [21 degrees]", "assistant: It is warm."),
    ),
)
