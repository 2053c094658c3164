"""A page as somebody in particular opens it: signed in, or vouched for by a proxy."""

import json
import time
from typing import Any

from streamlit.testing.v1 import AppTest


def signed_in(email: str | None, **claims: Any) -> dict[str, Any]:
    """What Streamlit says of somebody who has just signed in; of nobody for None."""
    if email is None:
        return {"is_logged_in": False}
    return {"is_logged_in": True, "email": email, "iat": int(time.time())} | claims


def visit(path: str, user: dict[str, Any] | None, **query: Any) -> AppTest:
    """Open a page as this user of Streamlit's, in a browser of their own."""
    app = AppTest.from_file("../Home.py", default_timeout=120)
    if user is not None:
        app.user = user
    app.query_params.update({"refresh": "off"} | query)
    app.run()
    return app if path == "Home.py" else turned_to(app, path, **query)


def turned_to(app: AppTest, path: str, **query: Any) -> AppTest:
    """Go on to another page in the same tab."""
    app.query_params.clear()
    app.query_params.update({"refresh": "off"} | query)
    return app.switch_page(path).run()


def people(**roles: tuple[str, dict[str, Any]]) -> str:
    """TRACELIB_PEOPLE of these: a name each, with role and scope."""
    return json.dumps(
        [
            {"who": f"{name}@example.com", "role": role, "scope": scope}
            for name, (role, scope) in roles.items()
        ]
    )
