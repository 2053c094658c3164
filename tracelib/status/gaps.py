"""What this database lacks or withholds, and what that costs."""

from collections.abc import Iterator

import pandas as pd

from tracelib.schema import BASELINE, KNOWN_COLUMNS, NAME_TABLES, Schema
from tracelib.source import Source
from tracelib.spendlogs.table import STORED

COLUMNS = ("kind", "name", "since", "without_it")
# Columns that were always there, so that only a grant can be missing.
WITHHELD = {
    "metadata": "Error classes, retries, cached tokens and old names are unknown.",
    "request_tags": "Tags are unknown.",
    "response": "Responses cannot be shown.",
    "messages": "Prompts of realtime sessions cannot be shown.",
    "completionStartTime": "Time to first token is unknown.",
    "cache_hit": "Cache hits are unknown.",
    "user": "Users are unknown.",
    "team_id": "Teams are unknown.",
    "end_user": "End users are unknown.",
    "model_group": "Models are shown by deployment name.",
    "custom_llm_provider": "Providers are unknown.",
    "call_type": "Call types are unknown.",
}
NAMELESS = {
    "LiteLLM_VerificationToken": "Keys are shown by the start of their hash.",
    "LiteLLM_DeletedVerificationToken": "Deleted keys are shown by the start of their hash.",
    "LiteLLM_UserTable": "Users are shown by ID.",
    "LiteLLM_TeamTable": "Teams are shown by the alias in their requests, or by ID.",
}
NAME_TABLE_SINCE = {"LiteLLM_DeletedVerificationToken": "2025-12-19"}

Gap = tuple[str, str, str, str]


def missing(source: Source) -> pd.DataFrame:
    """What is not there or may not be read, and what does that cost?

    A row a thing, columns first, then grants, indexes and name tables, each by its age:

        kind         text    column, grant, index or name table
        name         text    an index by its columns
        since        text    the day LiteLLM added it, as 2026-08-18
        without_it   text    a sentence

    No rows where all is there. Asks nothing: it is known from the first connection.
    """
    schema = source.schema
    gaps = [*_columns(schema), *_grants(schema), *_indexes(schema), *_name_tables(schema)]
    return pd.DataFrame(gaps, columns=list(COLUMNS), dtype="str")


def _columns(schema: Schema) -> Iterator[Gap]:
    for known in schema.missing_columns():
        if known.name not in schema.unreadable:
            yield "column", known.name, known.since, known.without_it


def _grants(schema: Schema) -> Iterator[Gap]:
    known = {column.name: column for column in KNOWN_COLUMNS}
    for name in sorted(schema.unreadable):
        if name in known:
            yield "grant", name, known[name].since, known[name].without_it
        elif name in STORED:
            yield "grant", name, BASELINE, WITHHELD.get(name, "Its values are not shown.")


def _indexes(schema: Schema) -> Iterator[Gap]:
    there = schema.columns | schema.unreadable
    for known in schema.missing_indexes():
        if set(known.columns) <= there:
            yield "index", ", ".join(known.columns), known.since, known.without_it


def _name_tables(schema: Schema) -> Iterator[Gap]:
    readable = dict(schema.name_tables)
    for name in NAME_TABLES:
        if not readable.get(name):
            yield "name table", name, NAME_TABLE_SINCE.get(name, BASELINE), NAMELESS[name]
