-- The tables that give names to ids, with the columns that do so.
CREATE TABLE "LiteLLM_OrganizationTable" (
    "organization_id" TEXT PRIMARY KEY,
    "organization_alias" TEXT NOT NULL
);
CREATE TABLE "LiteLLM_TeamTable" (
    "team_id" TEXT PRIMARY KEY,
    "team_alias" TEXT,
    "organization_id" TEXT,
    "max_budget" DOUBLE PRECISION,
    "models" TEXT[]
);
CREATE TABLE "LiteLLM_UserTable" (
    "user_id" TEXT PRIMARY KEY,
    "user_alias" TEXT,
    "organization_id" TEXT,
    "user_email" TEXT
);
CREATE TABLE "LiteLLM_VerificationToken" (
    "token" TEXT PRIMARY KEY,
    "key_name" TEXT,
    "key_alias" TEXT,
    "user_id" TEXT,
    "team_id" TEXT,
    "organization_id" TEXT,
    "agent_id" TEXT,
    "models" TEXT[],
    "max_budget" DOUBLE PRECISION,
    "budget_id" TEXT,
    "object_permission_id" TEXT,
    "spend" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "blocked" BOOLEAN,
    "created_at" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
    "expires" TIMESTAMP(3),
    "last_active" TIMESTAMP(3),
    "auto_rotate" BOOLEAN DEFAULT false,
    "key_rotation_at" TIMESTAMP(3)
);
CREATE TABLE "LiteLLM_BudgetTable" (
    "budget_id" TEXT PRIMARY KEY,
    "max_budget" DOUBLE PRECISION
);
CREATE TABLE "LiteLLM_ObjectPermissionTable" (
    "object_permission_id" TEXT PRIMARY KEY,
    "mcp_servers" TEXT[],
    "mcp_tool_permissions" JSONB
);
CREATE TABLE "LiteLLM_DeletedVerificationToken" (
    "id" TEXT PRIMARY KEY,
    "token" TEXT NOT NULL,
    "key_name" TEXT,
    "key_alias" TEXT,
    "user_id" TEXT,
    "team_id" TEXT,
    "organization_id" TEXT,
    "deleted_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "LiteLLM_EndUserTable" (
    "user_id" TEXT PRIMARY KEY,
    "alias" TEXT,
    "blocked" BOOLEAN NOT NULL DEFAULT false
);
