"""One session: its figures and its messages."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from itertools import groupby

from tracelib import conversation, errors, sessions
from tracelib.api import params, session_responses
from tracelib.api.caller import Caller
from tracelib.api.problems import Problem, SessionOfKey
from tracelib.api.values import records, seconds
from tracelib.conversation import Message, Part, ShownChange, Turn, TurnPage
from tracelib.export import redacted
from tracelib.keys import key_identity
from tracelib.querying.runner import reading_of
from tracelib.redaction import KINDS, NONE, Redaction
from tracelib.selection import Selection, session

SAME = (
    *("session_id", "user_name", "team_name", "agent", "end_user", "requests", "failures"),
    *("cache_hits", "cost_usd", "prompt_tokens", "completion_tokens", "total_tokens"),
    *("replayed_tokens", "started_at", "ended_at"),
)
NOT_SAID = ("tool_call", "reasoning", "citation")


def summary(caller: Caller, said: params.OfSession, session_id: str) -> session_responses.Summary:
    """Which figures does this session have? Raises a Problem where it is not one."""
    one = caller.ask(sessions.summary, _selection(caller, session_id, said.key))
    return session_responses.Summary(
        **{name: getattr(one, name) for name in SAME},
        api_key_alias=one.key_name,
        user_id=one.user,
        team_id=one.team,
        tags=list(one.tags),
        models=list(one.models),
        providers=list(one.providers),
        latency_ms=session_responses.SessionLatency(
            avg=one.response_ms_avg, p95=one.response_ms_p95
        ),
        ttft_ms=session_responses.SessionFirstToken(p50=one.ttft_ms_p50),
        duration_s=seconds(one.duration_ms),
    )


def messages(
    caller: Caller, said: params.Messages, session_id: str
) -> session_responses.SessionMessages:
    """Which messages does this session have? Audited first; masked unless `redact` is false."""
    selection = _selection(caller, session_id, said.key)
    redaction = _redaction(caller, said)
    caller.note(
        "opened",
        api_key=selection.api_key,
        session_ids=selection.session_ids,
        redaction=redaction.names(),
    )
    reading = reading_of(caller.installed, selection)
    read: TurnPage = caller.ask(conversation.turns, reading, said.first, said.count)
    page, _ = redacted(read, redaction)
    after = said.first + len(page.turns)
    return session_responses.SessionMessages(
        session_id=session_id,
        requests=page.total,
        first=said.first,
        next_first=after if page.turns and after <= page.total else None,
        is_compared=page.is_compared,
        redaction=list(redaction.names()),
        notes=list(_notes(page)),
        messages=[message for turn in page.turns for message in _messages(turn, _notes(page))],
    )


def _redaction(caller: Caller, said: params.Messages) -> Redaction:
    return Redaction(frozenset(KINDS), caller.installed.settings.redact) if said.redact else NONE


def _selection(caller: Caller, session_id: str, key: str | None) -> Selection:
    """Which session is requested? Only keys that the caller may see are mentioned."""
    keys = records(caller.ask(sessions.keys_of, session_id))
    if key is not None:
        keys = [one for one in keys if one["api_key"] == key_identity(key)]
    if not keys:
        raise errors.NoSuchSession()
    if len(keys) > 1:
        raise Problem(
            HTTPStatus.CONFLICT,
            "Several keys have a session with this ID; choose one with the parameter key.",
            sessions=[
                SessionOfKey(
                    key=one["api_key"], api_key_alias=one["key_name"], requests=one["requests"]
                )
                for one in keys
            ],
        )
    return session(session_id, keys[0]["api_key"])


def _notes(page: TurnPage) -> tuple[str, ...]:
    """Which notes hold for every request of this part? All of them if there is only one."""
    own = page.turns[0].notes if len(page.turns) == 1 else ()
    return (*page.notes, *own)


def _messages(turn: Turn, said_once: Sequence[str]) -> Iterator[session_responses.SessionMessage]:
    """The messages of a turn.

    The figures of all its rows are on its first response, so that they add up over messages, and so
    are its notes, except those of the whole part; a request without a response has an empty one.
    """
    notes = [note for note in turn.notes if note not in said_once]
    for said in turn.asked:
        for piece in _pieces(said):
            yield _message(turn, piece, notes, is_first_answer=False)
    is_first = True
    for said in turn.answered or (Message("assistant", ()),):
        for piece in _pieces(said):
            yield _message(turn, piece, notes, is_first_answer=is_first)
            is_first = False


def _pieces(said: Message) -> Iterator[Message]:
    """The message, with each tool result in it as a tool message of its own."""
    runs = groupby(said.parts, key=lambda part: part.call_id if _is_result(part) else None)
    pieces = [tuple(parts) for _, parts in runs] or [()]
    for number, parts in enumerate(pieces, start=1):
        role = "tool" if parts and _is_result(parts[0]) else said.role
        ending = said.ending if number == len(pieces) else None
        yield replace(said, role=role, parts=parts, ending=ending)


def _is_result(part: Part) -> bool:
    """Is this a tool result: text, or an image or a file under the ID of its call?"""
    return part.kind == "tool_result" or (part.call_id is not None and part.kind != "tool_call")


def _message(
    turn: Turn, said: Message, notes: list[str], *, is_first_answer: bool
) -> session_responses.SessionMessage:
    request = turn.request
    rows = request.rows if is_first_answer else ()
    results = [part for part in said.parts if _is_result(part)]
    return session_responses.SessionMessage(
        role=said.role,
        name=said.name,
        content=_text(part for part in said.parts if part.kind not in NOT_SAID),
        reasoning=_text(part for part in said.parts if part.kind == "reasoning"),
        tool_calls=[
            session_responses.ToolCall(id=part.call_id, name=part.name, arguments=part.text)
            for part in said.parts
            if part.kind == "tool_call"
        ],
        tool_call_id=next((part.call_id for part in results), None),
        is_error=any(part.is_error for part in results),
        citations=[
            session_responses.Citation(title=part.name, text=part.text)
            for part in said.parts
            if part.kind == "citation"
        ],
        ending=said.ending,
        choice=said.choice,
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
        changes=[_change(one) for one in turn.changes] if is_first_answer else [],
        notes=notes if is_first_answer else [],
    )


def _change(change: ShownChange) -> session_responses.Change:
    texts = (_text(iter(said.parts)) for said in change.messages)
    return session_responses.Change(
        sentence=change.sentence, content=[text or "" for text in texts]
    )


def _text(parts: Iterator[Part]) -> str | None:
    """Several parts as one text; None without parts."""
    return "\n".join(part.text for part in parts if part.text) or None
