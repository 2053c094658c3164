"""Changes of the installation: a dearer model, another deployment, a new version of an agent."""

from datetime import datetime, timedelta
from typing import Any

import orjson

from tracelib.demo.cast import Deployment, cast, newcomer
from tracelib.demo.exchange import Outcome
from tracelib.demo.gateway import Scene
from tracelib.demo.rows import Row, moment

DAY_S = 86_400
DEARER, FACTOR = "gpt-4.1", 1.4
MOVED = "azure/gpt-4o-mini-weu"
ADDED = Deployment("azure/gpt-4o-mini-swe", "https://brightwater-swe.openai.azure.com")
OLD_CLIENT, NEW_CLIENT = "claude-cli/2.0.31", "claude-cli/2.1.0"


def dearer_from(scene: Scene) -> float:
    """When does a model become dearer? Seconds since 1970, as all of these."""
    return scene.elsewhere_from - DAY_S


def added_from(scene: Scene) -> float:
    """When does another deployment take half of the traffic of one?"""
    return scene.elsewhere_from - 4 * DAY_S + 9 * 3_600


def updated_from(scene: Scene) -> float:
    """When do people update their agent?"""
    return scene.elsewhere_from + DAY_S


def with_moves(outcome: Outcome, row: Row, scene: Scene) -> Row:
    """The row after these changes; before them unchanged."""
    at = outcome.ask.at
    if outcome.model.name == DEARER and at >= dearer_from(scene):
        row = {**row, **_dearer(row)}
    is_moved = int(outcome.call_id[0], 16) % 2 == 0
    if row["model"] == MOVED and at >= added_from(scene) and is_moved:
        row = {**row, **_deployed(row)}
    if outcome.ask.key.client == OLD_CLIENT and at >= updated_from(scene):
        row = {**row, **_updated(row)}
    return row


def _dearer(row: Row) -> Row:
    facts = orjson.loads(row["metadata"])
    listed = (facts["model_map_information"] or {}).get("model_map_value")
    for prices in filter(None, (facts["cost_breakdown"], listed)):
        for name in [one for one in prices if one.endswith(("_cost", "_per_token"))]:
            prices[name] = None if prices[name] is None else prices[name] * FACTOR
    return {"spend": row["spend"] * FACTOR, "metadata": orjson.dumps(facts).decode()}


def _deployed(row: Row) -> Row:
    metadata = row["metadata"].replace(MOVED, ADDED.model)
    metadata = metadata.replace(MOVED.partition("/")[2], ADDED.plain_model)
    base = ADDED.base if row["api_base"] else ""
    return {
        "model": ADDED.model,
        "model_id": ADDED.id if row["model_id"] else "",
        "api_base": base,
        "metadata": metadata,
    }


def _updated(row: Row) -> Row:
    names = ("metadata", "request_tags")
    return {name: row[name].replace(OLD_CLIENT, NEW_CLIENT) for name in names}


def record(cursor: Any, scene: Scene, now: datetime) -> None:
    """Write what LiteLLM would have recorded of these changes, and of some others."""
    models = [
        (newcomer().name, newcomer().name, scene.newcomer_from - 1_800),
        (ADDED.id, "gpt-4o-mini", added_from(scene) - 900),
    ]
    for model_id, name, at in models:
        cursor.execute(
            'INSERT INTO "LiteLLM_ProxyModelTable" VALUES (%s, %s, %s, %s)',
            (model_id, name, moment(at), moment(at)),
        )
    people = cast()
    changes = [
        ("rotated", "LiteLLM_VerificationToken", people.key("ci-doctor").token, 5.3),
        ("updated", "LiteLLM_TeamTable", people.teams[0].id, 2.4),
    ]
    for number, (action, table, object_id, days) in enumerate(changes):
        changed = moment((now - timedelta(days=days)).timestamp())
        cursor.execute(
            'INSERT INTO "LiteLLM_AuditLog" VALUES (%s, %s, %s, %s, %s, %s)',
            (f"change-{number}", changed, "default_user_id", action, table, object_id),
        )
    started, beat = now - timedelta(days=3, hours=2), now
    cursor.execute(
        'INSERT INTO "LiteLLM_ProxyWorkerHeartbeat" VALUES (%s, %s, %s, %s)',
        ("worker-1", "gateway-0", moment(started.timestamp()), moment(beat.timestamp())),
    )
