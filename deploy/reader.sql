-- A read-only role for the dashboard with the minimum of privileges. Run it as the owner of
-- LiteLLM's tables once they exist; it can be repeated at any time:
--   psql "$OWNER_URL" -v password='choose one' -f deploy/reader.sql
\set ON_ERROR_STOP on
\if :{?password} \else
DO $$ BEGIN RAISE 'Choose a password for the role: -v password=…'; END $$;
\endif
SELECT 'CREATE ROLE tracelib_reader'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tracelib_reader') \gexec
ALTER ROLE tracelib_reader LOGIN PASSWORD :'password' CONNECTION LIMIT 8;
ALTER ROLE tracelib_reader SET default_transaction_read_only = on;
ALTER ROLE tracelib_reader SET statement_timeout = '15s';
GRANT USAGE ON SCHEMA public TO tracelib_reader;
-- After without_bodies.sql, messages stay withheld.
SELECT 'GRANT SELECT ON "LiteLLM_SpendLogs" TO tracelib_reader'
  WHERE NOT EXISTS (
    SELECT FROM pg_attribute, aclexplode(attacl) AS granted
    WHERE attrelid = '"LiteLLM_SpendLogs"'::regclass
      AND granted.grantee = 'tracelib_reader'::regrole
  ) \gexec
\set daily 'date api_key model custom_llm_provider mcp_namespaced_tool_name spend api_requests failed_requests prompt_tokens completion_tokens created_at updated_at'
-- Names for IDs, what keys and teams may do, when something was changed, and LiteLLM's own totals,
-- which Status compares with the log; nothing else of people and keys, no message and no secret. Each column is granted if
-- this version of LiteLLM has it. Optional: what is not granted is reported as unknown.
SELECT format('GRANT SELECT (%s) ON %I TO tracelib_reader',
              string_agg(quote_ident(attname), ', ' ORDER BY attnum), wanted.name)
  FROM (VALUES
    ('LiteLLM_VerificationToken', 'token key_alias key_name user_id team_id budget_id '
      'object_permission_id models created_at expires blocked last_active max_budget budget_limits '
      'model_max_budget budget_duration budget_reset_at spend total_spend auto_rotate '
      'key_rotation_at last_rotation_at'),
    ('LiteLLM_DeletedVerificationToken', 'token key_alias'),
    ('LiteLLM_DeprecatedVerificationToken', 'token'),
    ('LiteLLM_UserTable',
      'user_id user_alias user_email spend max_budget budget_duration budget_reset_at'),
    ('LiteLLM_TeamTable',
      'team_id team_alias max_budget soft_budget budget_limits models spend budget_duration '
      'budget_reset_at'),
    ('LiteLLM_TeamMembership', 'user_id team_id spend budget_id'),
    ('LiteLLM_EndUserTable', 'user_id alias spend budget_id'),
    ('LiteLLM_OrganizationTable', 'organization_id organization_alias spend budget_id'),
    ('LiteLLM_AgentsTable', 'agent_id agent_name'),
    ('LiteLLM_TagTable', 'tag_name spend budget_id'),
    ('LiteLLM_BudgetTable', 'budget_id max_budget soft_budget budget_duration budget_reset_at '
      'temp_budget_increase temp_budget_expiry'),
    ('LiteLLM_BudgetWindowSpend', 'entity_type entity_id window_duration window_start spend'),
    ('LiteLLM_ObjectPermissionTable', 'object_permission_id mcp_servers mcp_tool_permissions'),
    ('LiteLLM_MCPServerTable', 'server_id server_name alias'),
    ('LiteLLM_SpendLogToolIndex', 'request_id tool_name start_time'),
    ('LiteLLM_HealthCheckTable', 'model_name model_id status checked_at'),
    ('LiteLLM_ToolTable', 'tool_name last_used_at'),
    ('LiteLLM_AuditLog', 'updated_at action table_name object_id'),
    ('LiteLLM_ProxyModelTable', 'model_name created_at updated_at'),
    ('LiteLLM_ProxyWorkerHeartbeat', 'started_at'),
    ('LiteLLM_DailyGatewayRequests', 'date successful_requests failed_requests'),
    ('LiteLLM_SpendLogDelivery', 'request_id state is_batch created_at accounting_payload'),
    ('LiteLLM_DailyUserSpend', 'user_id ' || :'daily'),
    ('LiteLLM_DailyTeamSpend', 'team_id ' || :'daily'),
    ('LiteLLM_DailyTagSpend', 'tag ' || :'daily')
  ) AS wanted (name, columns)
  JOIN pg_attribute ON attrelid = to_regclass(quote_ident(wanted.name))
    AND attname = ANY (string_to_array(wanted.columns, ' ')) AND NOT attisdropped
  GROUP BY wanted.name ORDER BY wanted.name \gexec
