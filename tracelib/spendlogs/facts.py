"""Facts from a row's metadata, extracted in one pass.

Each `->>` on metadata decompresses its 11 kB again; one `jsonb_to_record` does it once.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    TableValuedAlias,
    and_,
    case,
    cast,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.types import Boolean, Double, Integer, Numeric, Text

from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.measures import alphabetical
from tracelib.spendlogs.types import are_columns

TEXTS = (
    "user_api_key_alias",
    "user_api_key_team_alias",
    "original_model_group",
    "cold_storage_object_key",
    "internal_call_origin",
    "billed_retry_attempt",
)
# Where LiteLLM writes what the provider counted, in the order of preference.
USAGE = ("additional_usage_values", "usage_object")
# Chat completions and the Responses API use different names for the details of usage.
SENT = ("prompt_tokens_details", "input_tokens_details")
THOUGHT = ("completion_tokens_details", "output_tokens_details")
# Anthropic's names first: newer versions write them for every provider.
READ = (("cache_read_input_tokens",), *((one, "cached_tokens") for one in SENT))
WRITTEN = (
    ("cache_creation_input_tokens",),
    ("prompt_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),
)
DOCUMENTS = (
    "error_information",
    *USAGE,
    "attempted_retries",
    "attempted_fallbacks",
)
# The price list is most of the metadata, so it is extracted only for those who read it.
OF_A_RUN = (
    "litellm_overhead_time_ms",
    "cost_breakdown",
    "model_map_information",
)
# The class under which LiteLLM logs a client that disconnected before the response was complete.
DISCONNECTED = "ClientDisconnected"
FACTS = (
    *("error_class", "error_code", "error_message"),
    *("cached_prompt_tokens", "cache_write_tokens", "asked_model"),
    *("attempted_retries", "attempted_fallbacks", "key_alias", "team_alias", "cold_storage_key"),
    *("internal_origin", "is_billed_retry"),
)
GREATEST = 2**31 - 1
GREATEST_AMOUNT = 10**15
DECIMALS = 20
NO_VALUES: ColumnElement[Any] = func.jsonb_build_object(type_=JSONB())


def with_facts(requests: Subquery, *columns: str) -> Select[Any]:
    """What does the metadata of these requests hold, next to the named columns?

    Adds to each row:

        error_class, error_code, error_message     text, of a failure or disconnected client
        cached_prompt_tokens                       int, read from the provider cache
        cache_write_tokens                         int, written to it
        asked_model                                text, the requested group before a fallback
        attempted_retries, attempted_fallbacks     int
        key_alias, team_alias, cold_storage_key    text
        internal_origin                            text, why LiteLLM itself sent the request
        is_billed_retry                            bool, an attempt that was billed and repeated

    None if the metadata does not have it, or is not an object.
    """
    kept = [requests.c[name] for name in columns]
    if are_columns(requests):
        return select(*kept, *(requests.c[name] for name in FACTS))
    record = _record(requests.c.metadata)
    facts = [value.label(name) for name, value in _facts(record).items()]
    return select(*kept, *facts).select_from(requests.outerjoin(record, true()))


def with_run_facts(requests: Subquery, *columns: str) -> Select[Any]:
    """How did these requests run, next to the named columns? The facts of `with_facts`, and:

        overhead_ms             double   LiteLLM's own time, before and after the model
        max_input_tokens        int      the model's limit, of LiteLLM's price list then
        input_cost_usd          double   of the prompt, cached tokens included
        cached_input_cost_usd   double   of its tokens read from the provider cache
        input_cost_per_token    double   US dollars, of the price list
        reasoning_tokens        int      of the completion

    None if the metadata does not have it, as in all versions before 1.85 except for the price list
    and the tokens.
    """
    record = _record(requests.c.metadata, OF_A_RUN)
    kept = [requests.c[name] for name in columns]
    values = {**_facts(record), **_run_facts(record)}
    facts = [value.label(name) for name, value in values.items()]
    return select(*kept, *facts).select_from(requests.outerjoin(record, true()))


def with_prompt_caching(requests: Subquery, *columns: str) -> Select[Any]:
    """How did these requests use the provider cache, next to the named columns?

    The two facts `cached_prompt_tokens` and `cache_write_tokens` of `with_facts`, and nothing else
    of the metadata.
    """
    kept = [requests.c[name] for name in columns]
    if are_columns(requests):
        return select(*kept, requests.c.cached_prompt_tokens, requests.c.cache_write_tokens)
    record = _record_of(requests.c.metadata, (), USAGE)
    facts = [value.label(name) for name, value in _prompt_caching(record).items()]
    return select(*kept, *facts).select_from(requests.outerjoin(record, true()))


def with_hang_ups(requests: Subquery, *columns: str) -> Select[Any]:
    """Which of these requests were successes whose client disconnected, next to the named columns?

    Adds `is_hang_up`, a bool that is never None, and reads nothing else of the metadata.
    """
    kept = [requests.c[name] for name in columns]
    if are_columns(requests):
        return select(*kept, _is_hang_up(requests, requests.c.error_class))
    record = _record_of(requests.c.metadata, (), ("error_information",))
    error_class = _text(record.c.error_information, "error_class")
    known = select(*kept, _is_hang_up(requests, error_class))
    return known.select_from(requests.outerjoin(record, true()))


def with_prices(requests: Subquery, *columns: str) -> Select[Any]:
    """What does LiteLLM's price list say of these requests, next to the named columns?

    Adds `input_price` and `output_price`, US dollars per token, and reads nothing else of the
    metadata. None if it does not have them. A replica does not hold them.
    """
    record = _record_of(requests.c.metadata, (), ("model_map_information",))
    listed = _in(record.c.model_map_information, "model_map_value")
    prices = {
        f"{kind}_price": _amount(_in(listed, f"{kind}_cost_per_token"))
        for kind in ("input", "output")
    }
    kept = [requests.c[name] for name in columns]
    known = select(*kept, *(value.label(name) for name, value in prices.items()))
    return known.select_from(requests.outerjoin(record, true()))


def newest(requests: Subquery, limit: int, *columns: str) -> Subquery:
    """Which requests are the newest, at most `limit`, with what `with_facts` and its like read?

    All of them where the facts are columns: those cost no more than others.
    """
    if are_columns(requests):
        kept = [requests.c[name] for name in dict.fromkeys((*columns, "is_failure", *FACTS))]
        return select(*kept).subquery("read")
    kept = [requests.c[name] for name in dict.fromkeys((*columns, "is_failure", "metadata"))]
    order = (requests.c.start_order.desc(), alphabetical(requests.c.request_id))
    return select(*kept).order_by(*order).limit(limit).subquery("read")


def _is_hang_up(requests: Subquery, error_class: ColumnElement[str]) -> ColumnElement[bool]:
    is_gone = and_(~requests.c.is_failure, error_class == DISCONNECTED)
    return func.coalesce(is_gone, False, type_=Boolean()).label("is_hang_up")


def _record(metadata: ColumnElement[Any], more: tuple[str, ...] = ()) -> TableValuedAlias:
    return _record_of(metadata, TEXTS, (*DOCUMENTS, *more))


def _record_of(
    metadata: ColumnElement[Any], texts: tuple[str, ...], documents: tuple[str, ...]
) -> TableValuedAlias:
    columns = [column(name, Text()) for name in texts]
    columns += [column(name, JSONB()) for name in documents]
    return (
        func.jsonb_to_record(decoded(metadata, "object"))
        .table_valued(*columns, name="facts")
        .render_derived(with_types=True)
    )


def _facts(record: TableValuedAlias) -> dict[str, ColumnElement[Any]]:
    error = record.c.error_information
    return {
        "error_class": _text(error, "error_class"),
        "error_code": _text(error, "error_code"),
        "error_message": _text(error, "error_message"),
        **_prompt_caching(record),
        "asked_model": func.nullif(record.c.original_model_group, "", type_=Text()),
        "attempted_retries": _whole(record.c.attempted_retries),
        "attempted_fallbacks": _whole(record.c.attempted_fallbacks),
        "key_alias": func.nullif(record.c.user_api_key_alias, "", type_=Text()),
        "team_alias": func.nullif(record.c.user_api_key_team_alias, "", type_=Text()),
        "cold_storage_key": func.nullif(record.c.cold_storage_object_key, "", type_=Text()),
        "internal_origin": func.nullif(record.c.internal_call_origin, "", type_=Text()),
        "is_billed_retry": case((record.c.billed_retry_attempt == "true", True)),
    }


def _run_facts(record: TableValuedAlias) -> dict[str, ColumnElement[Any]]:
    costs, prices = record.c.cost_breakdown, record.c.model_map_information
    price = "model_map_value"
    return {
        "overhead_ms": _amount(record.c.litellm_overhead_time_ms),
        "max_input_tokens": _whole(prices, price, "max_input_tokens"),
        "input_cost_usd": _amount(_in(costs, "input_cost")),
        "cached_input_cost_usd": _amount(_in(costs, "cache_read_cost")),
        "input_cost_per_token": _amount(_in(_in(prices, price), "input_cost_per_token")),
        "reasoning_tokens": _reasoning(record),
    }


def _reasoning(record: TableValuedAlias) -> ColumnElement[int]:
    """The reasoning tokens: in the whole usage of a response only, which may be cut down."""
    places = [(record.c[name], details) for name in reversed(USAGE) for details in THOUGHT]
    return func.coalesce(*(_whole(usage, one, "reasoning_tokens") for usage, one in places))


def _prompt_caching(record: TableValuedAlias) -> dict[str, ColumnElement[Any]]:
    """Tokens of the provider cache, from every field where some version writes them."""
    return {
        "cached_prompt_tokens": _first_counted(record, READ),
        "cache_write_tokens": _first_counted(record, WRITTEN),
    }


def _first_counted(
    record: TableValuedAlias, paths: Sequence[tuple[str, ...]]
) -> ColumnElement[int]:
    """The first count that is not 0, because LiteLLM writes 0 for an unknown count too.

    0 if nothing else is known, NULL if nothing is.
    """
    places = [(record.c[name], path) for name in USAGE for path in paths]
    counted = (_whole(usage, *path, least=1) for usage, path in places)
    known = (_whole(usage, *path) for usage, path in places)
    return func.coalesce(*counted, *known, type_=Integer())


def _in(document: ColumnElement[Any], key: str) -> ColumnElement[Any]:
    return document.op("->", return_type=JSONB())(key)


def _text(document: ColumnElement[Any], key: str) -> ColumnElement[str]:
    return func.nullif(document.op("->>", return_type=Text())(key), "", type_=Text())


def _whole(document: ColumnElement[Any], *keys: str, least: int = -GREATEST) -> ColumnElement[int]:
    """The number under these keys as an integer; NULL for anything else, rather than an error.

    One path, which extracts and compares at once: most of a dozen fields are missing.
    """
    place = "".join(f'."{key}"' for key in keys)
    path = cast(f"strict ${place} ? (@ >= {least} && @ <= {GREATEST})", JSONPATH)
    found = func.jsonb_path_query_first(document, path, NO_VALUES, True, type_=JSONB())
    return cast(found, Integer)


def _amount(value: ColumnElement[Any]) -> ColumnElement[float]:
    """A JSON number as a double; NULL for anything else, and for impossible amounts."""
    number = cast(value, Numeric)
    # Digits that a double cannot hold would be an error rather than a zero.
    amount = cast(func.round(number, DECIMALS), Double)
    fitting = case((number.between(-GREATEST_AMOUNT, GREATEST_AMOUNT), amount))
    return case((func.jsonb_typeof(value) == "number", fitting))
