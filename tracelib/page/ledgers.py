"""The tables of the ledgers: by day, by key, team, user and tag, and the largest differences."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from tracelib.choice import Choice
from tracelib.export import Column
from tracelib.filters import NONE
from tracelib.formatting import Kind
from tracelib.ledgers import Amount, Class, Ledgers, Line, words
from tracelib.ledgers.classes import Difference, by_class, total
from tracelib.ledgers.totals import Kind as Owner
from tracelib.page.base import table
from tracelib.page.base.cards import card, show_empty_state
from tracelib.page.base.view import View
from tracelib.page.text.markdown_escape import label
from tracelib.ranges import Between

DIFFERENCE = "The log minus the daily totals: negative if the daily totals have more."
GATEWAY = (
    "What the gateway has counted at the end of requests, also of those that it refused before the "
    "log. It is not expected to equal the log."
)
TOKENS = "Prompt and completion, with those of cache hits, as LiteLLM adds them up."
COUNT, MONEY = Kind.COUNT, Kind.MONEY
AMOUNTS = {
    "difference_usd": Column("Difference", "difference_usd", MONEY, explained=DIFFERENCE),
    "difference_requests": Column("In requests", "difference_requests", COUNT),
    "why": Column("Why", "why"),
    "log_usd": Column("Cost in the log", "log_usd", MONEY),
    "daily_usd": Column("Cost in daily totals", "daily_usd", MONEY),
    "log_requests": Column("Requests in the log", "log_requests", COUNT),
    "daily_requests": Column("Requests in daily totals", "daily_requests", COUNT),
}
TOKEN_COLUMNS = {
    "log_tokens": Column("Tokens in the log", "log_tokens", COUNT, explained=TOKENS),
    "daily_tokens": Column("Tokens in daily totals", "daily_tokens", COUNT, explained=TOKENS),
}
DAYS = {
    "name": Column("UTC day", "utc_day"),
    **AMOUNTS,
    "gateway_requests": Column("At the gateway", "gateway_requests", COUNT, explained=GATEWAY),
    **TOKEN_COLUMNS,
}
TOTALS = {
    "spend_usd": Column("Its spend now", "spend_usd", MONEY, explained="Since its last reset."),
    "total_usd": Column("Its total", "total_usd", MONEY, explained="Never reset; keys alone."),
    "about": Column(
        "Its running total",
        "running_total",
        explained="Compared with all of its daily totals, also of days that are not chosen.",
    ),
    "window": Column("Budget window", "budget_window"),
}
# What a total is about comes before the requests, which need more room than there is.
OF_OWNERS = {
    **{name: AMOUNTS[name] for name in ("difference_usd", "why", "log_usd", "daily_usd")},
    **TOTALS,
    **{name: AMOUNTS[name] for name in ("difference_requests", "log_requests", "daily_requests")},
}
LARGEST = {
    "day": Column("UTC day", "utc_day"),
    "owner": Column("User or team", "owner"),
    "key": Column("Key", "key"),
    "model": Column("Deployment", "deployment"),
    "provider": Column("Provider", "provider"),
    **AMOUNTS,
}
NAMES: Mapping[Owner, str] = {"key": "Key", "team": "Team", "user": "User", "tag": "Tag"}
OPENED, LARGEST_TABLE = "difference clicked", "largest differences"


def days(found: Ledgers) -> None:
    """Draw the ledgers of each day next to each other."""
    rows = pd.DataFrame([_figures(line) for line in reversed(found.days)])
    rows["gateway_requests"] = [line.gateway_requests for line in reversed(found.days)]
    rows["gateway_requests"] = rows["gateway_requests"].astype("Int64")
    with table.card("By day", rows, DAYS, DIFFERENCE, "ledgers by day"):
        table.draw(rows, DAYS, "ledgers by day")


def owners(found: Ledgers, kind: Owner) -> None:
    """Draw the ledgers of each key, team, user or tag, and its running total."""
    columns = {"name": Column(NAMES[kind], kind), **OF_OWNERS}
    lines = found.lines.get(kind)
    rows = pd.DataFrame([_owner(found, kind, line) for line in lines or ()])
    with table.card(f"By {kind}", rows, columns, DIFFERENCE, f"ledgers by {kind}"):
        if lines is None:
            show_empty_state("This cannot be compared; the reasons are below.")
        elif not lines:
            show_empty_state("No request of these days has one.")
        else:
            table.draw(rows, columns, f"ledgers by {kind}")


def largest(view: View, found: Ledgers, models: Sequence[tuple[str, ...]]) -> None:
    """Draw the cells with the largest differences; a click opens their requests."""
    rows = pd.DataFrame([_cell(found, one) for one in found.largest])
    explained = "Click a row to open its requests in the log."
    key = table.element_key(LARGEST_TABLE)
    with table.card("Largest differences", rows, LARGEST, explained):
        table.draw(rows, LARGEST, key, on_open=_store_click)
    position = table.taken(OPENED)
    if position is not None and position < len(found.largest):
        chosen = _requests_of(view.choice, found.largest[position], models[position])
        st.switch_page("pages/Sessions.py", query_params=chosen.to_query())


def _store_click() -> None:
    """Remember which row was clicked; for the table's callback, which runs before the page does."""
    st.session_state[OPENED] = table.clicked_position(LARGEST_TABLE)


def _requests_of(choice: Choice, one: Difference, models: tuple[str, ...]) -> Choice:
    """The choice of this cell's day, key, provider and models."""
    cell = one.cell
    return Choice(
        range=Between.days(cell.day, cell.day),
        zone="UTC",
        refresh=choice.refresh,
        key=(cell.key or NONE,),
        provider=(cell.provider or NONE,),
        model=models,
    )


def _figures(line: Line) -> dict[str, Any]:
    less = line.difference
    return {
        "name": line.name,
        **_amounts(less, line.log.requests, float(line.log.usd)),
        "daily_requests": line.daily.requests,
        "daily_usd": float(line.daily.usd),
        "log_tokens": line.log.prompt_tokens + line.log.completion_tokens,
        "daily_tokens": line.daily.prompt_tokens + line.daily.completion_tokens,
        "why": why(line.classes),
    }


def _amounts(less: Amount, requests: int, usd: float) -> dict[str, Any]:
    return {
        "difference_usd": float(less.usd),
        "difference_requests": less.requests,
        "log_requests": requests,
        "log_usd": usd,
    }


def _owner(found: Ledgers, kind: Owner, line: Line) -> dict[str, Any]:
    total_usd = line.running.total_usd if line.running else None
    return _figures(line) | {
        "spend_usd": float(line.running.spend_usd) if line.running else None,
        "total_usd": None if total_usd is None else float(total_usd),
        "about": words.about_total(kind, line),
        "window": "; ".join(map(words.about_window, found.windows.get((kind, line.id), ()))),
    }


def _cell(found: Ledgers, one: Difference) -> dict[str, Any]:
    classes = by_class([one])
    less = total(classes.values())
    cell = one.cell
    owner = found.days_by or "user"
    return {
        "day": _day(cell.day),
        "owner": found.booked.names.get((owner, cell.owner)) or cell.owner or NONE,
        "key": next((line.name for line in found.lines["key"] if line.id == cell.key), cell.key),
        "model": cell.model or NONE,
        "provider": cell.provider or NONE,
        **_amounts(less, one.log.requests, float(one.log.usd)),
        "daily_requests": one.log.requests - less.requests,
        "daily_usd": float(one.log.usd - less.usd),
        "why": why(classes),
    }


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def why(classes: Mapping[Class, Amount]) -> str:
    """What each class explains, in words; empty if nothing differs."""
    return "; ".join(
        f"{words.WORDS[name].title}: {words.amount(part)}" for name, part in classes.items()
    )


def parts(found: Ledgers) -> pd.DataFrame:
    """The parts in money of each day's difference: date, class, usd; in the order of classes."""
    rows = [
        (line.id, name, float(line.classes[name].usd))
        for name in words.WORDS
        for line in found.days
        if name in line.classes and line.classes[name].usd
    ]
    return pd.DataFrame(rows, columns=["date", "class", "usd"])


def span(view: View) -> tuple[date, date]:
    """The first and the last UTC day that the chosen range touches."""
    window = view.filters.window
    return window.start.date(), (window.end - timedelta(microseconds=1)).date()


def meanings(found: Ledgers) -> None:
    """Draw what each class that occurs means, and what to do."""
    with card("What the differences are", DIFFERENCE):
        for name, part in words.sums(found):
            one = words.WORDS[name]
            st.markdown(f"**{one.title}**, {label(words.amount(part))}")
            st.caption(f"{one.meaning} {one.remedy}")
