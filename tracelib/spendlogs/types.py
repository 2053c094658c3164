"""The types of the relation that PostgreSQL and a replica must agree on."""

from typing import Any

from sqlalchemy import FromClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import DateTime, Numeric, Text

# Without a precision PostgreSQL keeps every digit, and DuckDB three decimals.
MONEY: Numeric[Any] = Numeric(38, 15)
# NaN, infinity and more than this are no amounts; a hundred million of these still add up.
GREATEST_AMOUNT = 1e15


class Identity(Text):
    """A text that is the identity of a key already: `keys.key_identity` of it is itself."""


class Tags(Text):
    """The client's own tags as one text: each once, in order, with `BETWEEN` between them."""


# No tag contains it.
BETWEEN = "\x1f"


class Aware(FunctionElement[Any]):
    """A time that is stored without a zone, in UTC, as an aware one."""

    type = DateTime(timezone=True)
    inherit_cache = True


@compiles(Aware)
def _by_zone(element: Aware, compiler: SQLCompiler, **options: Any) -> str:
    return f"timezone('UTC', {compiler.process(element.clauses, **options)})"


@compiles(Aware, "duckdb")
def _by_arithmetic(element: Aware, compiler: SQLCompiler, **options: Any) -> str:
    # The same number with another type; its `timezone` computes with a calendar, for each row.
    return f"make_timestamptz(epoch_us({compiler.process(element.clauses, **options)}))"


def are_columns(requests: FromClause) -> bool:
    """Are the facts of these requests columns, as in a replica? Else they are in documents."""
    return "metadata" not in requests.c
