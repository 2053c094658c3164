"""What can be saved, for programs."""

from tracelib import savings
from tracelib.api import params
from tracelib.api import savings_responses as responses
from tracelib.api.caller import Caller
from tracelib.api.values import window
from tracelib.savings import Waste, WasteClass


def can_be_saved(caller: Caller, given: params.Chosen) -> responses.Savings:
    """Which money bought nothing, and what ends that?"""
    filters = given.filters(caller.now)
    waste = caller.query(savings.waste, filters)
    return responses.Savings(
        window=window(filters.window),
        requests=waste.requests,
        requests_read=waste.requests_read,
        cost_usd=float(waste.cost_usd),
        wasted_usd=float(waste.wasted_usd),
        found=[_class(waste, one) for one in waste.classes],
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
