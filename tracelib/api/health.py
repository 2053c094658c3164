"""Is the database available, and do requests arrive in its log?"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from tracelib import status
from tracelib.api import responses
from tracelib.permissions.access import FULL
from tracelib.permissions.tokens import Token
from tracelib.querying.installation import Installation
from tracelib.querying.query import Query
from tracelib.querying.runner import run_together
from tracelib.querying.store import Result
from tracelib.status import Freshness, ServerFacts
from tracelib.window import ticked

# Monitoring needs to know sooner than pages do; for any number of callers there is one query.
TICK_S = 10
# After this long, a caller gets the response that the database hangs.
PATIENCE_S = 4.0
# LiteLLM writes a row 2 to 30 seconds after its request has ended.
LATE_S = 120.0


def health(installed: Installation, token: Token | None) -> responses.Health:
    """Is all well? Never raises; what is not the caller's to know is left out.

    Down where the database does not answer; degraded where it does but its log cannot be read,
    rows come later than two minutes, or a clock is wrong.
    """
    server, fresh = _queried(replace(installed, access=FULL))
    state = _status(server, fresh)
    if token is None:
        return responses.Health(status=state)
    own = _queried(installed)[1].value if token.access.scope != FULL.scope else fresh.value
    return responses.Health(
        status=state,
        database=_database(server) if sees_whole(token) else None,
        newest_request_at=own.newest_started_at if own else None,
        ingest_lag_s=own.ingest_lag_s if own else None,
    )


def sees_whole(token: Token) -> bool:
    """May this token see figures of the whole installation? If it sees everyone's requests."""
    return token.access.scope.is_all or token.access.sees_installation


def _queried(installed: Installation) -> tuple[Result[ServerFacts], Result[Freshness]]:
    now = ticked(datetime.now(UTC), TICK_S)
    queries = [Query(status.server, ()), Query(status.freshness, (now,))]
    server, fresh = run_together(installed, now, queries, PATIENCE_S)
    return server, fresh


def _status(
    server: Result[ServerFacts], fresh: Result[Freshness]
) -> Literal["ok", "degraded", "down"]:
    if server.error or server.value is None:
        return "down"
    if fresh.error or fresh.value is None or fresh.value.ahead_of_clock:
        return "degraded"
    return "degraded" if (fresh.value.ingest_lag_s or 0) > LATE_S else "ok"


def _database(server: Result[ServerFacts]) -> responses.Database:
    facts = None if server.error else server.value
    return responses.Database(
        reachable=facts is not None,
        round_trip_ms=facts.round_trip_ms if facts else None,
        version=facts.version if facts else None,
        read_only=facts.is_read_only_role if facts else None,
    )
