"""What the sample's keys may do, and until when: what a review of keys finds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tracelib.demo.cast import Key, newcomer

# Days before now, or after it if negative, and other columns of `LiteLLM_VerificationToken`.
USUAL: Mapping[str, Any] = {
    "created_at": 240,
    "expires": -180,
    "last_active": 0,
    "key_rotation_at": None,
    "auto_rotate": False,
    "blocked": None,
    "max_budget": 500.0,
}
UNUSUAL: Mapping[str, Mapping[str, Any]] = {
    "ada-cli": {"expires": None},
    "repo-gardener": {"expires": None, "max_budget": None},
    "bruno-cli": {"max_budget": None},
    "ci-doctor": {"auto_rotate": True, "key_rotation_at": 12},
    "legacy-importer": {"blocked": True, "last_active": 70},
    "hackathon": {"created_at": 160, "last_active": None},
    "shared-trial": {"last_active": 200, "expires": None, "user_id": None, "team_id": None},
}
# In addition to the models that a key uses.
MORE_MODELS: Mapping[str, tuple[str, ...]] = {"notebooks": ("claude-opus-4-5", "gpt-4.1")}
MOMENTS = ("created_at", "expires", "last_active", "key_rotation_at")


def limit(cursor: Any, key: Key, now: datetime) -> None:
    """Write what this key may do, and what it has spent by the log."""
    facts = {**USUAL, **UNUSUAL.get(key.alias, {})}
    for name in MOMENTS:
        facts[name] = None if facts[name] is None else _stored(now - timedelta(facts[name]))
    offered = (newcomer().name,) if key.newcomer_share else ()
    facts["models"] = [*key.models, *offered, *MORE_MODELS.get(key.alias, ())]
    assigned = ", ".join(f'"{name}" = %s' for name in facts)
    spent = '(SELECT coalesce(sum("spend"), 0) FROM "LiteLLM_SpendLogs" WHERE "api_key" = %s)'
    cursor.execute(
        f'UPDATE "LiteLLM_VerificationToken" SET {assigned}, "spend" = {spent} WHERE "token" = %s',  # noqa: S608 - names of ours
        (*facts.values(), key.token, key.token),
    )


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
