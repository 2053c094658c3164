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
from tracelib.conversation.reading import TURNS_A_PAGE
from tracelib.conversation.requests import cost_usd
from tracelib.export import redacted
from tracelib.keys import key_identity
from tracelib.querying.runner import reading_of
from tracelib.redaction import KINDS, NONE, Redaction
from tracelib.selection import Selection, can_exist, session

SAME = (
    *("session_id", "user_name", "team_name", "agent", "end_user", "requests", "failures"),
    *("cache_hits", "cost_usd", "prompt_tokens", "completion_tokens", "total_tokens"),
    *("replayed_tokens", "started_at", "ended_at"),
)
NOT_CONTENT = ("tool_call", "reasoning", "citation")


def summary(caller: Caller, given: params.OfSession, session_id: str) -> session_responses.Summary:
    """Which figures does this session have? Raises a Problem where it is not one."""
    one = caller.query(sessions.summary, _selection(caller, session_id, given.key))
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
    caller: Caller, given: params.Messages, session_id: str
) -> session_responses.SessionMessages:
    """Which messages does this session have? Audited first; masked unless `redact` is false."""
    selection = _selection(caller, session_id, given.key)
    redaction = _redaction(caller, given)
    caller.note(
        "opened",
        api_key=selection.api_key,
        session_ids=selection.session_ids,
        page=(given.first - 1) // TURNS_A_PAGE + 1,
        turns=(given.first, given.first + given.count - 1),
        redaction=redaction.names(),
    )
    reading = reading_of(caller.installed, selection)
    read: TurnPage = caller.query(conversation.turns, reading, given.first, given.count)
    page, _ = redacted(read, redaction)
    after = given.first + len(page.turns)
    return session_responses.SessionMessages(
        session_id=session_id,
        requests=page.total,
        first=given.first,
        next_first=after if page.turns and after <= page.total else None,
        is_compared=page.is_compared,
        redaction=list(redaction.names()),
        notes=list(_notes(page)),
        messages=[message for turn in page.turns for message in _messages(turn, _notes(page))],
    )


def _redaction(caller: Caller, given: params.Messages) -> Redaction:
    return Redaction(frozenset(KINDS), caller.installed.settings.redact) if given.redact else NONE


def _selection(caller: Caller, session_id: str, key: str | None) -> Selection:
    """Which session is requested? Only keys that the caller may see are mentioned."""
    if not can_exist(session_id):
        raise errors.NoSuchSession()
    keys = records(caller.query(sessions.keys_of, session_id))
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


def _messages(turn: Turn, shared: Sequence[str]) -> Iterator[session_responses.SessionMessage]:
    """The messages of a turn.

    The figures of all its rows are on its first response, so that they add up over messages, and so
    are its notes, except those of the whole part; a request without a response has an empty one.
    """
    notes = [note for note in turn.notes if note not in shared]
    for message in turn.new_messages:
        for piece in _pieces(message):
            yield _message(turn, piece, notes, has_figures=False)
    is_first = True
    for message in turn.responses or (Message("assistant", ()),):
        for piece in _pieces(message):
            yield _message(turn, piece, notes, has_figures=is_first)
            is_first = False


def _pieces(message: Message) -> Iterator[Message]:
    """The message, with each tool result in it as a tool message of its own."""
    runs = groupby(message.parts, key=lambda part: part.call_id if _is_result(part) else None)
    pieces = [tuple(parts) for _, parts in runs] or [()]
    for number, parts in enumerate(pieces, start=1):
        role = "tool" if parts and _is_result(parts[0]) else message.role
        ending = message.ending if number == len(pieces) else None
        yield replace(message, role=role, parts=parts, ending=ending)


def _is_result(part: Part) -> bool:
    """Is this a tool result: text, or an image or a file under the ID of its call?"""
    return part.kind == "tool_result" or (part.call_id is not None and part.kind != "tool_call")


def _message(
    turn: Turn, message: Message, notes: list[str], *, has_figures: bool
) -> session_responses.SessionMessage:
    request = turn.request
    rows = request.rows if has_figures else ()
    results = [part for part in message.parts if _is_result(part)]
    return session_responses.SessionMessage(
        role=message.role,
        name=message.name,
        content=_text(part for part in message.parts if part.kind not in NOT_CONTENT),
        reasoning=_text(part for part in message.parts if part.kind == "reasoning"),
        tool_calls=[
            session_responses.ToolCall(id=part.call_id, name=part.name, arguments=part.text)
            for part in message.parts
            if part.kind == "tool_call"
        ],
        tool_call_id=next((part.call_id for part in results), None),
        is_error=any(part.is_error for part in results),
        citations=[
            session_responses.Citation(title=part.name, text=part.text)
            for part in message.parts
            if part.kind == "citation"
        ],
        ending=message.ending,
        choice=message.choice,
        request_id=request.request_id,
        started_at=request.started_at,
        model=request.model,
        status="failure" if request.is_failure else "success",
        error=(request.error_message or request.error_class) if has_figures else None,
        prompt_tokens=sum(one.prompt_tokens for one in rows) if rows else None,
        completion_tokens=sum(one.completion_tokens for one in rows) if rows else None,
        cost_usd=cost_usd(rows) if rows else None,
        latency_ms=request.latency_ms if has_figures else None,
        ttft_ms=request.ttft_ms if has_figures else None,
        cache_hit=request.is_cache_hit,
        changes=[_change(one) for one in turn.changes] if has_figures else [],
        notes=notes if has_figures else [],
    )


def _change(change: ShownChange) -> session_responses.Change:
    texts = (_text(iter(message.parts)) for message in change.messages)
    return session_responses.Change(
        sentence=change.sentence, content=[text or "" for text in texts]
    )


def _text(parts: Iterator[Part]) -> str | None:
    """Several parts as one text; None without parts."""
    return "\n".join(part.text for part in parts if part.text) or None
