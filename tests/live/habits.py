"""What clients do with the history that they send, and what was really said.

To add a habit append it to `HABITS`: a name, the path of an API, what the client sends turn by
turn and is answered, and the messages that there are, each once. What the app does not read
so yet goes into `NOT_YET` with the reason, and is not run.
"""

from tests.live.answers import Answer, Json, call
from tests.live.client import CHAT, MESSAGES, RESPONSES
from tests.live.playing import Habit, Turn


def chat(*messages: Json, **more: object) -> Json:
    """The body of a chat completion."""
    return {"messages": list(messages), **more}


def anthropic(*messages: Json, system: object = None, **more: object) -> Json:
    """The body of a request to Anthropic's API."""
    return {"messages": list(messages), **({"system": system} if system else {}), **more}


def system(text: str) -> Json:
    """A message of the system."""
    return {"role": "system", "content": text}


def user(*content: str | Json) -> Json:
    """A message of the user: one text, or several blocks."""
    (first, *_) = content
    return {"role": "user", "content": first if isinstance(first, str) else list(content)}


def assistant(content: str | list[Json] | None, **more: object) -> Json:
    """An answer as a client sends it back."""
    return {"role": "assistant", "content": content, **more}


def text(words: str, **more: object) -> Json:
    """A block of text."""
    return {"type": "text", "text": words, **more}


def weather(call_id: str, city: str) -> Json:
    """A call as a client of chat completions sends it back."""
    function = {"name": "weather", "arguments": f'{{"city": "{city}"}}'}
    return {"id": call_id, "type": "function", "function": function}


def result(call_id: str, words: str) -> Json:
    """A tool's result of chat completions."""
    return {"role": "tool", "tool_call_id": call_id, "content": words}


def says(words: str, *calls: tuple[str, str], thinking: str = "") -> tuple[Answer, ...]:
    """An answer of one choice; of its calls the ids and the cities."""
    listed = tuple(call("weather", call_id, city=city) for call_id, city in calls)
    return (Answer(words, listed, thinking),)


KIND = system("Be kind.")
ONE, TWO, THREE, FOUR = (user(f"{number}?") for number in ("One", "Two", "Three", "Four"))
FIRST, SECOND, THIRD = (assistant(f"{place}.") for place in ("First", "Second", "Third"))
BRIEF = "\n\n<system-reminder>Be brief.</system-reminder>"
SKY = "Answer from these notes alone.\n\nThe sky is blue."
GRASS = "Answer from these notes alone.\n\nGrass is green."

WEATHER = user("Weather?")
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
ANTHROPIC_TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]
RESPONSES_TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]
PARIS = 'assistant: {weather {"city": "Paris"}}'
ROME = 'assistant: {weather {"city": "Rome"}}'
PARIS_CALLED = assistant(None, tool_calls=[weather("call_1", "Paris")])
ROME_CALLED = assistant(None, tool_calls=[weather("call_2", "Rome")])

CACHED = {"cache_control": {"type": "ephemeral"}}
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PDF = "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoKJSVFT0YK"
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
ANTHROPIC_IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
}
DOCUMENTS = (
    {
        "type": "document",
        "title": "Report",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    },
    {
        "type": "document",
        "title": "Notes",
        "source": {"type": "text", "media_type": "text/plain", "data": "Grass is green."},
    },
)

HABITS = (
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
            *(f"system: {GRASS}", "user: Two?", "assistant: Second."),
        ),
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
            "user: <application/pdf, 48 B> <text/plain, its text below> Grass is green."
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

NOT_YET: tuple[tuple[Habit, str], ...] = ()
"""Habits that the app does not read as they are yet, each with the reason."""
