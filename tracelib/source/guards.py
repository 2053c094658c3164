"""The settings of each transaction, so that it cannot harm LiteLLM's database."""

from typing import Any

from sqlalchemy import Dialect, Select, case, func, select

# So soon the server notices that a client is gone, and stops its statement.
CLIENT_CHECK = "250ms"
# LiteLLM gives up an index build after waiting 200 ms ten times: never wait for locks long.
LOCK_TIMEOUT_MS = 1_000
# How values are written and read: a role or a database may have other settings.
WRITTEN = {"TimeZone": "UTC", "IntervalStyle": "postgres", "extra_float_digits": "1"}
IDLE_TIMEOUT_MS = 30_000
# The server's default of 4 MB spills the sort of a percentile over 100,000 rows to disk.
WORK_MEM = "64MB"


def guards(timeout_s: float, dialect: Dialect) -> Select[Any]:
    """Settings of this transaction only; `True` is PostgreSQL's is_local."""
    settings: dict[str, Any] = {
        "statement_timeout": str(round(timeout_s * 1_000)),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
        "work_mem": WORK_MEM,
        "jit": "off",
    } | WRITTEN
    if (dialect.server_version_info or (0,)) >= (14,):
        # The server stops a statement whose client is gone; it can notice that on Linux.
        is_linux = func.version().like("%linux%")
        settings["client_connection_check_interval"] = case((is_linux, CLIENT_CHECK), else_="0")
    return select(*(func.set_config(name, value, True) for name, value in settings.items()))
