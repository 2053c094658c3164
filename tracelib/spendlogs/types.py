"""The types and times of the relation that PostgreSQL and a replica must agree on."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, case, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import BigInteger, DateTime, Double, Numeric, Text

# Without a precision PostgreSQL keeps every digit, and DuckDB three decimals.
MONEY: Numeric[Any] = Numeric(38, 15)
# NaN, infinity and more than this are no amounts; a hundred million of these still add up.
GREATEST_AMOUNT = 1e15


class Identity(Text):
    """A text that is the identity of a key already: `keys.key_identity` of it is itself."""


class Tags(Text):
    """The client's own tags as one text: each once, in order, with `BETWEEN` between them."""


class Counted(Double[float]):
    """Milliseconds in a database whose percentiles of groups are computed by counting."""


# A row from before LiteLLM, or from far ahead, has a wrong clock: it counts, at the edge.
BELIEVABLE = (datetime(2000, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 - stored without zone
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


class Later(FunctionElement[Any]):
    """A time so many milliseconds after another, both as they are stored."""

    type = DateTime()
    inherit_cache = True


@compiles(Later)
def _later(element: Later, compiler: SQLCompiler, **options: Any) -> str:
    start, ms = (compiler.process(one, **options) for one in element.clauses)
    return f"({start} + {ms} * INTERVAL '1 millisecond')"


@compiles(Later, "duckdb")
def _later_by_arithmetic(element: Later, compiler: SQLCompiler, **options: Any) -> str:
    start, ms = (compiler.process(one, **options) for one in element.clauses)
    return f"make_timestamp(epoch_us({start}) + {ms} * 1000)"


class RowHash(FunctionElement[int]):
    """A hash of these values together."""

    type = BigInteger()
    inherit_cache = True


@compiles(RowHash)
def _hash(element: RowHash, compiler: SQLCompiler, **options: Any) -> str:
    row = f"ROW({compiler.process(element.clauses, **options)})"
    version: tuple[int, ...] = getattr(compiler.dialect, "server_version_info", None) or (0,)
    # Of the values: that of their text, all that PostgreSQL 13 has, takes more than twice as long.
    values, texts = f"hash_record_extended({row}, 0)", f"hashtextextended(CAST({row} AS TEXT), 0)"
    return values if version >= (14,) else texts


class Weight(FunctionElement[int]):
    """A number from 0 to 2^32 - 1 that any database computes of a text: of the MD5 hash of it."""

    type = BigInteger()
    inherit_cache = True


@compiles(Weight)
def _weight(element: Weight, compiler: SQLCompiler, **options: Any) -> str:
    digits = f"substr(md5({compiler.process(element.clauses, **options)}), 1, 8)"
    return f"CAST(CAST('x' || {digits} AS bit(32)) AS BIGINT)"


@compiles(Weight, "duckdb")
def _weight_of_digits(element: Weight, compiler: SQLCompiler, **options: Any) -> str:
    digits = f"substr(md5({compiler.process(element.clauses, **options)}), 1, 8)"
    return f"CAST('0x' || {digits} AS BIGINT)"


class Elapsed(FunctionElement[Any]):
    """The milliseconds from one time to a later one, as a double."""

    type = Double()
    inherit_cache = True


@compiles(Elapsed)
def _elapsed(element: Elapsed, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(one, **options) for one in element.clauses)
    # A double, where `extract` returns a numeric: a fifth of the time of a query.
    return f"round(date_part('epoch', {end} - {start}) * 1000000) / 1000"


@compiles(Elapsed, "duckdb")
def _elapsed_by_arithmetic(element: Elapsed, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(one, **options) for one in element.clauses)
    return f"((epoch_us({end}) - epoch_us({start})) / 1000)"


def utc(stored_time: ColumnElement[Any]) -> ColumnElement[Any]:
    """The time as aware UTC, which Prisma stores without a zone."""
    return Aware(believable(stored_time))


def believable(stored_time: ColumnElement[Any]) -> ColumnElement[Any]:
    """The time within bounds: PostgreSQL has years and infinities that Python does not."""
    early, late = (literal(moment, DateTime()) for moment in BELIEVABLE)
    return case((stored_time < early, early), (stored_time > late, late), else_=stored_time)


def are_columns(requests: FromClause) -> bool:
    """Are the facts of these requests columns, as in a replica? Else they are in documents."""
    return "metadata" not in requests.c
