-- The columns and tables of budgets, as far as they are read.
ALTER TABLE "LiteLLM_VerificationToken" ADD COLUMN IF NOT EXISTS "metadata" JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS "budget_limits" JSONB;
ALTER TABLE "LiteLLM_TeamTable" ADD COLUMN IF NOT EXISTS "soft_budget" DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS "budget_limits" JSONB;
ALTER TABLE "LiteLLM_UserTable" ADD COLUMN IF NOT EXISTS "max_budget" DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS "budget_duration" TEXT,
    ADD COLUMN IF NOT EXISTS "budget_reset_at" TIMESTAMP(3);
ALTER TABLE "LiteLLM_OrganizationTable"
    ADD COLUMN IF NOT EXISTS "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    ADD COLUMN IF NOT EXISTS "budget_id" TEXT;
ALTER TABLE "LiteLLM_EndUserTable"
    ADD COLUMN IF NOT EXISTS "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    ADD COLUMN IF NOT EXISTS "budget_id" TEXT;
ALTER TABLE "LiteLLM_BudgetTable" ADD COLUMN IF NOT EXISTS "soft_budget" DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS "budget_duration" TEXT,
    ADD COLUMN IF NOT EXISTS "budget_reset_at" TIMESTAMP(3),
    ADD COLUMN IF NOT EXISTS "temp_budget_increase" DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS "temp_budget_expiry" TIMESTAMP(3);
CREATE TABLE "LiteLLM_TeamMembership" (
    "user_id" TEXT NOT NULL,
    "team_id" TEXT NOT NULL,
    "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
    "budget_id" TEXT,
    PRIMARY KEY ("user_id", "team_id")
);
CREATE TABLE "LiteLLM_AgentsTable" (
    "agent_id" TEXT PRIMARY KEY,
    "agent_name" TEXT NOT NULL
);
