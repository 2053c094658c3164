-- The tables in which LiteLLM adds requests up, with the columns that a comparison reads.
CREATE TABLE "LiteLLM_DailyUserSpend" (
    "id" TEXT PRIMARY KEY DEFAULT gen_random_uuid(),
    "user_id" TEXT,
    "date" TEXT NOT NULL,
    "api_key" TEXT NOT NULL,
    "model" TEXT,
    "model_group" TEXT,
    "custom_llm_provider" TEXT,
    "mcp_namespaced_tool_name" TEXT,
    "endpoint" TEXT,
    "prompt_tokens" BIGINT NOT NULL DEFAULT 0,
    "completion_tokens" BIGINT NOT NULL DEFAULT 0,
    "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    "api_requests" BIGINT NOT NULL DEFAULT 0,
    "successful_requests" BIGINT NOT NULL DEFAULT 0,
    "failed_requests" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "LiteLLM_DailyTeamSpend" (LIKE "LiteLLM_DailyUserSpend" INCLUDING ALL);
ALTER TABLE "LiteLLM_DailyTeamSpend" RENAME COLUMN "user_id" TO "team_id";
CREATE TABLE "LiteLLM_DailyTagSpend" (LIKE "LiteLLM_DailyUserSpend" INCLUDING ALL);
ALTER TABLE "LiteLLM_DailyTagSpend" RENAME COLUMN "user_id" TO "tag";
CREATE TABLE "LiteLLM_DailyGatewayRequests" (
    "date" TEXT NOT NULL,
    "category" TEXT NOT NULL,
    "route" TEXT NOT NULL,
    "successful_requests" BIGINT NOT NULL DEFAULT 0,
    "failed_requests" BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY ("date", "category", "route")
);
CREATE TABLE "LiteLLM_SpendLogDelivery" (
    "delivery_id" TEXT PRIMARY KEY,
    "request_id" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "accounting_payload" JSONB NOT NULL DEFAULT '{}',
    "is_batch" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "LiteLLM_TagTable" (
    "tag_name" TEXT PRIMARY KEY,
    "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    "budget_id" TEXT
);
CREATE TABLE "LiteLLM_BudgetWindowSpend" (
    "entity_type" TEXT NOT NULL,
    "entity_id" TEXT NOT NULL,
    "window_duration" TEXT NOT NULL,
    "window_start" TIMESTAMP(3) NOT NULL,
    "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    PRIMARY KEY ("entity_type", "entity_id", "window_duration")
);
ALTER TABLE "LiteLLM_VerificationToken"
    ADD COLUMN IF NOT EXISTS "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    ADD COLUMN IF NOT EXISTS "total_spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    ADD COLUMN IF NOT EXISTS "budget_duration" TEXT,
    ADD COLUMN IF NOT EXISTS "budget_reset_at" TIMESTAMP(3);
ALTER TABLE "LiteLLM_TeamTable"
    ADD COLUMN IF NOT EXISTS "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    ADD COLUMN IF NOT EXISTS "budget_duration" TEXT,
    ADD COLUMN IF NOT EXISTS "budget_reset_at" TIMESTAMP(3);
ALTER TABLE "LiteLLM_UserTable" ADD COLUMN IF NOT EXISTS "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0;
