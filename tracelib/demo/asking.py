"""How the clients ask: their sessions, tags and end users, and what they do after an error."""

from dataclasses import replace
from random import Random
from typing import Any

from tracelib.demo import catalog
from tracelib.demo.cast import Key
from tracelib.demo.exchange import Ask, Outcome, Usage
from tracelib.demo.gateway import new_id, send
from tracelib.demo.messages import Said, Thread
from tracelib.demo.scene import Scene

# Providers cache prompts from this many tokens on.
_SHORTEST_CACHED = 1024


class Asker:
    """One client during one piece of work: it keeps its model and, if it names one, its session."""

    def __init__(
        self, rng: Random, key: Key, scene: Scene, at: float, model: str | None = None
    ) -> None:
        self._rng = rng
        self.key = key
        self.model = catalog.models()[model] if model else scene.model_for(rng, key, at)
        self._session = f"{key.alias}-{rng.getrandbits(48):012x}"
        self._end_user = self.end_user()

    def end_user(self) -> str:
        """The customer on whose behalf the key asks, or ''."""
        return f"customer-{self._rng.randint(1, 160):04d}" if self.key.end_users else ""

    def chat(
        self,
        at: float,
        thread: Thread,
        answer: Said,
        *,
        cached: int = 0,
        stream: bool = False,
        tools: list[dict[str, Any]] | None = None,
        hidden_tokens: int = 0,
    ) -> Ask:
        """A chat completion over the thread as it is now. `cached` tokens were sent before."""
        body: dict[str, Any] = {"messages": list(thread.encoded), "temperature": 0.2}
        if tools:
            body["tools"] = tools
        prompt = thread.tokens + hidden_tokens
        has_cache = self.model.price.cached is not None and self.model.price.written is None
        reads = cached // 128 * 128 if has_cache and cached >= _SHORTEST_CACHED else 0
        thinking = int(self._rng.lognormvariate(5.4, 0.6)) if self.model.reasons else 0
        usage = Usage(prompt, answer.tokens + thinking, cached=reads, reasoning=thinking)
        return self._ask("acompletion", at, body, answer.as_answer(), usage, stream=stream)

    def other(
        self, call_type: str, at: float, body: dict[str, Any], answer: dict[str, Any], usage: Usage
    ) -> Ask:
        """A request of another kind than chat."""
        return self._ask(call_type, at, body, answer, usage)

    def messages(
        self, at: float, session: str, body: dict[str, Any], answer: dict[str, Any], usage: Usage
    ) -> Ask:
        """A streamed /v1/messages request of a coding client, which hides its session in an id."""
        user_id = f"user_{self.key.token[:16]}_account__session_{session}"
        body = {**body, "metadata": {"user_id": user_id}}
        ask = self._ask("anthropic_messages", at, body, answer, usage, stream=True)
        return replace(ask, session=session, end_user=user_id)

    def _ask(
        self,
        call_type: str,
        at: float,
        body: dict[str, Any],
        answer: dict[str, Any],
        usage: Usage,
        *,
        stream: bool = False,
    ) -> Ask:
        return Ask(
            key=self.key,
            model=self.model,
            call_type=call_type,
            at=at,
            body=body,
            answer=answer,
            usage=usage,
            session=self._session if self.key.sends_session else new_id(self._rng),
            names_session=self.key.sends_session,
            stream=stream,
            end_user=self._end_user,
            tags=self.key.tags,
        )


def insist(rng: Random, ask: Ask, scene: Scene) -> list[Outcome]:
    """The request and, after a failure, perhaps the same one again. The last one is what counts."""
    outcomes = [send(rng, ask, scene.outage)]
    while outcomes[-1].failure is not None and len(outcomes) < 4 and rng.random() < 0.6:
        ask = ask.again(outcomes[-1].ended + rng.lognormvariate(2.4, 0.6))
        if not ask.names_session and ask.call_type != "anthropic_messages":
            ask = replace(ask, session=new_id(rng))
        outcomes.append(send(rng, ask, scene.outage))
    return outcomes
