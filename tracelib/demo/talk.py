"""The words of the sample traffic: conversations, questions, documents, read from talk.toml."""

import re
import tomllib
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

_SLOT = re.compile(r"\{\{(\w+)\}\}")

Turn = tuple[str, str]
"""What the user says, and what the model answers."""


class Voice:
    """Fills the slots of one talk, each with one value all through it."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._chosen: dict[str, str] = {}

    def fill(self, text: str) -> str:
        """The text with its slots filled."""
        return _SLOT.sub(self._written, text) if "{{" in text else text

    def _written(self, found: re.Match[str]) -> str:
        value = self._value(found[1])
        begins = found.start() == 0 or found.string[: found.start()].endswith((". ", "\n"))
        return "The" + value[3:] if begins and value.startswith("the ") else value

    def _value(self, slot: str) -> str:
        if slot not in self._chosen:
            self._chosen[slot] = self._rng.choice(_talk()["slots"][slot])
        return self._chosen[slot]


def system(theme: str) -> str:
    """What is the model told before the talk begins? Raises KeyError for an unknown theme."""
    text: str = _talk()["systems"][theme]
    return text


def conversation(rng: Random, theme: str) -> list[Turn]:
    """How does a talk on that theme go? Two to eight turns."""
    voice = Voice(rng)
    turns = list(rng.choice(_chats(theme)))
    if rng.random() < 0.35:
        turns = turns[: rng.randint(2, len(turns))]
    else:
        follow_ups = [entry["turn"] for entry in _talk()["follow_ups"]]
        turns += rng.sample(follow_ups, rng.choice((0, 0, 1, 1, 2, 3)))
    return [(voice.fill(asked), voice.fill(said)) for asked, said in turns]


def single(rng: Random, theme: str) -> Turn:
    """One question with its answer."""
    voice = Voice(rng)
    asked, said = rng.choice(_talk()["singles"][theme])
    return voice.fill(asked), voice.fill(said)


def chain(rng: Random) -> tuple[str, list[Turn]]:
    """The instructions and the turns of a chain of Responses."""
    voice = Voice(rng)
    entry = rng.choice(_talk()["responses"])
    return entry["instructions"], [(voice.fill(a), voice.fill(b)) for a, b in entry["turns"]]


def document(rng: Random, paragraphs: int) -> tuple[str, str]:
    """A document of so many paragraphs, and its summary."""
    voice = Voice(rng)
    source = _talk()["documents"]["paragraphs"]
    chosen = [voice.fill(rng.choice(source)) for _ in range(paragraphs)]
    points = [paragraph.partition(". ")[0] + "." for paragraph in chosen[:6]]
    return "\n\n".join(chosen), "\n".join(f"- {point}" for point in points)


def query(rng: Random) -> str:
    """What somebody types into the search of the shop."""
    return Voice(rng).fill(rng.choice(_talk()["documents"]["queries"]))


@cache
def _talk() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("talk.toml").read_text(encoding="utf-8"))


@cache
def _chats(theme: str) -> list[list[Turn]]:
    return [chat["turns"] for chat in _talk()["chats"] if chat["theme"] == theme]


@cache
def handbook() -> str:
    """The house rules that follow long briefings; longer than what LiteLLM keeps of a text."""
    paragraphs = _talk()["documents"]["paragraphs"]
    voice = Voice(Random(7))
    return "\n\n".join(voice.fill(f"{n}. {text}") for n, text in enumerate(paragraphs * 20, 1))
