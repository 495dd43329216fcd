"""A token endpoint as an identity provider has one, on loopback, with tokens signed by openssl."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
from base64 import b64decode, urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

LIFETIME_SECONDS = 300


class IdentityProvider:
    """Hands out tokens for a client's id and secret; the broker reads its public ``keys``.

    Attributes
    ----------
    url : str
        The token endpoint.
    keys : Path
        The public keys (JWKS), in a file.
    asked : list of dict
        The forms that were posted, in order.
    """

    issuer = "https://identity.test"

    def __init__(self, folder: Path, client_id: str, client_secret: str) -> None:
        self.asked: list[dict[str, str]] = []
        self.lifetime_seconds = LIFETIME_SECONDS
        self._client = (client_id, client_secret)
        self._key = folder / "provider.key"
        self.keys = folder / "keys.json"
        _openssl("genrsa", "-out", str(self._key), "2048")
        modulus = _openssl("rsa", "-in", str(self._key), "-noout", "-modulus").decode()
        number = bytes.fromhex(modulus.strip().removeprefix("Modulus="))
        key = {"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": _text(number),
               "e": _text((65537).to_bytes(3, "big"))}  # fmt: skip
        self.keys.write_text(json.dumps({"keys": [key]}), "utf-8")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, name="identity", daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def token(self, subject: str, *, key: Path | None = None, seconds: float | None = None) -> str:
        """Return a signed token; with another key it is a forgery."""
        now = time.time()
        lifetime = self.lifetime_seconds if seconds is None else seconds
        claims = {"sub": subject, "aud": "kafka", "iss": self.issuer, "iat": int(now) - 60,
                  "exp": int(now + lifetime)}  # fmt: skip
        head = _json({"alg": "RS256", "typ": "JWT", "kid": "1"})
        unsigned = f"{head}.{_json(claims)}"
        signature = _openssl("dgst", "-sha256", "-sign", str(key or self._key), given=unsigned)
        return f"{unsigned}.{_text(signature)}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                form = dict(urllib.parse.parse_qsl(self.rfile.read(size).decode()))
                provider.asked.append(form)
                kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
                name, _, secret = b64decode(encoded).decode().partition(":")
                shown = (urllib.parse.unquote(name), urllib.parse.unquote(secret))
                if kind != "Basic" or shown != provider._client:
                    self._answer(401, {"error": "invalid_client"})
                elif form.get("grant_type") != "client_credentials":
                    self._answer(400, {"error": "unsupported_grant_type"})
                else:
                    token = provider.token(name)
                    lasts = provider.lifetime_seconds
                    self._answer(200, {"access_token": token, "expires_in": lasts})

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        return Handler


def _json(content: dict[str, Any]) -> str:
    return _text(json.dumps(content).encode())


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _openssl(*arguments: str, given: str | None = None) -> bytes:
    return subprocess.run(
        ["openssl", *arguments],
        input=None if given is None else given.encode(),
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
