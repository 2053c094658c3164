"""The SQL of DuckDB, where it differs from PostgreSQL's, and its values as those of psycopg2."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BindParameter, Select, WithinGroup
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGTypeCompiler
from sqlalchemy.exc import CompileError
from sqlalchemy.types import Double, Float, Integer, Numeric, TypeEngine

# Percentiles of the same values share one pass over them.
FRACTIONS = (0.5, 0.95, 0.99)


class DuckDBCompiler(PGCompiler):
    """Writes PostgreSQL's statements for DuckDB; only percentiles differ."""

    def visit_withingroup(self, withingroup: WithinGroup[Any], **options: Any) -> str:
        """`percentile_cont`, which is slower than DuckDB's own function for several at once."""
        (fraction,) = withingroup.element.clauses
        value = self.process(withingroup.order_by, **options)
        if isinstance(fraction, BindParameter) and fraction.value in FRACTIONS:
            place = FRACTIONS.index(fraction.value) + 1
            return f"quantile_cont({value}, {list(FRACTIONS)})[{place}]"
        return f"quantile_cont({value}, {self.process(fraction, **options)})"


class DuckDBTypes(PGTypeCompiler):
    """Writes types for DuckDB, which has a decimal of three places for NUMERIC alone."""

    def visit_NUMERIC(self, type_: Numeric[Any], **options: Any) -> str:  # noqa: N802
        """A decimal with its precision; one without is refused, as it would round money."""
        if type_.precision is None:
            raise CompileError("NUMERIC without a precision")
        return str(super().visit_NUMERIC(type_, **options))


class DuckDBDialect(PGDialect):
    """DuckDB, which speaks PostgreSQL's SQL; its parameters are numbered."""

    name = "duckdb"
    statement_compiler = DuckDBCompiler
    type_compiler_cls = DuckDBTypes
    supports_statement_cache = True

    def __init__(self) -> None:
        super().__init__(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


DIALECT = DuckDBDialect()


def compiled(statement: Select[Any]) -> tuple[str, list[Any]]:
    """The statement as text, and its values in order."""
    written = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    values = written.params
    return str(written), [values[name] for name in written.positiontup or ()]


def converted(statement: Select[Any], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows with the values that PostgreSQL's driver would return."""
    kinds = [_conversion(column.type) for column in statement.selected_columns]
    if not any(kinds):
        return list(rows)
    return [
        tuple(
            convert(value) if convert and value is not None else value
            for convert, value in zip(kinds, row, strict=True)
        )
        for row in rows
    ]


def _conversion(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    # Milliseconds are whole numbers in the files, and doubles in the relation.
    if isinstance(kind, Double | Float):
        return float
    return int if isinstance(kind, Integer) else None
