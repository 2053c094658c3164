"""A directory of people that speaks OpenID Connect, as far as a sign-in asks of it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jwt

CLIENT = "tracelib"


@dataclass
class Directory:
    """Whoever comes to it is the person that `claims` describe; it sends them back to `app`."""

    address: str = ""
    app: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    key: jwk.RSAKey = field(default_factory=lambda: jwk.RSAKey.generate_key(2048, {"kid": "one"}))

    def secrets(self) -> str:
        """What the app's secrets.toml says of it."""
        said = {
            "redirect_uri": f"{self.app}/oauth2callback",
            "cookie_secret": "a long random text",
            "client_id": CLIENT,
            "client_secret": "secret",
            "server_metadata_url": f"{self.address}/.well-known/openid-configuration",
        }
        return "\n".join(["[auth]", *(f'{name} = "{value}"' for name, value in said.items())])

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def back(self, query: dict[str, list[str]]) -> str:
        """Where somebody is sent who has signed in."""
        self.nonce = query["nonce"][0]
        answer = urlencode({"code": "code", "state": query["state"][0]})
        return f"{self.app}/oauth2callback?{answer}"

    def token(self) -> dict[str, Any]:
        now = int(time.time())
        said = {"iss": self.address, "aud": CLIENT, "sub": "17", "iat": now, "exp": now + 3_600}
        claims = said | {"nonce": self.nonce} | self.claims
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        return {"access_token": "access", "token_type": "Bearer", "id_token": signed}

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False, use="sig", alg="RS256")]}


@contextmanager
def directory() -> Iterator[Directory]:
    """A directory on a free port of this machine."""
    known = Directory()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _asked(known))
    known.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()


def _asked(known: Directory) -> type[BaseHTTPRequestHandler]:
    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", known.back(parse_qs(url.query)))
                self.end_headers()
                return
            is_keys = url.path == "/keys"
            self._say(known.keys() if is_keys else known.configuration())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say(known.token())

        def _say(self, document: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *said: object) -> None:
            pass

    return Asked
