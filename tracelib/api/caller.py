"""The caller of the API, with the installation and the time; parsing of query and body."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, get_origin
from urllib.parse import parse_qs

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from tracelib import audit, errors, serving
from tracelib.api.params import Params
from tracelib.api.problems import Complaint, Problem, refused, unreadable
from tracelib.permissions.tokens import Token
from tracelib.querying.installation import Installation, silent_s
from tracelib.querying.query import Query
from tracelib.querying.runner import run_alone, run_together
from tracelib.querying.workers import Who
from tracelib.settings import TICKS
from tracelib.window import ticked

# How long a query may wait for its turn, before its own time limit.
QUEUED_S = 10.0
# A server that has not responded for this long hangs.
SILENT_S = 4.0


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated program. `installed` is as its token sees it, `now` as on the pages."""

    installed: Installation
    token: Token
    now: datetime

    def query(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run one query. Raises a TraceError."""
        return self.query_together((function, *arguments))[0]

    def query_together(self, *queries: tuple[Any, ...]) -> list[Any]:
        """Run these (function, argument…) tuples in parallel.

        Programs do not get the stored results that a page still shows while the database is down:
        they could not tell them from current ones. Raises a TraceError.
        """
        submitted = [Query(function, tuple(arguments)) for function, *arguments in queries]
        patience_s = QUEUED_S + self.installed.settings.statement_timeout_s
        results = run_together(
            self.installed,
            self.now,
            submitted,
            patience_s,
            lambda _: self._check(),
            who=Who(self.token.name, is_program=True),
        )
        for result in results:
            if result.error:
                raise result.error
        return [result.value for result in results]

    def query_alone(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a query whose result is for this caller alone, such as a file; it is not stored.

        Raises a TraceError.
        """
        who = Who(self.token.name, is_program=True)
        return run_alone(self.installed, Query(function, arguments), who)

    def _check(self) -> None:
        """Raises DatabaseHangs or AppStopping as soon as that is known: a program can try again."""
        if serving.STOPPING.is_set():
            raise errors.AppStopping()
        if silent_s(self.installed) > SILENT_S:
            raise errors.DatabaseHangs()

    def note(self, what: audit.What, **of: Any) -> None:
        """Record in the audit log what is about to be read.

        Raises AuditFailed: then it must not be read.
        """
        role = self.token.access.role
        done = audit.Record(who=self.token.name, role=role, what=what, origin="api", **of)
        audit.record(self.installed.settings, done)


def tick(installed: Installation) -> datetime:
    """The moment that programs and the pages' viewers share as "now"."""
    every_s = TICKS[installed.settings.refresh] or TICKS["30s"]
    return ticked(datetime.now(UTC), every_s)


MOST_BYTES = 64_000
MOST_PARAMETERS = 400
JSON = "application/json"


async def body_of(request: Request) -> bytes:
    """The body of the request. Raises a Problem as soon as it is too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > MOST_BYTES:
        raise _too_large()
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                raise _too_large()
    except ClientDisconnect:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "The client disconnected before the whole body was sent."
        ) from None
    return body


def from_body(takes: type[Params], content_type: str, body: bytes) -> Params:
    """The parameters in this body. Raises a Problem."""
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body as {JSON}.")
    _refuse_twice(body)
    try:
        return takes.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise unreadable(error) from None


def _refuse_twice(body: bytes) -> None:
    """Raise a Problem if a name occurs twice; invalid JSON is rejected elsewhere."""
    try:
        json.loads(body, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    several = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    if several:
        raise _given_twice(several)
    return dict(pairs)


def _given_twice(names: list[str]) -> Problem:
    complaints = [Complaint(where=name[:40], what="Given more than once.") for name in names[:20]]
    return refused("The request is not valid; see complaints.", complaints)


def from_query(takes: type[Params], query: bytes) -> Params:
    """The parameters in this query string. Raises a Problem."""
    try:
        given = parse_qs(
            query.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        raise refused(f"Too many parameters: at most {MOST_PARAMETERS}.") from None
    several = {
        name for name, field in takes.model_fields.items() if get_origin(field.annotation) is tuple
    }
    if twice := [name for name, field in given.items() if len(field) > 1 and name not in several]:
        raise _given_twice(twice)
    try:
        return takes.model_validate(
            {name: tuple(field) if name in several else field[0] for name, field in given.items()}
        )
    except ValidationError as error:
        raise unreadable(error) from None


def _too_large() -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is too large: at most {MOST_BYTES:,} bytes."
    )
