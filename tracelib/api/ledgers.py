"""The ledgers of LiteLLM next to each other, for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from tracelib import errors, ledgers
from tracelib.api import ledger_responses as responses
from tracelib.api import params
from tracelib.api.caller import Caller
from tracelib.ledgers import Amount, Class, Ledgers, Line, Window, words
from tracelib.ledgers.cells import Sums
from tracelib.ledgers.classes import Difference, by_class, total
from tracelib.ledgers.totals import Kind


def compared_ledgers(caller: Caller, given: params.LedgerDays) -> responses.Ledgers:
    """How do the log, LiteLLM's daily tables and its running totals compare, and why not equal?"""
    first, last = given.range_of_days(caller.now)

    def run(queries: Sequence[tuple[Any, ...]], are_optional: bool = False) -> list[Any]:
        # One after the other: each may wait as long as any query.
        return [_value(caller, query, are_optional) for query in queries]

    found = ledgers.ledgers(run, first, last, caller.now)
    return responses.Ledgers(
        first=found.first,
        last=found.last,
        sentence=words.headline(found),
        days=[_day(line) for line in found.days],
        keys=_owners(found, "key"),
        teams=_owners(found, "team"),
        users=_owners(found, "user"),
        tags=_owners(found, "tag"),
        largest=[_cell(found, one) for one in found.largest],
        missing=list(found.booked.missing),
        notes=words.notes(found),
    )


def _value(caller: Caller, query: tuple[Any, ...], is_optional: bool) -> Any:
    try:
        return caller.query(*query)
    except errors.QuestionTooSlow:
        if is_optional:
            return None
        raise


def _day(line: Line) -> responses.ComparedDay:
    return responses.ComparedDay(
        date=date.fromisoformat(line.id), gateway_requests=line.gateway_requests, **_figures(line)
    )


def _owners(found: Ledgers, kind: Kind) -> list[responses.ComparedOwner]:
    return [
        responses.ComparedOwner(
            id=line.id,
            name=line.name,
            running_total=_running(kind, line, found.windows.get((kind, line.id), ())),
            **_figures(line),
        )
        for line in found.lines.get(kind, ())
    ]


def _running(kind: Kind, line: Line, windows: Iterable[Window]) -> responses.RunningTotal | None:
    one = line.running
    if one is None:
        return None
    return responses.RunningTotal(
        spend_usd=_usd(one.spend_usd),
        total_usd=None if one.total_usd is None else _usd(one.total_usd),
        daily_usd=None if one.booked_usd is None else _usd(one.booked_usd),
        state=words.state(one),
        sentence=words.about_total(kind, line),
        windows=[
            responses.BudgetWindow(
                duration=each.of.duration,
                start=each.of.start,
                is_assumed=each.of.is_assumed,
                spend_usd=_usd(each.of.spend_usd),
                log_usd=None if each.log_usd is None else _usd(each.log_usd),
            )
            for each in windows
        ],
    )


def _figures(line: Line) -> dict[str, Any]:
    return {
        **_amounts(line.log, line.difference, line.classes),
        "log_prompt_tokens": line.log.prompt_tokens,
        "daily_prompt_tokens": line.daily.prompt_tokens,
        "log_completion_tokens": line.log.completion_tokens,
        "daily_completion_tokens": line.daily.completion_tokens,
    }


def _cell(found: Ledgers, one: Difference) -> responses.ComparedCell:
    classes = by_class([one])
    cell = one.cell
    return responses.ComparedCell(
        date=cell.day,
        user=cell.owner if found.days_by == "user" else None,
        team=cell.owner if found.days_by == "team" else None,
        key=cell.key,
        model=cell.model,
        provider=cell.provider,
        tool=cell.tool,
        **_amounts(one.log, total(classes.values()), classes),
    )


def _amounts(log: Sums, less: Amount, classes: Mapping[Class, Amount]) -> dict[str, Any]:
    parts = [
        responses.ClassPart(name=name, requests=part.requests, usd=_usd(part.usd))
        for name, part in classes.items()
    ]
    return {
        "log_requests": log.requests,
        "daily_requests": log.requests - less.requests,
        "log_usd": _usd(log.usd),
        "daily_usd": _usd(log.usd - less.usd),
        "difference_requests": less.requests,
        "difference_usd": _usd(less.usd),
        "classes": parts,
    }


def _usd(amount: Decimal) -> float:
    """The nearest double: it is written with the digits of the decimal, up to fifteen of them."""
    return float(amount)
