-- After reader.sql: the role reads all of the log except messages. Run it again after an upgrade
-- of LiteLLM that adds columns; Status lists those that are missing. To undo it, run
-- REVOKE ALL ON "LiteLLM_SpendLogs" FROM tracelib_reader, and then reader.sql.
--   psql "$OWNER_URL" -f deploy/without_bodies.sql
\set ON_ERROR_STOP on
BEGIN;
REVOKE SELECT ON "LiteLLM_SpendLogs" FROM tracelib_reader;
SELECT format('GRANT SELECT (%s) ON "LiteLLM_SpendLogs" TO tracelib_reader',
              string_agg(quote_ident(attname), ', ' ORDER BY attnum))
  FROM pg_attribute
  WHERE attrelid = '"LiteLLM_SpendLogs"'::regclass AND attnum > 0 AND NOT attisdropped
    AND attname NOT IN ('messages', 'response', 'proxy_server_request') \gexec
COMMIT;
