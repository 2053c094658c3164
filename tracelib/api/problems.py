"""Error responses as RFC 9457 problem details: a sentence to act on, and no internals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from tracelib import errors

MEDIA_TYPE = "application/problem+json"
MOST_COMPLAINTS = 20


class Complaint(BaseModel):
    """An error in one part of a request."""

    where: str = Field(
        description="The parameter or the field of the body; empty for the whole request."
    )
    what: str


class SessionOfKey(BaseModel):
    """One of several sessions that share an ID."""

    key: str = Field(description="The value to send as `key`; empty for requests without a key.")
    api_key_alias: str | None
    requests: int


class ProblemDocument(BaseModel):
    """Problem details, as in RFC 9457."""

    model_config = ConfigDict(title="Problem")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    complaints: list[Complaint] | None = Field(default=None, description="With status 422.")
    sessions: list[SessionOfKey] | None = Field(default=None, description="With status 409.")


@dataclass
class Problem(Exception):
    """An error response, raised in place of a result."""

    status: HTTPStatus
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    complaints: Sequence[Complaint] | None = None
    sessions: Sequence[SessionOfKey] | None = None

    def response(self, headers: Mapping[str, str]) -> Response:
        """The HTTP response, with these headers too."""
        more = {"complaints": self.complaints, "sessions": self.sessions}
        problem = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status,
            "detail": self.detail,
        }
        document = ProblemDocument.model_validate(
            problem | {name: list(some) for name, some in more.items() if some is not None}
        )
        body = document.model_dump_json(exclude_unset=True)
        return Response(body, self.status, {**headers, **self.headers}, MEDIA_TYPE)


def refused(detail: str, complaints: Sequence[Complaint] | None = None) -> Problem:
    """The response to a request that is not valid."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, complaints=complaints)


def forbidden(detail: str) -> Problem:
    """The response to a valid request that the caller may not make."""
    return Problem(HTTPStatus.FORBIDDEN, detail)


def unreadable(error: ValidationError) -> Problem:
    """Which parts of a request are not valid, and why? None of its values is sent back."""
    complaints = [
        Complaint(where=".".join(map(str, one["loc"])), what=_words(one))
        for one in error.errors(include_url=False, include_input=False)[:MOST_COMPLAINTS]
    ]
    return refused("The request is not valid; see complaints.", complaints)


def of_error(error: errors.TraceError) -> Problem:
    """What does one of our own errors say to a program?

    Not the server's message, which may name its address.
    """
    if isinstance(error, errors.NoSuchSession):
        return Problem(HTTPStatus.NOT_FOUND, f"{error.sentence} {error.remedy}")
    if isinstance(error, errors.NotForThisRole):
        return forbidden(f"{error.sentence} {error.remedy}")
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.sentence} {error.remedy}")


def _words(one: Mapping[str, Any]) -> str:
    if one["type"] == "extra_forbidden":
        return "Unknown parameter."
    return str(one["msg"]).removeprefix("Value error, ")
