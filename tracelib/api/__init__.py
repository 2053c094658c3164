"""The questions of the pages, for programs: JSON over HTTP.

    routes     the paths, for `st.App(routes=…)`
    endpoints  the API as a table: path, what it takes, what it gives, the question
    document   that table in OpenAPI

`guarded` stands before each path, with `gate` (tokens), `reading` (limits) and `problems`.
"""

from tracelib.api.routes import routes

__all__ = ["routes"]
