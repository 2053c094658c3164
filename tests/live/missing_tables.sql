-- What LiteLLM 1.110 reads and writes and the newest `litellm-proxy-extras` has no migration for.

ALTER TABLE "LiteLLM_ClaudeCodePluginTable"
  ADD COLUMN anonymous_download_count BIGINT NOT NULL DEFAULT 0;

CREATE TABLE "LiteLLM_ClaudeCodePluginVersion" (
  id TEXT PRIMARY KEY,
  plugin_id TEXT NOT NULL REFERENCES "LiteLLM_ClaudeCodePluginTable" (id) ON DELETE CASCADE,
  version TEXT,
  description TEXT,
  manifest_json TEXT,
  published_at TIMESTAMP(3),
  published_by TEXT,
  archive_available BOOLEAN NOT NULL DEFAULT false,
  content BYTEA,
  UNIQUE (plugin_id, version)
);

CREATE TABLE "LiteLLM_ClaudeCodePluginDownload" (
  id BIGSERIAL PRIMARY KEY,
  plugin_id TEXT NOT NULL REFERENCES "LiteLLM_ClaudeCodePluginTable" (id) ON DELETE CASCADE,
  downloaded_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  version TEXT,
  digest TEXT NOT NULL,
  authenticated BOOLEAN NOT NULL,
  user_id TEXT,
  user_email TEXT,
  key_alias TEXT,
  team_id TEXT,
  team_alias TEXT
);

CREATE TABLE "LiteLLM_ClaudeCodePluginUpload" (
  plugin_name TEXT PRIMARY KEY
    REFERENCES "LiteLLM_ClaudeCodePluginTable" (name) ON DELETE CASCADE,
  content BYTEA NOT NULL
);

CREATE TABLE "LiteLLM_SkillSubmission" (
  id TEXT PRIMARY KEY,
  plugin_name TEXT NOT NULL,
  operation TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending_review',
  proposal_json TEXT NOT NULL,
  archive_content BYTEA,
  submitted_by TEXT NOT NULL,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  base_plugin_id TEXT,
  base_updated_at TIMESTAMP(3),
  reviewed_by TEXT,
  reviewed_at TIMESTAMP(3),
  rejection_reason TEXT,
  scan_json TEXT
);

CREATE TYPE "AccountingDeliveryState" AS ENUM ('pending', 'applied', 'parked');

CREATE TABLE "LiteLLM_SpendLogDelivery" (
  delivery_id TEXT PRIMARY KEY,
  request_id TEXT NOT NULL,
  state "AccountingDeliveryState" NOT NULL DEFAULT 'pending',
  accounting_payload JSONB NOT NULL,
  is_batch BOOLEAN NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  applied_at TIMESTAMP(3),
  last_error TEXT,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE "LiteLLM_SubscriptionAccountTable" (
  subscription_account_id TEXT PRIMARY KEY,
  custom_llm_provider TEXT NOT NULL,
  account_id TEXT NOT NULL,
  label TEXT,
  monthly_fee DOUBLE PRECISION NOT NULL,
  currency TEXT NOT NULL,
  billing_period_start TEXT NOT NULL,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  created_by TEXT NOT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_by TEXT NOT NULL,
  UNIQUE (custom_llm_provider, account_id)
);
