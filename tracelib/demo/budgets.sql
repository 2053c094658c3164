-- Budgets of the log as it is, made again each time, after the ledgers: one that runs out in two
-- to three days, a soft limit that is passed, an increase that ends, one that is used up.
TRUNCATE "LiteLLM_BudgetTable", "LiteLLM_TeamMembership";

CREATE TEMP TABLE at ON COMMIT DROP AS
SELECT date_trunc('day', max("created_at")) AS day, max("created_at") AS newest
FROM "LiteLLM_SpendLogs";
-- What a day of the last week has cost each key on average.
CREATE TEMP TABLE pace ON COMMIT DROP AS
SELECT "api_key" AS key, sum("spend") / 7 AS usd FROM "LiteLLM_SpendLogs", at
WHERE "startTime" > newest - interval '7 days' GROUP BY 1;

UPDATE "LiteLLM_VerificationToken" k SET "budget_duration" = '30d',
    "budget_reset_at" = day + interval '16 days',
    "max_budget" = round((k."spend" + 2.4 * pace.usd)::numeric, 2)
FROM at, pace WHERE pace.key = k."token" AND k."key_alias" = 'ci-doctor';
UPDATE "LiteLLM_VerificationToken" k SET "budget_duration" = '30d',
    "budget_reset_at" = day + interval '20 days',
    "max_budget" = round((k."spend" + 0.5 * pace.usd)::numeric, 2),
    "metadata" = jsonb_build_object(
        'temp_budget_increase', round((30 * pace.usd)::numeric, 2),
        'temp_budget_expiry', to_char(day + interval '4 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
FROM at, pace WHERE pace.key = k."token" AND k."key_alias" = 'prompt-evals';
UPDATE "LiteLLM_TeamTable" SET "max_budget" = round(("spend" * 1.8)::numeric),
    "soft_budget" = round(("spend" * 0.9)::numeric), "budget_duration" = '30d',
    "budget_reset_at" = day + interval '5 days'
FROM at WHERE "team_alias" = 'Customer Support';

INSERT INTO "LiteLLM_BudgetTable" ("budget_id", "max_budget", "soft_budget", "budget_duration",
    "budget_reset_at")
SELECT name, usd, soft, '30d', date_trunc('month', day) + interval '1 month'
FROM at, (VALUES ('members', 400.0, NULL), ('customers', 0.5, NULL), ('company', 50000.0, 20000.0))
    AS wanted (name, usd, soft);
INSERT INTO "LiteLLM_TeamMembership" ("user_id", "team_id", "spend", "budget_id")
SELECT "user", "team_id", sum("spend"), 'members' FROM "LiteLLM_SpendLogs", at
WHERE "startTime" >= date_trunc('month', day) AND "user" IN (SELECT "user_id" FROM "LiteLLM_UserTable")
    AND "team_id" IN (SELECT "team_id" FROM "LiteLLM_TeamTable") GROUP BY 1, 2;
UPDATE "LiteLLM_OrganizationTable" SET "budget_id" = 'company', "spend" = coalesce((
    SELECT sum("spend") FROM "LiteLLM_SpendLogs", at WHERE "startTime" >= date_trunc('month', day)), 0);
-- Of the customers the one with the highest cost has used up what it may spend.
UPDATE "LiteLLM_EndUserTable" e SET "budget_id" = 'customers', "spend" = 0.5 FROM (
    SELECT "end_user" AS id FROM "LiteLLM_SpendLogs", at WHERE "end_user" LIKE 'customer-%'
    AND "startTime" > newest - interval '7 days' GROUP BY 1 ORDER BY sum("spend") DESC, 1 LIMIT 1
) costliest WHERE e."user_id" = costliest.id;
INSERT INTO "LiteLLM_AgentsTable" SELECT DISTINCT "agent_id", initcap(replace("agent_id", '-', ' '))
FROM "LiteLLM_SpendLogs" WHERE "agent_id" <> '' ON CONFLICT DO NOTHING;
