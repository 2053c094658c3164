"""One session: its figures, and what was said in it."""

from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus

from tracelib import conversation, errors, sessions
from tracelib.api import answered_sessions, asked
from tracelib.api.caller import Caller
from tracelib.api.problems import Problem, SessionOfKey
from tracelib.api.values import records, seconds
from tracelib.asking.installation import Installation
from tracelib.conversation import Message, Part, Reading, Turn, TurnPage
from tracelib.handover import redacted
from tracelib.keys import key_identity
from tracelib.redaction import KINDS, NONE, Redaction
from tracelib.selection import Selection, session

READINGS_KEPT = 4  # of at most 60 MB
SAME = (
    *("session_id", "user_name", "team_name", "agent", "end_user", "requests", "failures"),
    *("cache_hits", "cost_usd", "prompt_tokens", "completion_tokens", "total_tokens"),
    *("replayed_tokens", "started_at", "ended_at"),
)
NOT_SAID = ("tool_call", "reasoning")


def summary(caller: Caller, said: asked.OfSession, session_id: str) -> answered_sessions.Summary:
    """What did this session do, cost and take? Raises a Problem where it is not one."""
    one = caller.ask(sessions.summary, _selection(caller, session_id, said.key))
    return answered_sessions.Summary(
        **{name: getattr(one, name) for name in SAME},
        api_key_alias=one.key_name,
        user_id=one.user,
        team_id=one.team,
        tags=list(one.tags),
        models=list(one.models),
        providers=list(one.providers),
        latency_ms=answered_sessions.SessionLatency(
            avg=one.response_ms_avg, p95=one.response_ms_p95
        ),
        ttft_ms=answered_sessions.SessionFirstToken(p50=one.ttft_ms_p50),
        duration_s=seconds(one.duration_ms),
    )


def messages(
    caller: Caller, said: asked.Messages, session_id: str
) -> answered_sessions.SessionMessages:
    """What was said? Noted before it is read, masked unless the caller wants it as it was."""
    selection = _selection(caller, session_id, said.key)
    redaction = _redaction(caller, said)
    caller.note(
        "opened",
        api_key=selection.api_key,
        session_ids=selection.session_ids,
        redaction=redaction.names(),
    )
    reading = _reading(caller.installed, selection)
    read: TurnPage = caller.ask(conversation.turns, reading, said.first, said.count)
    page, _ = redacted(read, redaction)
    after = said.first + len(page.turns)
    return answered_sessions.SessionMessages(
        session_id=session_id,
        requests=page.total,
        first=said.first,
        next_first=after if page.turns and after <= page.total else None,
        is_compared=page.is_compared,
        redaction=list(redaction.names()),
        notes=list(page.notes),
        messages=[message for turn in page.turns for message in _messages(turn)],
    )


@lru_cache(READINGS_KEPT)
def _reading(_installed: Installation, selection: Selection) -> Reading:
    """How far is this conversation read? A program that turns its pages reads on."""
    return Reading(selection)


def _redaction(caller: Caller, said: asked.Messages) -> Redaction:
    return Redaction(frozenset(KINDS), caller.installed.settings.redact) if said.redact else NONE


def _selection(caller: Caller, session_id: str, key: str | None) -> Selection:
    """Which session is meant? Only keys that the caller may see are told of."""
    keys = records(caller.ask(sessions.keys_of, session_id))
    if key is not None:
        keys = [one for one in keys if one["api_key"] == key_identity(key)]
    if not keys:
        raise errors.NoSuchSession()
    if len(keys) > 1:
        raise Problem(
            HTTPStatus.CONFLICT,
            "Several keys have a session of this id: say which by the parameter key.",
            sessions=[
                SessionOfKey(
                    key=one["api_key"], api_key_alias=one["key_name"], requests=one["requests"]
                )
                for one in keys
            ],
        )
    return session(session_id, keys[0]["api_key"])


def _messages(turn: Turn) -> Iterator[answered_sessions.SessionMessage]:
    """The figures of all rows of a turn stand on its first answer, so that they add up over
    messages; a request without an answer has an empty one."""
    for asked_one in turn.asked:
        yield _message(turn, asked_one, is_first_answer=False)
    for number, answer in enumerate(turn.answered or (Message("assistant", ()),)):
        yield _message(turn, answer, is_first_answer=number == 0)


def _message(turn: Turn, said: Message, is_first_answer: bool) -> answered_sessions.SessionMessage:
    request = turn.request
    rows = request.rows if is_first_answer else ()
    results = (part for part in said.parts if part.kind == "tool_result")
    return answered_sessions.SessionMessage(
        role=said.role,
        name=said.name,
        content=_text(part for part in said.parts if part.kind not in NOT_SAID),
        reasoning=_text(part for part in said.parts if part.kind == "reasoning"),
        tool_calls=[
            answered_sessions.ToolCall(id=part.call_id, name=part.name, arguments=part.text)
            for part in said.parts
            if part.kind == "tool_call"
        ],
        tool_call_id=next((part.call_id for part in results), None),
        request_id=request.request_id,
        started_at=request.started_at,
        model=request.model,
        status="failure" if request.is_failure else "success",
        error=(request.error_message or request.error_class) if is_first_answer else None,
        prompt_tokens=sum(one.prompt_tokens for one in rows) if rows else None,
        completion_tokens=sum(one.completion_tokens for one in rows) if rows else None,
        cost_usd=sum(one.spend_usd for one in rows) if rows else None,
        latency_ms=request.latency_ms if is_first_answer else None,
        ttft_ms=request.ttft_ms if is_first_answer else None,
        cache_hit=request.is_cache_hit,
    )


def _text(parts: Iterator[Part]) -> str | None:
    """One text of several parts; None where there is none."""
    return "\n".join(part.text for part in parts) or None
