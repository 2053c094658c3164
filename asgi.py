"""The app for a server: pages and JSON API, security headers, no unused paths, an early start.

Run it by `streamlit run asgi.py`, or by any ASGI server: `uvicorn asgi:app --port 8501`.
"""

import pkgutil
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path

import streamlit as st
from google.protobuf.message import DecodeError
from starlette.middleware import Middleware
from starlette.requests import Request
from streamlit.proto.BackMsg_pb2 import BackMsg

import tracelib
from tracelib import api, errors, files, hosts, serving
from tracelib.connections import limits
from tracelib.permissions.people import Person
from tracelib.querying import notices
from tracelib.querying.installation import (
    Installation,
    begin_log,
    host_names,
    installation,
)


def html_served() -> list[Path]:
    """The HTML files that a browser may get."""
    return [Path(st.__file__).with_name("static") / "index.html"]


def prepare() -> None:
    """Begin the log, and import what pages will need, before the first viewer comes."""
    begin_log()
    for module in pkgutil.walk_packages(tracelib.__path__, "tracelib."):
        import_module(module.name)
    with suppress(errors.TraceError):  # a page shows it
        notices.begin()


def message_type(message: bytes) -> str | None:
    """The type of a browser's message to Streamlit. None if it is not one of Streamlit's."""
    try:
        parsed = BackMsg.FromString(message)
    except DecodeError:
        return None
    kind: str | None = parsed.WhichOneof("type")
    if kind == "backend_operation_request":
        kind = parsed.backend_operation_request.WhichOneof("payload")
    return kind


def identify(request: Request) -> tuple[bytes | None, Person, Installation]:
    """Who sends this request? Raises a TraceError; see `persons.of_request`."""
    # The modules of pages register their components with the server, so it must run already.
    from tracelib.page.base import persons

    return persons.of_request(request)


policy = serving.content_security_policy(html_served())
app = st.App(
    Path(__file__).with_name("Home.py"),
    lifespan=serving.prepared(prepare),
    routes=[*files.routes(identify), *api.routes(partial(installation, for_programs=True))],
    middleware=[
        Middleware(serving.with_security_headers, policy=policy),
        Middleware(hosts.only_allowed, read_names=host_names),
        Middleware(serving.only_what_is_used, type_of=message_type),
        Middleware(limits.limited, longest_message=serving.LONGEST),
    ],
)
