"""The kinds of work that keys are used for: each turns one beginning into its requests."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from tracelib.demo import agents, messages
from tracelib.demo.agents import Asker, insist
from tracelib.demo.cast import Key
from tracelib.demo.exchange import Outcome, Usage
from tracelib.demo.gateway import Scene, new_id, replay
from tracelib.demo.messages import ChatMessage, Thread, stored, token_count

Work = Callable[[Random, Key, float, Scene, str], Iterator[Outcome]]
"""Random source, key, beginning in seconds since 1970, events, theme -> the outcomes."""


def chat(rng: Random, key: Key, at: float, scene: Scene, theme: str) -> Iterator[Outcome]:
    """A conversation of several turns. Each request sends all of it so far."""
    asker = Asker(rng, key, scene, at)
    thread = Thread()
    thread.add(ChatMessage("system", _briefing(theme)))
    streams = rng.random() < 0.6
    before = 0
    for question, response in messages.conversation(rng, theme):
        thread.add(ChatMessage("user", question))
        answer = ChatMessage("assistant", response)
        ask = asker.chat(at, thread, answer, cached=before, stream=streams)
        tries = insist(rng, ask, scene)
        yield from tries
        if tries[-1].failure is not None:
            return
        before = thread.tokens
        thread.add(answer)
        at = tries[-1].ended + rng.lognormvariate(3.9, 0.8)


def single(rng: Random, key: Key, at: float, scene: Scene, theme: str) -> Iterator[Outcome]:
    """One question, one response, no session."""
    thread = Thread()
    question, response = messages.single(rng, theme)
    thread.add(ChatMessage("system", messages.system(theme)), ChatMessage("user", question))
    asker = Asker(rng, key, scene, at)
    yield from insist(rng, asker.chat(at, thread, ChatMessage("assistant", response)), scene)


def faq(rng: Random, key: Key, at: float, scene: Scene, _theme: str) -> Iterator[Outcome]:
    """A common question, sent again by others within the hour: LiteLLM responds from its cache."""
    thread = Thread()
    question, response = messages.single(rng, "faq")
    thread.add(ChatMessage("user", question))
    asker = Asker(rng, key, scene, at)
    tries = insist(rng, asker.chat(at, thread, ChatMessage("assistant", response)), scene)
    yield from tries
    original = tries[-1]
    if original.failure is not None or original.fallbacks:
        return
    at = original.ended
    for _ in range(rng.choice((0, 1, 1, 2, 3, 4))):
        at += rng.expovariate(1 / 700)
        again = replace(original.ask, at=at, session=new_id(rng), end_user=asker.end_user())
        yield replay(rng, original, again)


def document(rng: Random, key: Key, at: float, scene: Scene, _theme: str) -> Iterator[Outcome]:
    """A long text and its summary; LiteLLM stores only the ends of the text."""
    text, summary = messages.document(rng, rng.randint(20, 240))
    thread = Thread()
    thread.add(ChatMessage("system", messages.system("document")), ChatMessage("user", text))
    asker = Asker(rng, key, scene, at)
    yield from insist(rng, asker.chat(at, thread, ChatMessage("assistant", summary)), scene)


def responses(rng: Random, key: Key, at: float, scene: Scene, _theme: str) -> Iterator[Outcome]:
    """A chain of the Responses API: each turn sends only what is new and names the one before."""
    asker = Asker(rng, key, scene, at)
    instructions, turns = messages.chain(rng)
    before = ""
    tokens = token_count(instructions)
    for question, text in turns:
        item = {"role": "user", "content": [{"type": "input_text", "text": question}]}
        body: dict[str, Any] = {"input": [item], "instructions": instructions}
        if before:
            body["previous_response_id"] = f"resp_{rng.getrandbits(320):080x}"
            body["_litellm_addressed_response_id"] = before
        tokens += token_count(question)
        usage = _reasoned(rng, asker.model.reasons, tokens, token_count(text))
        answer = {"output": _output(rng, text, usage.reasoning > 0)}
        tries = insist(rng, asker.other("aresponses", at, body, answer, usage), scene)
        yield from tries
        if tries[-1].failure is not None:
            return
        before = tries[-1].request_id
        tokens += token_count(text)
        at = tries[-1].ended + rng.lognormvariate(4.2, 0.7)


def embed_query(rng: Random, key: Key, at: float, scene: Scene, _theme: str) -> Iterator[Outcome]:
    """One search in the shop."""
    yield from insist(
        rng, _embedding(rng, Asker(rng, key, scene, at), at, [messages.query(rng)]), scene
    )


def embed_batch(rng: Random, key: Key, at: float, scene: Scene, _theme: str) -> Iterator[Outcome]:
    """The nightly index: requests with a dozen passages each, one after the other."""
    asker = Asker(rng, key, scene, at)
    for _ in range(rng.randint(40, 75)):
        passages = [messages.document(rng, 1)[0] for _ in range(12)]
        tries = insist(rng, _embedding(rng, asker, at, passages), scene)
        yield from tries
        at = tries[-1].ended + rng.uniform(0.2, 2.5)


def image(rng: Random, key: Key, at: float, scene: Scene, _theme: str) -> Iterator[Outcome]:
    """One picture."""
    prompt, revised = messages.single(rng, "image")
    url = f"https://images.example.com/{rng.getrandbits(64):016x}.png"
    answer = {"data": [{"b64_json": None, "revised_prompt": revised, "url": url}]}
    body = {"prompt": prompt, "n": 1, "size": "1024x1024", "quality": "medium"}
    usage = Usage(prompt=token_count(prompt), completion=rng.choice((1056, 1056, 4160)))
    asker = Asker(rng, key, scene, at)
    yield from insist(rng, asker.other("aimage_generation", at, body, answer, usage), scene)


def completion(rng: Random, key: Key, at: float, scene: Scene, _theme: str) -> Iterator[Outcome]:
    """A text completion of the old kind."""
    prompt, text = messages.single(rng, "completion")
    asker = Asker(rng, key, scene, at, model="gpt-3.5-turbo-instruct")
    usage = Usage(token_count(prompt), token_count(text))
    body = {"prompt": prompt, "max_tokens": 64}
    ask = asker.other("atext_completion", at, body, {"text": text}, usage)
    yield from insist(rng, ask, scene)


KINDS: dict[str, Work] = {
    "chat": chat,
    "single": single,
    "faq": faq,
    "document": document,
    "responses": responses,
    "embed_query": embed_query,
    "embed_batch": embed_batch,
    "image": image,
    "completion": completion,
    "agent": agents.agent,
    "cli": agents.cli,
}


def begin(rng: Random, key: Key, at: float, scene: Scene, work: str) -> Iterator[Outcome]:
    """The requests of one piece of work: a kind, or a kind and its theme as in `chat_support`."""
    if work in KINDS:
        return KINDS[work](rng, key, at, scene, "")
    kind, _, theme = work.partition("_")
    return KINDS[kind](rng, key, at, scene, theme)


def _briefing(theme: str) -> str:
    """The system message, with the house rules that make it long for reviews of code."""
    text = messages.system(theme)
    return text + "\n\n" + messages.handbook() if theme == "code" else text


def _embedding(rng: Random, asker: Asker, at: float, texts: list[str]) -> Any:
    vectors = [
        {"embedding": [round(rng.uniform(-0.1, 0.1), 4) for _ in range(6)], "index": index}
        for index in range(len(texts))
    ]
    usage = Usage(prompt=sum(map(token_count, texts)))
    body = {"input": [stored(text) for text in texts]}
    return asker.other("aembedding", at, body, {"data": vectors}, usage)


def _reasoned(rng: Random, reasons: bool, prompt: int, completion: int) -> Usage:
    thinking = int(rng.lognormvariate(5.6, 0.6)) if reasons else 0
    return Usage(prompt, completion + thinking, reasoning=thinking)


def _output(rng: Random, text: str, reasoned: bool) -> list[dict[str, Any]]:
    content = [{"annotations": [], "text": stored(text), "type": "output_text"}]
    message = {"id": f"msg_{rng.getrandbits(96):024x}", "content": content, "role": "assistant"}
    items: list[dict[str, Any]] = [{**message, "status": "completed", "type": "message"}]
    if reasoned:
        summary = [{"text": "Look at the figures first, then decide.", "type": "summary_text"}]
        thought = {"id": f"rs_{rng.getrandbits(96):024x}", "summary": summary}
        items.insert(0, {**thought, "type": "reasoning"})
    return items
