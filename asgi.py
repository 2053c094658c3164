"""The app for a server: the pages of Home.py, security headers, and a start that is done early.

Run it by `streamlit run asgi.py`, or by any ASGI server: `uvicorn asgi:app --port 8501`.
"""

import pkgutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config

import tracelib
from tracelib import serving


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
    """Import what pages will ask for, before anybody comes.

    Not sooner: a component that is imported before the server is made is not served.
    """
    for module in pkgutil.walk_packages(tracelib.__path__, "tracelib."):
        import_module(module.name)


# Files do not change under a server, and looking whether they did is what costs most.
if not config.is_manually_set("server.fileWatcherType"):
    config.set_option("server.fileWatcherType", "none")

policy = serving.content_security_policy(html_served())
app = st.App(
    Path(__file__).with_name("Home.py"),
    lifespan=serving.prepared(import_all),
    middleware=[Middleware(serving.with_security_headers, policy=policy)],
)
