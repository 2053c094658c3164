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
-- Names for IDs; nothing else of people and keys. Optional: without them, IDs are shown.
GRANT SELECT (token, key_alias, key_name) ON "LiteLLM_VerificationToken" TO tracelib_reader;
GRANT SELECT (user_id, user_alias, user_email) ON "LiteLLM_UserTable" TO tracelib_reader;
GRANT SELECT (team_id, team_alias) ON "LiteLLM_TeamTable" TO tracelib_reader;
SELECT 'GRANT SELECT (token, key_alias) ON "LiteLLM_DeletedVerificationToken" TO tracelib_reader'
  WHERE to_regclass('"LiteLLM_DeletedVerificationToken"') IS NOT NULL \gexec
