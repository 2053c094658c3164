"""That a source finds what each database has, and reads whatever version that is."""

import pandas as pd
import pytest
import sqlalchemy as sa

from tests import litellm, rows
from tests.sources import HOUR
from tests.test_source import ALL_LOGS, DAY, started
from tracelib import facets
from tracelib.source import Postgres


@pytest.mark.parametrize("version", litellm.VERSIONS)
@pytest.mark.parametrize("partitioned", [False, True])
def test_every_version_of_litellm_can_be_read(open_source, database, version, partitioned):
    made = database(version, rows=[rows.spend_log()], partitioned=partitioned)
    source = open_source(made.url)
    found = (len(source.schema.columns), source.schema.is_partitioned, started(source))
    assert found == (litellm.COLUMN_COUNTS[version], partitioned, [rows.NOON])


def test_tables_in_another_schema_are_found_by_the_urls_schema(open_source, database):
    made = database(rows=[rows.spend_log(user="u-1")])
    rows.name_user(made.engine, "u-1", "Ada")
    made.execute("ALTER SCHEMA public RENAME TO llm", "CREATE SCHEMA public")
    source = open_source(made.url + "&schema=llm")
    assert started(source) == [rows.NOON]
    assert [one.name for one in facets.facets(source, rows.NOON + HOUR).of("user")] == ["Ada"]


def test_a_frame_has_the_same_columns_and_types_with_and_without_rows(
    open_source, real_rows_database, empty_database
):
    full, empty = (_frame(open_source(one.url)) for one in (real_rows_database, empty_database))
    assert (len(full), len(empty)) == (130, 0)
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()


def _frame(source: Postgres) -> pd.DataFrame:
    requests = source.requests(DAY)
    return source.frame(sa.select(*requests.c).order_by(requests.c.request_id))


def test_a_role_without_the_prompts_reads_the_rest(open_source, database, role):
    made = database()
    names = made.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'LiteLLM_SpendLogs'"
    )
    prompts = {"messages", "response", "proxy_server_request"}
    granted = ", ".join(f'"{name}"' for (name,) in names if name not in prompts)
    schema = open_source(
        role(made, "no_prompts", [f'SELECT ({granted}) ON "LiteLLM_SpendLogs"'])
    ).schema
    assert (schema.unreadable, len(schema.columns)) == (prompts, 33)


def test_a_role_without_the_names_reads_the_requests(open_source, database, role):
    source = open_source(role(database(), "no_names", [ALL_LOGS]))
    assert started(source) == []
    assert {columns for _, columns in source.schema.other_tables} == {frozenset()}
