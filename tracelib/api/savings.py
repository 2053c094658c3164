"""What can be saved, for programs."""

from collections.abc import Sequence

from tracelib import savings
from tracelib.api import params
from tracelib.api import savings_responses as responses
from tracelib.api.caller import Caller
from tracelib.api.problems import refused
from tracelib.api.values import window
from tracelib.savings import Context, Misses, PriceBook, Repriced, ToolCost, Waste, WasteClass
from tracelib.savings.prices import Price
from tracelib.savings.repricing import Use

MOST_TOOLS = 200


def can_be_saved(caller: Caller, given: params.Saved) -> responses.Savings:
    """Which money bought nothing, what would have cost less, and what to do?"""
    filters = given.filters(caller.now)
    columns, bodies, resent, tools, used, own = caller.query_together(
        (savings.waste, filters),
        (savings.waste_of_bodies, filters),
        (savings.resent, filters),
        (savings.unused_tools, filters),
        (savings.uses, filters),
        (savings.own_prices, filters),
    )
    waste = savings.together(columns, bodies)
    book = savings.price_book(own, caller.installed.settings.prices)
    return responses.Savings(
        window=window(filters.window),
        requests=waste.requests,
        requests_read=waste.requests_read,
        cost_usd=float(waste.cost_usd),
        wasted_usd=float(waste.wasted_usd),
        bodies_read=waste.bodies_read,
        found=[_class(waste, one) for one in waste.classes],
        cacheable=[
            responses.CacheTime(ttl_s=ttl, cost_usd=float(usd)) for ttl, usd in waste.cacheable_usd
        ],
        cache_ttl_s=waste.ttl_s,
        cache_misses=[_misses(one) for one in savings.misses(resent, book)],
        context=_context(savings.context(resent, book)),
        unused_tools=[_tool(one) for one in savings.tool_costs(tools, book)[:MOST_TOOLS]],
        repriced=_repriced(used, book, given.target),
    )


def _misses(one: Misses) -> responses.CacheMisses:
    return responses.CacheMisses(
        cause=one.cause,
        title=one.declared.title,
        requests=one.requests,
        tokens=one.tokens,
        cost_usd=one.usd if one.priced else None,
        definition=one.declared.definition,
        remedy=one.declared.remedy,
    )


def _context(found: Context) -> responses.ContextSentAgain:
    return responses.ContextSentAgain(
        prompt_tokens=found.prompt_tokens,
        resent_tokens=found.resent,
        cached_tokens=found.cached,
        share=found.share,
        cost_usd=found.usd,
    )


def _tool(one: ToolCost) -> responses.UnusedTool:
    return responses.UnusedTool(
        tool=one.tool,
        api_key=one.api_key,
        requests=one.requests,
        tokens=one.tokens,
        cost_usd=one.usd,
    )


def _repriced(
    used: Sequence[Use], book: PriceBook, target: str | None
) -> list[responses.RepricedDeployment]:
    """Each deployment by its own price, and on the target; that price must be known."""
    provider = next((one.provider for one in used if one.deployment == target), None)
    price = None
    if target is not None:
        price = book.price(target, provider or target.partition("/")[0])
        if price is None:
            raise refused("No price of this target is known.")
    return [_one_repriced(one, used, price) for one in savings.repriced(used, book)]


def _one_repriced(
    one: Repriced, used: Sequence[Use], price: Price | None
) -> responses.RepricedDeployment:
    own = [
        each
        for each in used
        if (each.deployment or each.model, each.provider) == (one.deployment, one.provider)
    ]
    other = None if price is None else savings.what_if(own, price)
    return responses.RepricedDeployment(
        deployment=one.deployment,
        provider=one.provider,
        requests=one.requests,
        booked_usd=one.booked_usd,
        own_price_usd=one.usd,
        price_from=one.origin,
        on_target_usd=None if other is None else other.usd,
        feasible=None if other is None else other.feasible,
    )


def _class(waste: Waste, one: WasteClass) -> responses.WasteClass:
    return responses.WasteClass(
        name=one.name,
        title=one.declared.title,
        requests=one.requests,
        cost_usd=float(one.cost_usd),
        share=waste.share(one.cost_usd),
        definition=one.declared.definition,
        remedy=one.declared.remedy,
        sessions=[
            responses.WastefulSession(
                session_id=each.session_id,
                api_key=each.api_key,
                requests=each.requests,
                cost_usd=float(each.cost_usd),
            )
            for each in one.examples
        ],
    )
