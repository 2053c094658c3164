"""Two kinds of caching, kept apart: LiteLLM's own cache and the provider's prompt cache."""

import pandas as pd
import streamlit as st

from tracelib import formatting
from tracelib.asking.memory import Answer
from tracelib.charts import traffic
from tracelib.charts.base import TimeAxis
from tracelib.overview import CacheSavings, PromptCaching
from tracelib.page.cards import card, chart, literal, unanswered

ESTIMATE = (
    "An estimate: tokens served from the cache, at the average cost per token of the same model in "
    "this time range."
)
PROVIDER = (
    "The provider’s own cache of prompt prefixes. Cached tokens are billed at a lower price and "
    "are included in the prompt tokens. It is unrelated to LiteLLM’s cache."
)


def cache_cards(
    saved: Answer[CacheSavings],
    prompts: Answer[PromptCaching],
    series: Answer[pd.DataFrame],
    axis: TimeAxis,
) -> None:
    """How often did a cache answer, and what was saved?"""
    left, right = st.columns(2)
    with left:
        chart("Cache hit rate", series, traffic.cache_hit_rate, axis)
    with right:
        _saved(saved)
        _provider(prompts)


def _saved(saved: Answer[CacheSavings]) -> None:
    with card("Served from LiteLLM’s cache", ESTIMATE):
        if saved.value is None:
            unanswered(saved)
            return
        with st.container(horizontal=True):
            st.metric("Hits", formatting.count(saved.value.hits))
            st.metric("Tokens served", formatting.count(saved.value.replayed_tokens))
            money = formatting.money(saved.value.saved_usd_estimate)
            st.metric("Cost saved, estimated", literal(money))


def _provider(prompts: Answer[PromptCaching]) -> None:
    with card("Provider prompt caching", PROVIDER):
        if prompts.value is None:
            unanswered(prompts)
            return
        facts = prompts.value
        with st.container(horizontal=True):
            st.metric("Cached prompt tokens", formatting.count(facts.cached_prompt_tokens))
            st.metric("Share of prompt tokens", literal(formatting.share(facts.share)))
            st.metric("Cache write tokens", formatting.count(facts.cache_write_tokens))
        if facts.requests_read < facts.requests:
            st.caption(
                f"From the newest {formatting.exact(facts.requests_read)} of "
                f"{formatting.exact(facts.requests)} requests."
            )
