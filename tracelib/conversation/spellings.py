"""Texts without what transport and clients change: spaces, reasoning, marks of citations."""

import re

from tracelib.conversation.json_values import composed

_TAGS = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad"
# Reasoning that models without a field for it write into their answer.
_REASONING = re.compile(
    rf"<((?:\w+:)?(?:{_TAGS}))>.*?</\1>|\[(THINK|think)\].*?\[/\2\]|◁think▷.*?◁/think▷"
    r"|<\|START_THINKING\|>.*?<\|END_THINKING\|>|<details type=\"reasoning\".*?</details>"
    r"|<\|begin_of_thought\|>.*?<\|end_of_thought\|>|<\|channel>thought.*?<channel\|>"
    r"|<\|channel\|>analysis<\|message\|>.*?(?:<\|end\|>|<\|start\|>assistant|\Z)",
    re.DOTALL,
)
# Some chat templates open the reasoning in the prompt, so that only its end is in the answer.
_REASONING_END = re.compile(rf"\A.*?(?:</(?:\w+:)?(?:{_TAGS})>|\[/THINK\])", re.DOTALL)
# Marks that stand for citations in the private use area, or between 【 and 】.
_CITATION_MARKS = re.compile("\ue200[^\ue201]{0,400}\ue201|【[^【】]{0,80}†[^【】]{0,80}】")
_CHANNEL_MARKS = re.compile(
    r"<\|(?:start|end|message|channel|return)\|>(?:assistant|final)?"
    r"|<\|(?:START_RESPONSE|END_RESPONSE|begin_of_solution|end_of_solution)\|>"
)
_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD])


def bare_answer(text: str) -> str:
    return bare(spoken(text))


def spoken(text: str) -> str:
    """An answer without the reasoning and the citation marks that are written into it."""
    if "<" in text or "◁" in text or "[/" in text:
        text = _REASONING_END.sub("", _REASONING.sub("", text))
        text = _CHANNEL_MARKS.sub("", text)
    return _CITATION_MARKS.sub("", text)


def bare(text: str) -> str:
    """The text without what transport changes: spaces, invisible characters, compositions."""
    if not text.isascii():
        text = composed(text.translate(_INVISIBLE))
    return "".join(text.split())
