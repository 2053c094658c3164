"""What clients of chat completions do with the history that they send."""

from tests.live.answers import Answer
from tests.live.client import CHAT
from tests.live.playing import Habit, Turn
from tests.live.words import (
    BRIEF,
    FIRST,
    FOUR,
    GRASS,
    IMAGE,
    KIND,
    ONE,
    PARIS,
    PARIS_CALLED,
    ROME,
    ROME_CALLED,
    SECOND,
    SKY,
    THIRD,
    THREE,
    TOOLS,
    TWO,
    WEATHER,
    assistant,
    chat,
    result,
    says,
    system,
    text,
    user,
    weather,
)

CHAT_HABITS = (
    Habit(
        "sends the whole history",
        CHAT,
        (
            Turn(chat(KIND, ONE), says("First.")),
            Turn(chat(KIND, ONE, FIRST, TWO), says("Second.")),
            Turn(chat(KIND, ONE, FIRST, TWO, SECOND, THREE), says("Third.")),
        ),
        (
            *("system: Be kind.", "user: One?", "assistant: First."),
            *("user: Two?", "assistant: Second.", "user: Three?", "assistant: Third."),
        ),
    ),
    Habit(
        "forgets the oldest messages",
        CHAT,
        (
            Turn(chat(KIND, ONE), says("First.")),
            Turn(chat(KIND, ONE, FIRST, TWO), says("Second.")),
            Turn(chat(KIND, FIRST, TWO, SECOND, THREE), says("Third.")),
            Turn(chat(KIND, TWO, SECOND, THREE, THIRD, FOUR), says("Fourth.")),
        ),
        (
            *("system: Be kind.", "user: One?", "assistant: First."),
            *("user: Two?", "assistant: Second.", "user: Three?", "assistant: Third."),
            *("user: Four?", "assistant: Fourth."),
        ),
    ),
    Habit(
        "reminds in the newest question only",
        CHAT,
        (
            Turn(chat(user(f"One?{BRIEF}")), says("First.")),
            Turn(chat(ONE, FIRST, user(f"Two?{BRIEF}")), says("Second.")),
            Turn(chat(ONE, FIRST, TWO, SECOND, user(f"Three?{BRIEF}")), says("Third.")),
        ),
        (
            *(f"user: One?{BRIEF}", "assistant: First."),
            *(f"user: Two?{BRIEF}", "assistant: Second."),
            *(f"user: Three?{BRIEF}", "assistant: Third."),
        ),
        changed=("user: One?", "user: Two?"),
    ),
    Habit(
        "puts what it found into the system prompt",
        CHAT,
        (
            Turn(chat(system(SKY), ONE), says("First.")),
            Turn(chat(system(GRASS), ONE, FIRST, TWO), says("Second.")),
        ),
        (
            *(f"system: {SKY}", "user: One?", "assistant: First."),
            *("user: Two?", "assistant: Second."),
        ),
        changed=(f"system: {GRASS}",),
    ),
    Habit(
        "puts what it found before the newest question",
        CHAT,
        (
            Turn(chat(user(f"{SKY}\n\nOne?")), says("First.")),
            Turn(chat(ONE, FIRST, user(f"{GRASS}\n\nTwo?")), says("Second.")),
        ),
        (
            *(f"user: {SKY}\n\nOne?", "assistant: First."),
            *(f"user: {GRASS}\n\nTwo?", "assistant: Second."),
        ),
        changed=("user: One?",),
    ),
    Habit(
        "empties old results",
        CHAT,
        (
            Turn(chat(WEATHER, tools=TOOLS), says("", ("call_1", "Paris"))),
            Turn(
                chat(WEATHER, PARIS_CALLED, result("call_1", "21 degrees"), tools=TOOLS),
                says("", ("call_2", "Rome")),
            ),
            Turn(
                chat(
                    *(WEATHER, PARIS_CALLED, result("call_1", "[cleared]")),
                    *(ROME_CALLED, result("call_2", "25 degrees")),
                    tools=TOOLS,
                ),
                says("Rome is warmer."),
            ),
        ),
        (
            *("user: Weather?", PARIS, "tool: [21 degrees]", ROME, "tool: [25 degrees]"),
            "assistant: Rome is warmer.",
        ),
        changed=("tool: [[cleared]]",),
    ),
    Habit(
        "leaves out what the model thought",
        CHAT,
        (
            Turn(chat(ONE), says("<think>They count.</think>\n\nFirst.")),
            Turn(chat(ONE, FIRST, TWO), says("Second.", thinking="They count on.")),
            Turn(chat(ONE, FIRST, TWO, SECOND, THREE), says("Third.")),
        ),
        (
            *("user: One?", "assistant: (They count.) \n\nFirst."),
            *("user: Two?", "assistant: (They count on.) Second."),
            *("user: Three?", "assistant: Third."),
        ),
    ),
    Habit(
        "edits a question",
        CHAT,
        (
            Turn(chat(ONE), says("First.")),
            Turn(chat(ONE, FIRST, user("Tow?")), says("What?")),
            Turn(chat(ONE, FIRST, TWO), says("Second.")),
        ),
        (
            *("user: One?", "assistant: First.", "user: Tow?", "assistant: What?"),
            *("user: Two?", "assistant: Second."),
        ),
    ),
    Habit(
        "wants another answer",
        CHAT,
        (
            Turn(chat(ONE, seed=1), says("None.")),
            Turn(chat(ONE, seed=2), says("First.")),
            Turn(chat(ONE, FIRST, TWO), says("Second.")),
        ),
        (
            *("user: One?", "assistant: None.", "assistant: First."),
            *("user: Two?", "assistant: Second."),
        ),
    ),
    Habit(
        "asks again after a failure",
        CHAT,
        (Turn(chat(ONE)), Turn(chat(ONE), says("First.", thinking="Again."))),
        ("user: One?", "assistant: (Again.) First."),
    ),
    Habit(
        "asks two things at once",
        CHAT,
        (
            Turn(chat(KIND, user("Plan.")), says("Ask both.")),
            (
                Turn(chat(KIND, user("Plan."), assistant("Ask both."), ONE), says("First.")),
                Turn(chat(KIND, user("Plan."), assistant("Ask both."), TWO), says("Second.")),
            ),
            Turn(
                chat(KIND, user("Plan."), assistant("Ask both."), user("First. Second. And?")),
                says("Done."),
            ),
        ),
        (
            *("system: Be kind.", "user: Plan.", "assistant: Ask both."),
            *("user: One?", "assistant: First.", "user: Two?", "assistant: Second."),
            *("user: First. Second. And?", "assistant: Done."),
        ),
    ),
    Habit(
        "calls two tools at once, streamed",
        CHAT,
        (
            Turn(
                chat(WEATHER, tools=TOOLS, stream=True),
                says("Both.", ("call_1", "Paris"), ("call_2", "Rome")),
            ),
            Turn(
                chat(
                    WEATHER,
                    assistant(
                        "Both.",
                        tool_calls=[weather("call_1", "Paris"), weather("call_2", "Rome")],
                    ),
                    *(result("call_1", "21 degrees"), result("call_2", "25 degrees")),
                    tools=TOOLS,
                    stream=True,
                ),
                says("Rome is warmer."),
            ),
        ),
        (
            "user: Weather?",
            'assistant: Both. {weather {"city": "Paris"}} {weather {"city": "Rome"}}',
            *("tool: [21 degrees]", "tool: [25 degrees]", "assistant: Rome is warmer."),
        ),
    ),
    Habit(
        "chooses the second of two answers",
        CHAT,
        (
            Turn(chat(KIND, ONE, n=2), (Answer("None."), Answer("First."))),
            Turn(chat(KIND, ONE, FIRST, TWO), says("Second.")),
        ),
        (
            *("system: Be kind.", "user: One?", "assistant: None.", "assistant: First."),
            *("user: Two?", "assistant: Second."),
        ),
    ),
    Habit(
        "sends an image",
        CHAT,
        (
            Turn(chat(user(text("What?"), IMAGE)), says("A dot.")),
            Turn(chat(user(text("What?"), IMAGE), assistant("A dot."), TWO), says("Second.")),
        ),
        (
            *("user: What? <image/png, 70 B>", "assistant: A dot."),
            *("user: Two?", "assistant: Second."),
        ),
    ),
)
