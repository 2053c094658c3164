-- The ledgers of the log as it is, made again each time: what a gateway that was killed once, an
-- ID that came twice, an error log that was off and the like leave in them. Days are counted from
-- the day on which the sample was made.
TRUNCATE "LiteLLM_DailyUserSpend", "LiteLLM_DailyTeamSpend", "LiteLLM_DailyTagSpend",
    "LiteLLM_DailyGatewayRequests", "LiteLLM_SpendLogDelivery", "LiteLLM_TagTable",
    "LiteLLM_BudgetWindowSpend";

CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT date_trunc('day', "anchor") AS day, max("created_at") AS newest, min("startTime") AS oldest
FROM sample.story, "LiteLLM_SpendLogs" GROUP BY 1;

-- The last requests are still to be added up, and LiteLLM has given up on a few of yesterday.
INSERT INTO "LiteLLM_SpendLogDelivery" ("delivery_id", "request_id", "created_at")
SELECT 'pending-' || "request_id", "request_id", "created_at" FROM "LiteLLM_SpendLogs", made
WHERE "startTime" > newest - interval '1 hour' AND "created_at" > newest - interval '40 seconds';
INSERT INTO "LiteLLM_SpendLogDelivery" ("delivery_id", "request_id", "state", "created_at")
SELECT 'parked-' || "request_id", "request_id", 'parked', "created_at"
FROM "LiteLLM_SpendLogs", made
WHERE "startTime" >= day - interval '1 day' AND "startTime" < day AND "spend" > 0
ORDER BY md5("request_id") LIMIT 4;

CREATE TEMP TABLE booked ON COMMIT DROP AS
SELECT to_char("startTime", 'YYYY-MM-DD') AS date, "user" AS own_user, "team_id" AS own_team,
    "request_tags" AS tags, "api_key", "model", coalesce("custom_llm_provider", '') AS provider,
    count(*) AS requests, count(*) FILTER (WHERE "status" = 'failure') AS failures,
    sum("spend") AS spend, sum("prompt_tokens") AS prompt, sum("completion_tokens") AS completion,
    min("startTime") + interval '20 seconds' AS first, max("endTime") + interval '20 seconds' AS last,
    bool_and("startTime" >= day - interval '62 hours'
        AND "startTime" < day - interval '60 hours') AS without_tags
FROM "LiteLLM_SpendLogs", made
WHERE NOT ("startTime" >= day - interval '34 hours'
        AND "startTime" < day - interval '33 hours 45 minutes')
    AND "request_id" NOT IN (SELECT "request_id" FROM "LiteLLM_SpendLogDelivery")
GROUP BY 1, 2, 3, 4, 5, 6, 7, ("startTime" >= day - interval '62 hours'
    AND "startTime" < day - interval '60 hours');

INSERT INTO "LiteLLM_DailyUserSpend" ("user_id", "date", "api_key", "model",
    "custom_llm_provider", "mcp_namespaced_tool_name", "endpoint", "api_requests",
    "failed_requests", "successful_requests", "spend", "prompt_tokens", "completion_tokens",
    "created_at", "updated_at")
SELECT coalesce(own_user, ''), date, "api_key", "model", provider, '', '', sum(requests),
    sum(failures), sum(requests - failures), sum(spend), sum(prompt), sum(completion), min(first),
    max(last)
FROM booked GROUP BY 1, 2, 3, 4, 5;
INSERT INTO "LiteLLM_DailyTeamSpend" ("team_id", "date", "api_key", "model",
    "custom_llm_provider", "mcp_namespaced_tool_name", "endpoint", "api_requests",
    "failed_requests", "successful_requests", "spend", "prompt_tokens", "completion_tokens",
    "created_at", "updated_at")
SELECT coalesce(own_team, ''), date, "api_key", "model", provider, '', '', sum(requests),
    sum(failures), sum(requests - failures), sum(spend), sum(prompt), sum(completion), min(first),
    max(last)
FROM booked GROUP BY 1, 2, 3, 4, 5;
INSERT INTO "LiteLLM_DailyTagSpend" ("tag", "date", "api_key", "model",
    "custom_llm_provider", "mcp_namespaced_tool_name", "endpoint", "api_requests",
    "failed_requests", "successful_requests", "spend", "prompt_tokens", "completion_tokens",
    "created_at", "updated_at")
SELECT tag, date, "api_key", "model", provider, '', '', sum(requests), sum(failures),
    sum(requests - failures), sum(spend), sum(prompt), sum(completion), min(first), max(last)
FROM booked, LATERAL (SELECT DISTINCT jsonb_array_elements_text(CASE jsonb_typeof(tags)
    WHEN 'array' THEN tags WHEN 'string' THEN (tags #>> '{}')::jsonb ELSE '[]' END) AS tag) each
WHERE NOT without_tags GROUP BY 1, 2, 3, 4, 5;

-- A vendor has sent an ID seven times, five days ago.
UPDATE "LiteLLM_DailyUserSpend" SET "api_requests" = "api_requests" + 6,
    "successful_requests" = "successful_requests" + 6,
    "spend" = "spend" + 6 * round(("spend" / "api_requests")::numeric, 6)
WHERE "id" = (SELECT "id" FROM "LiteLLM_DailyUserSpend", made
    WHERE "date" = to_char(day - interval '5 days', 'YYYY-MM-DD') AND "failed_requests" = 0
    ORDER BY "api_requests" DESC, "api_key", "model" LIMIT 1);
-- Some failures were not kept in the log, eight days ago.
UPDATE "LiteLLM_DailyUserSpend" SET "api_requests" = "api_requests" + 9,
    "failed_requests" = "failed_requests" + 9
WHERE "id" = (SELECT "id" FROM "LiteLLM_DailyUserSpend", made
    WHERE "date" = to_char(day - interval '8 days', 'YYYY-MM-DD')
        AND "model" NOT IN (SELECT "model" FROM "LiteLLM_SpendLogs" WHERE "request_id" = 'None')
    ORDER BY "failed_requests" DESC, "api_key", "model" LIMIT 1);
-- The cost of a request was corrected in the log, six days ago.
UPDATE "LiteLLM_DailyUserSpend" SET "spend" = round(("spend" * 0.8)::numeric, 6)
WHERE "id" = (SELECT "id" FROM "LiteLLM_DailyUserSpend", made
    WHERE "date" = to_char(day - interval '6 days', 'YYYY-MM-DD')
    ORDER BY "spend" DESC, "api_key", "model" LIMIT 1);
-- Requests were booked without their user, seven days ago.
UPDATE "LiteLLM_DailyUserSpend" SET "user_id" = ''
WHERE "id" = (SELECT "id" FROM "LiteLLM_DailyUserSpend", made
    WHERE "date" = to_char(day - interval '7 days', 'YYYY-MM-DD') AND "user_id" <> ''
    ORDER BY "spend" DESC LIMIT 1);
-- The log's first day is only partly in it, and the days before are not.
UPDATE "LiteLLM_DailyUserSpend" SET "api_requests" = "api_requests" * 2,
    "successful_requests" = "successful_requests" * 2, "failed_requests" = "failed_requests" * 2,
    "spend" = "spend" * 2, "prompt_tokens" = "prompt_tokens" * 2,
    "completion_tokens" = "completion_tokens" * 2, "created_at" = oldest - interval '1 minute'
FROM made WHERE "date" = to_char(oldest, 'YYYY-MM-DD');

INSERT INTO "LiteLLM_DailyGatewayRequests"
SELECT date, 'llm', '/chat/completions', sum(requests - failures),
    sum(failures) + round(sum(requests) * 0.01)
FROM booked GROUP BY date;

-- A team's budget and a key's begin again every 30 days; a key has a daily window.
UPDATE "LiteLLM_TeamTable" t SET "spend" = coalesce((SELECT sum("spend")
    FROM "LiteLLM_DailyTeamSpend" d WHERE d."team_id" = t."team_id"), 0);
UPDATE "LiteLLM_TeamTable" t SET "budget_duration" = '30d',
    "budget_reset_at" = day + interval '16 days',
    "spend" = coalesce((SELECT sum("spend") FROM "LiteLLM_DailyTeamSpend" d
        WHERE d."team_id" = t."team_id"
            AND d."date" >= to_char(day - interval '14 days', 'YYYY-MM-DD')), 0)
FROM made WHERE "team_id" = (SELECT min("team_id") FROM "LiteLLM_TeamTable");
UPDATE "LiteLLM_UserTable" u SET "spend" = coalesce((SELECT sum("spend")
    FROM "LiteLLM_DailyUserSpend" d WHERE d."user_id" = u."user_id"), 0);
UPDATE "LiteLLM_VerificationToken" k SET "total_spend" = booked.spend, "spend" = booked.spend
FROM (SELECT "api_key", sum("spend") AS spend FROM "LiteLLM_DailyUserSpend" GROUP BY 1) booked
WHERE booked."api_key" = k."token";
UPDATE "LiteLLM_VerificationToken" k SET "budget_duration" = '30d',
    "budget_reset_at" = day + interval '16 days',
    "spend" = coalesce((SELECT sum("spend") FROM "LiteLLM_DailyUserSpend" d
        WHERE d."api_key" = k."token"
            AND d."date" >= to_char(day - interval '14 days', 'YYYY-MM-DD')), 0)
FROM made WHERE "token" = (SELECT min("api_key") FROM "LiteLLM_DailyUserSpend"
    JOIN "LiteLLM_VerificationToken" ON "token" = "api_key");
INSERT INTO "LiteLLM_BudgetWindowSpend"
SELECT 'key', "api_key", '7d', day - interval '3 days', sum("spend")
FROM "LiteLLM_DailyUserSpend", made
WHERE "date" >= to_char(day - interval '3 days', 'YYYY-MM-DD')
    AND "api_key" = (SELECT max("api_key") FROM "LiteLLM_DailyUserSpend"
        JOIN "LiteLLM_VerificationToken" ON "token" = "api_key")
GROUP BY 1, 2, 3, 4;
-- Only some tags have a row of their own.
INSERT INTO "LiteLLM_TagTable" ("tag_name", "spend")
SELECT "tag", sum("spend") FROM "LiteLLM_DailyTagSpend"
WHERE "tag" NOT LIKE 'User-Agent:%' GROUP BY "tag" HAVING ascii(md5("tag")) % 3 > 0;
