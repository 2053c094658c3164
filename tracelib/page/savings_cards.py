"""The cards of the caches, the context, the tools and another model."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from tracelib import formatting, savings
from tracelib.export import Column
from tracelib.formatting import Kind
from tracelib.page.base import table
from tracelib.page.base.cards import card, show_empty_state, show_facts
from tracelib.savings import PriceBook
from tracelib.savings.caching import Resent
from tracelib.savings.repricing import Repriced, Use, WhatIf
from tracelib.savings.tools import Unused

CACHING = (
    "Tokens that the request before had sent already, or another one with the same system prompt, "
    "and that the provider’s cache did not serve. A miss has the first cause that fits. The cost "
    "is what the cache would have saved."
)
MISSES = {
    "title": Column("Cause", "cause", width=170),
    "usd": Column("Cost", "cost_usd", Kind.MONEY, width=84),
    "tokens": Column("Tokens", "tokens", Kind.COUNT, width=80),
    "requests": Column("Requests", "requests", Kind.COUNT, width=80),
    "remedy": Column("What to do", "what_to_do"),
}
CONTEXT = (
    "Prompt tokens that the request before in the same conversation had sent already. Providers "
    "bill them again, for less if they read them from their cache."
)
TOOLS = (
    "Tools in at least 50 requests of a key of which none called them. Tokens are those of their "
    "descriptions, four bytes each; long descriptions are stored cut off, so there may be more."
)
UNUSED = {
    "tool": Column("Tool", "tool", width=170),
    "usd": Column("Cost", "cost_usd", Kind.MONEY, width=84),
    "tokens": Column("Tokens", "tokens", Kind.COUNT, width=80),
    "requests": Column("Requests", "requests", Kind.COUNT, width=80),
    "key_name": Column("Key", "key"),
}
BASELINE = (
    "What the tokens of each deployment cost by its own price, next to what LiteLLM has booked. "
    "The closer the two, the more a comparison with another model can be trusted."
)
REPRICED = {
    "deployment": Column("Deployment", "deployment", width=210),
    "booked": Column("Booked", "booked_usd", Kind.MONEY, width=84),
    "usd": Column("By its price", "by_its_price_usd", Kind.MONEY, width=90),
    "gap": Column("Difference", "difference", Kind.SHARE, width=80),
    "origin": Column("Price from", "price_from", width=90),
    "requests": Column("Requests", "requests", Kind.COUNT),
}
NO_BODIES = (
    "No stored prompt could be compared. LiteLLM stores them with store_prompts_in_spend_logs: "
    "true; a replica compares them with TRACELIB_REPLICA_READS_BODIES=yes."
)
CAVEATS = (
    "Tokenizers differ: the band is 20 % more or fewer tokens. Another provider’s cache may serve "
    "less: without it, the cost is {uncached}. Quality is not compared."
)
ROW_PX = 64
MOST_TOOLS = 50
MOST_NAMED = 12


def misses(rows: Sequence[Resent], book: PriceBook, basis: str) -> None:
    """Draw why the provider's cache did not serve what was sent before.

    `basis` says of which requests this is known, here and below.
    """
    found = savings.misses(rows, book)
    lines = pd.DataFrame(
        [
            {
                "title": one.declared.title,
                "usd": one.usd if one.priced else None,
                "tokens": one.tokens,
                "requests": one.requests,
                "remedy": one.declared.remedy,
            }
            for one in sorted(found, key=lambda one: -one.usd)
        ]
    )
    with table.card("Prompt cache misses", lines, MISSES, CACHING, "prompt cache misses"):
        if lines.empty:
            show_empty_state("No miss was found." if rows else NO_BODIES)
            return
        table.draw(lines, MISSES, "cache misses", height="content", row_height=ROW_PX)
        st.caption(basis)
        with st.expander("What each cause means"):
            for one in savings.CAUSES.values():
                st.text(f"{one.title}: {one.definition}")


def context(rows: Sequence[Resent], book: PriceBook, basis: str) -> None:
    """Draw how much of the prompts had been sent before."""
    found = savings.context(rows, book)
    with card("Context sent again", CONTEXT):
        if not found.requests:
            show_empty_state(NO_BODIES)
            return
        show_facts(
            ("Sent again", f"{formatting.share(found.share)} of prompt tokens"),
            ("Tokens", formatting.count(found.resent)),
            ("Read from the cache", formatting.count(found.cached)),
            ("Cost", formatting.money(found.usd)),
        )
        st.caption(f"{basis} Compact a conversation earlier, or start a new one, to send less.")


def tools(
    rows: Sequence[Unused],
    book: PriceBook,
    names: Mapping[str, str],
    listed: Sequence[str] | None,
    basis: str,
) -> None:
    """Draw the tools that are offered and never called, by bodies and as LiteLLM lists them."""
    found = savings.tool_costs(rows, book)[:MOST_TOOLS]
    lines = pd.DataFrame(
        [
            {
                "tool": one.tool,
                "usd": one.usd,
                "tokens": one.tokens,
                "requests": one.requests,
                "key_name": names.get(one.api_key, formatting.shortened(one.api_key, 12)),
            }
            for one in found
        ]
    )
    with table.card("Tools never called", lines, UNUSED, TOOLS, "tools never called"):
        if lines.empty:
            show_empty_state("Every tool that is offered often is called, or no prompt is stored.")
        else:
            table.draw(lines, UNUSED, "tools never called", height="content")
            st.caption(basis)
        if listed:
            more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
            named = ", ".join(formatting.shortened(one) for one in listed[:MOST_NAMED])
            st.text(f"Without bodies, LiteLLM’s own tables name: {named}{more}.")


def another_model(used: Sequence[Use], book: PriceBook) -> None:
    """Draw what the requests of a model would cost on another one."""
    own = savings.repriced(used, book)
    with card("On another model", BASELINE):
        if not own:
            show_empty_state("No request of this range has a cost and a prompt.")
            return
        st.text(_baseline(own))
        _choice(used, own, book)
        lines = pd.DataFrame(map(_line, own))
        with st.expander("Booked cost and own prices"):
            table.draw(lines, REPRICED, "booked and own prices", height="content")


def _baseline(own: Sequence[Repriced]) -> str:
    close = sum(one.booked_usd for one in own if one.is_close)
    every = sum(one.booked_usd for one in own)
    share = formatting.share(close / every if every else None)
    others = [one.deployment for one in own if not one.is_close]
    sentence = (
        f"By their own prices, deployments with {share} of the cost come within 1 % of what was "
        "booked."
    )
    if not others:
        return sentence
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"{sentence} Not: {', '.join(others[:3])}{more}."


def _line(one: Repriced) -> dict[str, Any]:
    return {
        "deployment": one.deployment,
        "booked": one.booked_usd,
        "usd": one.usd,
        "gap": one.gap,
        "origin": one.origin or "unknown",
        "requests": one.requests,
    }


def _choice(used: Sequence[Use], own: Sequence[Repriced], book: PriceBook) -> None:
    """Draw the choice of the two models, and what the second would cost."""
    cost: dict[str, Decimal] = {}
    for one in used:
        cost[one.model] = cost.get(one.model, Decimal()) + one.cost_usd
    offered = {one.deployment: one for one in own if one.usd is not None}
    with st.container(horizontal=True):
        model = st.selectbox(
            "Requests of", sorted(cost, key=lambda name: -cost[name]), key="repriced model"
        )
        its_own = {one.deployment for one in used if one.model == model}
        target = st.selectbox(
            "On",
            [name for name in offered if name not in its_own],
            index=None,
            placeholder="Choose another model",
            key="repriced target",
        )
    if model is None or target is None:
        return
    price = book.price(target, offered[target].provider)
    if price is None:
        return
    found = savings.what_if([one for one in used if one.model == model], price)
    st.text(_what_if(found, target))
    st.caption(CAVEATS.format(uncached=formatting.money(found.uncached_usd).replace("$", "\\$")))


def _what_if(found: WhatIf, target: str) -> str:
    money = formatting.money
    least, most = found.band_usd
    return (
        f"{money(found.booked_usd)} would be {money(found.usd)} on {target} "
        f"({money(least)} to {money(most)}), for the {formatting.share(found.share)} of "
        f"{formatting.counted(found.requests, 'request')} that are sure to fit into its context."
    )
