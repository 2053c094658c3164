"""What LiteLLM's log table has in each version, and the consequence of what is missing."""

from dataclasses import dataclass, replace

from tracelib.permissions.access import EVERYONE, Access, Scope


@dataclass(frozen=True, slots=True)
class KnownColumn:
    """A column of SpendLogs: when LiteLLM added it, and what is lost without it."""

    name: str
    since: str
    without_it: str


@dataclass(frozen=True, slots=True)
class KnownIndex:
    """An index of SpendLogs by its columns, and what becomes slow without it."""

    columns: tuple[str, ...]
    since: str
    without_it: str


BASELINE = "2025-03-26"
KNOWN_COLUMNS = (
    KnownColumn("proxy_server_request", "2025-04-25", "Prompts cannot be shown."),
    KnownColumn("session_id", "2025-04-25", "Every request is its own session."),
    KnownColumn("status", "2025-05-08", "Failures are read from metadata, which is slower."),
    KnownColumn("mcp_namespaced_tool_name", "2025-07-07", "MCP tools are shown by model name."),
    KnownColumn("organization_id", "2025-11-22", "Organizations are unknown."),
    KnownColumn("agent_id", "2025-12-10", "Agents are unknown."),
    KnownColumn("request_duration_ms", "2026-02-24", "Response time is end minus start."),
    KnownColumn("created_at", "2026-08-18", "Ingest lag is unknown."),
    KnownColumn(
        "updated_at", "2026-08-18", "Rows that LiteLLM changed later cannot be identified."
    ),
    KnownColumn("litellm_call_id", "2026-08-31", "Requests cannot be found by call ID."),
    KnownColumn("billing_agent_id", "2026-09-21", "The billed agent is unknown."),
)
KNOWN_INDEXES = (
    KnownIndex(("startTime",), BASELINE, "Every page reads the whole table."),
    KnownIndex(("session_id",), "2025-05-10", "Opening a session reads the whole table."),
    KnownIndex(("startTime", "request_id"), "2026-02-28", "Paging through long lists is slower."),
    KnownIndex(("api_key", "startTime"), "2026-08-23", "A key filter reads the whole time range."),
    KnownIndex(("litellm_call_id",), "2026-08-31", "Search by call ID reads the whole time range."),
)
# The bodies; a column of SpendLogs each.
BODY_COLUMNS = frozenset({"proxy_server_request", "response", "messages"})
# Dimension -> tables with the names of its IDs: each a table, its ID column, and its name columns
# in order of preference. If one is missing or unreadable, the ID is shown.
NAMED_BY = {
    "key": (
        ("LiteLLM_VerificationToken", "token", ("key_alias", "key_name")),
        ("LiteLLM_DeletedVerificationToken", "token", ("key_alias",)),
    ),
    "user": (("LiteLLM_UserTable", "user_id", ("user_alias", "user_email")),),
    "team": (("LiteLLM_TeamTable", "team_id", ("team_alias",)),),
}
NAME_TABLES = tuple(name for tables in NAMED_BY.values() for name, *_ in tables)
# Tables in which LiteLLM books what it also logs: by day, as running totals, and what is due.
LEDGER_TABLES = (
    "LiteLLM_DailyUserSpend",
    "LiteLLM_DailyTeamSpend",
    "LiteLLM_DailyTagSpend",
    "LiteLLM_DailyGatewayRequests",
    "LiteLLM_SpendLogDelivery",
    "LiteLLM_BudgetTable",
    "LiteLLM_BudgetWindowSpend",
    "LiteLLM_TagTable",
)
# Tables of what keys and teams may use.
GRANT_TABLES = (
    "LiteLLM_ObjectPermissionTable",
    "LiteLLM_SpendLogToolIndex",
    "LiteLLM_ToolTable",
    "LiteLLM_MCPServerTable",
    "LiteLLM_DeprecatedVerificationToken",
)
# Tables in which LiteLLM records what was changed, and when its workers started.
CHANGE_TABLES = (
    "LiteLLM_AuditLog",
    "LiteLLM_ProxyModelTable",
    "LiteLLM_ProxyWorkerHeartbeat",
)
# Health checks of the proxy itself.
HEALTH_TABLES = ("LiteLLM_HealthCheckTable",)
# Tables of others who have budgets, and of agents' names.
OWNER_TABLES = (
    "LiteLLM_TeamMembership",
    "LiteLLM_EndUserTable",
    "LiteLLM_OrganizationTable",
    "LiteLLM_AgentsTable",
)
OTHER_TABLES = (
    *NAME_TABLES,
    *LEDGER_TABLES,
    *GRANT_TABLES,
    *CHANGE_TABLES,
    *HEALTH_TABLES,
    *OWNER_TABLES,
)


@dataclass(frozen=True, slots=True)
class Schema:
    """What this database has, as far as the role and the viewer may read it.

    `columns` are SpendLogs' readable columns, `unreadable` those that exist but are not granted;
    `other_tables` maps each other table that exists to its readable columns. The columns in
    `searchable` have a trigram index that finds any part of their text. Only the rows of `scope`
    are included.
    """

    table: str
    name: str | None = None
    columns: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    other_tables: tuple[tuple[str, frozenset[str]], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    searchable: frozenset[str] = frozenset()
    is_partitioned: bool = False
    scope: Scope = EVERYONE

    def seen_by(self, access: Access) -> "Schema":
        """The schema for this access: without the bodies for those who may not read them."""
        withheld = frozenset() if access.reads_messages else self.columns & BODY_COLUMNS
        return replace(
            self,
            columns=self.columns - withheld,
            unreadable=self.unreadable | withheld,
            scope=access.scope,
        )

    def has(self, column: str) -> bool:
        """May this column be read here?"""
        return column in self.columns

    def is_indexed(self, column: str) -> bool:
        """Can rows be found by this column without reading them all?"""
        return any(index[:1] == (column,) for index in self.indexes)

    def exists(self, table: str) -> bool:
        """Does this version of LiteLLM have this other table, readable or not?"""
        return table in dict(self.other_tables)

    def reads(self, table: str, *columns: str) -> bool:
        """May these columns of another table be read here?"""
        readable = dict(self.other_tables).get(table, frozenset())
        return bool(readable) and set(columns) <= readable

    def missing_columns(self) -> tuple[KnownColumn, ...]:
        """Which columns of current LiteLLM does this database lack or withhold?"""
        return tuple(column for column in KNOWN_COLUMNS if column.name not in self.columns)

    def missing_indexes(self) -> tuple[KnownIndex, ...]:
        """Which useful indexes are missing? One that starts with the same columns is enough."""
        return tuple(
            known
            for known in KNOWN_INDEXES
            if not any(have[: len(known.columns)] == known.columns for have in self.indexes)
        )
