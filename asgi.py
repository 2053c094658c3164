"""The app for a server: the pages of Home.py and the JSON API, security headers, an early start.

Run it by `streamlit run asgi.py`, or by any ASGI server: `uvicorn asgi:app --port 8501`.
"""

import pkgutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

import tracelib
from tracelib import api, serving
from tracelib.asking.installation import installation


def html_served() -> list[Path]:
    """Which HTML is a browser given? The app's, and that of the component that refreshes it."""
    folders = {"streamlit": "static", "streamlit_autorefresh": "frontend/build"}
    found = {package: find_spec(package) for package in folders}
    return [
        Path(spec.origin).parent / folders[package] / "index.html"
        for package, spec in found.items()
        if spec and spec.origin
    ]


def import_all() -> None:
    """Import what pages will ask for, before anybody comes."""
    for module in pkgutil.walk_packages(tracelib.__path__, "tracelib."):
        import_module(module.name)


policy = serving.content_security_policy(html_served())
app = st.App(
    Path(__file__).with_name("Home.py"),
    lifespan=serving.prepared(import_all),
    routes=api.routes(installation),
    middleware=[Middleware(serving.with_security_headers, policy=policy)],
)
