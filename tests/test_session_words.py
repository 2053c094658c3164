"""The words above the results: what a search asks of a session."""

import pytest

from tracelib.sessions import SessionSearch, in_words


def test_every_session_passes_without_a_word():
    assert in_words(SessionSearch(sort="cost")) == ()


def test_each_condition_is_told_once_in_a_fixed_order():
    search = SessionSearch(
        text="billing",
        said="refund",
        tool="search",
        error_class="RateLimitError",
        metadata_key="customer",
        metadata_value="acme",
        tag="nightly",
        end_user="customer-9",
        agent="agent-7",
        call_type="aresponses",
        min_cost_usd=0.5,
        max_cost_usd=2,
        min_requests=3,
        max_error_share=0.25,
        min_duration_s=90,
        max_duration_s=3600.5,
        max_tokens=1_000_000,
        min_models=2,
        status="with failures",
        many_requests_only=True,
        has_tool_calls=True,
        used_fallback=True,
    )
    assert in_words(search) == (
        "named “billing”",
        "contains “refund”",
        "calls the tool “search”",
        "fails with “RateLimitError”",
        "tagged “nightly”",
        "end user “customer-9”",
        "agent “agent-7”",
        "call type “aresponses”",
        "metadata customer = acme",
        "more than one request",
        "calls a tool",
        "uses a fallback model",
        "with failures",
        "cost from $0.50 to $2",
        "at least 3 requests",
        "failures at most 25 %",
        "duration from 90 s to 3,600.5 s",
        "at most 1,000,000 tokens",
        "at least 2 models",
    )


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (SessionSearch(id="chatcmpl-1", said="x"), "session, request or call ID “chatcmpl-1”"),
        (SessionSearch(metadata_key="customer"), "metadata customer"),
        (SessionSearch(said="x" * 100), f"contains “{'x' * 79}…”"),
        (SessionSearch(said="a {} “b”"), "contains “a {} “b””"),
        (SessionSearch(status="without failures"), "without failures"),
        (SessionSearch(min_requests=0), "at least 0 requests"),
        (SessionSearch(min_requests=1), "at least 1 request"),
        (SessionSearch(max_models=1), "at most 1 model"),
        (SessionSearch(min_models=1, max_models=1), "1 model"),
        (SessionSearch(min_models=1, max_models=2), "from 1 to 2 models"),
        (SessionSearch(min_cost_usd=0.0), "cost at least $0"),
        (SessionSearch(max_cost_usd=-0.00028), "cost at most -$0.00028"),
        (SessionSearch(min_cost_usd=2.5, max_cost_usd=2.5), "cost $2.50"),
        (SessionSearch(min_error_share=1.0), "failures at least 100 %"),
        (SessionSearch(min_duration_s=1.0), "duration at least 1 s"),
    ],
)
def test_a_condition_in_words(search, words):
    assert in_words(search) == (words,)
