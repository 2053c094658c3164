"""The queries of the pages for programs: JSON over HTTP.

    routes     the paths, for `st.App(routes=…)`
    openapi    the API as a table: path, parameters, response, function; and as OpenAPI

`guarded` wraps each path: authentication and rate limits. `problems` are the error responses.
"""

from tracelib.api.routes import routes

__all__ = ["routes"]
