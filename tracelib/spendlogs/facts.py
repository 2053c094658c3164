"""Facts that LiteLLM keeps in a row's metadata, taken out in one pass.

Each `->>` on metadata decompresses its 11 kB again; one `jsonb_to_record` does it once.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    TableValuedAlias,
    case,
    cast,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.types import Double, Integer, Numeric, Text

TEXTS = (
    "user_api_key_alias",
    "user_api_key_team_alias",
    "original_model_group",
    "cold_storage_object_key",
)
DOCUMENTS = (
    "error_information",
    "additional_usage_values",
    "attempted_retries",
    "attempted_fallbacks",
)
# The price list alone is most of the metadata: only who reads it has it taken out.
OF_A_RUN = (
    "litellm_overhead_time_ms",
    "cost_breakdown",
    "model_map_information",
    "usage_object",
)
# Asked of its type beside, a document would be decompressed twice.
IF_OBJECT = 'strict $ ? (@.type() == "object")'
GREATEST = 2**31 - 1
GREATEST_AMOUNT = 10**15
DECIMALS = 20


def with_facts(requests: Subquery, *columns: str) -> Select[Any]:
    """What does the metadata of these requests say, beside the named columns?

    Adds to each row:

        error_class, error_code, error_message     text, of a failure
        cached_prompt_tokens                       int, read from the provider's prompt cache
        cache_write_tokens                         int, written to it
        asked_model                                text, the group asked for before a fallback
        attempted_retries, attempted_fallbacks     int
        key_alias, team_alias, cold_storage_key    text

    None where the metadata says nothing. Metadata that is no object says nothing.
    """
    record = _record(requests.c.metadata)
    kept = [requests.c[name] for name in columns]
    facts = [value.label(name) for name, value in _facts(record).items()]
    return select(*kept, *facts).select_from(requests.outerjoin(record, true()))


def with_run_facts(requests: Subquery, *columns: str) -> Select[Any]:
    """How did these requests run, beside the named columns? The facts of `with_facts`, and:

        overhead_ms             double   LiteLLM's own time, before and after the model
        max_input_tokens        int      the model's limit, of LiteLLM's price list then
        input_cost_usd          double   of the prompt, cached tokens included
        cached_input_cost_usd   double   of its tokens read from the provider's cache
        input_cost_per_token    double   US dollars, of the price list
        reasoning_tokens        int      of the completion: thought, not said

    None where the metadata says nothing, as in all versions before 1.85 but for the price list
    and the tokens.
    """
    record = _record(requests.c.metadata, OF_A_RUN)
    kept = [requests.c[name] for name in columns]
    values = {**_facts(record), **_run_facts(record)}
    facts = [value.label(name) for name, value in values.items()]
    return select(*kept, *facts).select_from(requests.outerjoin(record, true()))


def with_prompt_caching(requests: Subquery, *columns: str) -> Select[Any]:
    """What do these requests say of the provider's prompt cache, beside the named columns?

    The two facts `cached_prompt_tokens` and `cache_write_tokens` of `with_facts`, at half its
    cost: the metadata is read once, for `->` finds nothing in what is no object.
    """
    kept = [requests.c[name] for name in columns]
    usage = requests.c.metadata.op("->", return_type=JSONB())("additional_usage_values")
    # OFFSET keeps PostgreSQL from taking the document out again for each fact.
    read = select(*kept, usage.label("usage")).offset(0).subquery("read")
    facts = [value.label(name) for name, value in _prompt_caching(read.c.usage).items()]
    return select(*(read.c[name] for name in columns), *facts)


def _record(metadata: ColumnElement[Any], more: tuple[str, ...] = ()) -> TableValuedAlias:
    document = func.jsonb_path_query_first(metadata, cast(IF_OBJECT, JSONPATH), type_=JSONB())
    texts = [column(name, Text()) for name in TEXTS]
    documents = [column(name, JSONB()) for name in (*DOCUMENTS, *more)]
    return (
        func.jsonb_to_record(document)
        .table_valued(*texts, *documents, name="facts")
        .render_derived(with_types=True)
    )


def _facts(record: TableValuedAlias) -> dict[str, ColumnElement[Any]]:
    error = record.c.error_information
    return {
        "error_class": _text(error, "error_class"),
        "error_code": _text(error, "error_code"),
        "error_message": _text(error, "error_message"),
        **_prompt_caching(record.c.additional_usage_values),
        "asked_model": func.nullif(record.c.original_model_group, "", type_=Text()),
        "attempted_retries": _whole(record.c.attempted_retries),
        "attempted_fallbacks": _whole(record.c.attempted_fallbacks),
        "key_alias": func.nullif(record.c.user_api_key_alias, "", type_=Text()),
        "team_alias": func.nullif(record.c.user_api_key_team_alias, "", type_=Text()),
        "cold_storage_key": func.nullif(record.c.cold_storage_object_key, "", type_=Text()),
    }


def _run_facts(record: TableValuedAlias) -> dict[str, ColumnElement[Any]]:
    costs = record.c.cost_breakdown.op("->", return_type=JSONB())
    prices = record.c.model_map_information.op("->", return_type=JSONB())("model_map_value")
    price = prices.op("->", return_type=JSONB())
    return {
        "overhead_ms": _amount(record.c.litellm_overhead_time_ms),
        "max_input_tokens": _whole(price("max_input_tokens")),
        "input_cost_usd": _amount(costs("input_cost")),
        "cached_input_cost_usd": _amount(costs("cache_read_cost")),
        "input_cost_per_token": _amount(price("input_cost_per_token")),
        "reasoning_tokens": _reasoning(record),
    }


def _reasoning(record: TableValuedAlias) -> ColumnElement[int]:
    """Of a response only the whole usage says it; an installation may keep but the rest of it."""
    told = (record.c.usage_object, record.c.additional_usage_values)
    details = [usage.op("->", return_type=JSONB())("completion_tokens_details") for usage in told]
    return func.coalesce(*(_number(one, "reasoning_tokens") for one in details))


def _prompt_caching(usage: ColumnElement[Any]) -> dict[str, ColumnElement[Any]]:
    details = usage.op("->", return_type=JSONB())
    cached = func.coalesce(
        _number(usage, "cache_read_input_tokens"),
        _number(details("prompt_tokens_details"), "cached_tokens"),
        _number(details("input_tokens_details"), "cached_tokens"),
    )
    return {
        "cached_prompt_tokens": cached,
        "cache_write_tokens": _number(usage, "cache_creation_input_tokens"),
    }


def _text(document: ColumnElement[Any], key: str) -> ColumnElement[str]:
    return func.nullif(document.op("->>", return_type=Text())(key), "", type_=Text())


def _number(document: ColumnElement[Any], key: str) -> ColumnElement[int]:
    return _whole(document.op("->", return_type=JSONB())(key))


def _whole(value: ColumnElement[Any]) -> ColumnElement[int]:
    """A JSON number as an integer; anything else is unknown rather than an error."""
    number = cast(value, Numeric)
    fitting = case((number.between(-GREATEST, GREATEST), cast(number, Integer)))
    return case((func.jsonb_typeof(value) == "number", fitting))


def _amount(value: ColumnElement[Any]) -> ColumnElement[float]:
    """A JSON number as a double; anything else, and what no amount can be, is unknown."""
    number = cast(value, Numeric)
    # Digits that a double cannot hold would be an error rather than a zero.
    amount = cast(func.round(number, DECIMALS), Double)
    fitting = case((number.between(-GREATEST_AMOUNT, GREATEST_AMOUNT), amount))
    return case((func.jsonb_typeof(value) == "number", fitting))
