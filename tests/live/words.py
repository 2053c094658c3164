"""How clients spell what they send: messages, calls and results of three APIs."""

from tests.live.answers import Answer, Json, call


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
