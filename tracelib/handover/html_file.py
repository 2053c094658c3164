"""A session as one HTML file that needs nothing else: no script, no font, no other host."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tracelib import formatting
from tracelib.conversation import Message, Part
from tracelib.conversation.in_words import (
    ROLES,
    failure_in_words,
    figures_in_words,
    origin_in_words,
)
from tracelib.handover.document import SessionDocument
from tracelib.sessions import SessionSummary

PIECES_AT_ONCE = 500


def as_html(document: SessionDocument, zone: str = "UTC") -> Iterator[str]:
    """What does the file say, piece by piece? Clock times are of `zone`.

    All text is escaped, and a policy in the file keeps it from loading anything.
    """
    stream = _template().stream(
        document=document,
        figures=_figures(document.figures),
        facts=_facts(document.figures, zone),
        turns=zip(document.transcript.turns, (None, *document.transcript.turns), strict=False),
        zone=zone,
        clock=lambda moment: _clock(moment, zone),
    )
    stream.enable_buffering(PIECES_AT_ONCE)
    return stream


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "origin": origin_in_words,
        "role": _role,
        "metrics": figures_in_words,
        "failure": failure_in_words,
        "title": _title,
    }
    return environment.get_template("session.html")


def _figures(figures: SessionSummary) -> list[tuple[str, str]]:
    return [
        ("Cost", formatting.money(figures.cost_usd)),
        ("Requests", formatting.exact(figures.requests)),
        ("Failures", formatting.exact(figures.failures)),
        ("Tokens", formatting.exact(figures.total_tokens)),
        ("Duration", formatting.duration(figures.duration_ms)),
        ("Cache hits", formatting.exact(figures.cache_hits)),
    ]


def _facts(figures: SessionSummary, zone: str) -> list[tuple[str, str]]:
    """Who asked, with what, and when: only what is known."""
    known = (
        ("User", figures.user_name),
        ("Team", figures.team_name),
        ("Key", figures.key_name),
        ("Agent", figures.agent),
        ("End user", figures.end_user),
        ("Models", ", ".join(figures.models)),
        ("Providers", ", ".join(figures.providers)),
        ("Tags", ", ".join(figures.tags)),
        ("From", formatting.clock(figures.started_at, zone)),
        ("To", formatting.clock(figures.ended_at, zone)),
    )
    return [(name, value) for name, value in known if value]


def _role(message: Message) -> str:
    """The role as a class of the file's own style: never what a caller wrote."""
    return message.role if message.role in ROLES else "other"


def _title(thing: Message | Part) -> str:
    if isinstance(thing, Message):
        return ROLES.get(thing.role, thing.role)
    named = thing.name or thing.call_id or "a tool"
    titles = {
        "reasoning": "Reasoning",
        "tool_call": f"Calls {named}",
        "tool_result": f"{'Error' if thing.is_error else 'Result'} of {named}",
        "citation": f"Cites {thing.name}" if thing.name else "Cites",
        "data": thing.name or "Data",
    }
    return titles.get(thing.kind, thing.name or "")


def _clock(moment: datetime, zone: str) -> str:
    return formatting.clock(moment, zone)
