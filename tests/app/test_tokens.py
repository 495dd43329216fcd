"""Tokens for both Kafka clients: kept while they are good, refused with a reason."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from hedgerow.app.access import tokens
from hedgerow.app.access.tokens import (
    AiokafkaTokens,
    Token,
    TokenError,
    TokenSource,
    confluent_tokens,
    token_source,
)
from hedgerow.app.access_settings import OauthSettings

SECRET = "a client's secret: with / and +"


class Endpoint:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body = json.dumps({"access_token": "t-1", "expires_in": 300}).encode()
        self.location: str | None = None
        self.asked: list[tuple[str, bytes]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked.append((self.headers["Authorization"], sent))
                self.send_response(endpoint.status)
                if endpoint.location is not None:
                    self.send_header("Location", endpoint.location)
                self.send_header("Content-Length", str(len(endpoint.body)))
                self.end_headers()
                self.wfile.write(endpoint.body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def settings(self) -> OauthSettings:
        return OauthSettings(
            token_url=self.url, client_id="me", client_secret=SecretStr(SECRET), scope="kafka"
        )


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


def jwt(expires_at: float) -> str:
    claims = json.dumps({"sub": "me", "exp": expires_at}).encode()
    return f"head.{urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


def test_a_token_is_kept_for_four_fifths_of_its_life() -> None:
    now, made = [1000.0], []

    def fetch() -> Token:
        made.append(now[0])
        return Token(f"t{len(made)}", now[0] + 100)

    source = TokenSource(fetch, clock=lambda: now[0])
    assert source.get().text == "t1"
    now[0] = 1079.0
    assert source.get().text == "t1"
    now[0] = 1080.0
    assert source.get().text == "t2"


def test_the_endpoint_is_asked_by_client_credentials(endpoint: Endpoint) -> None:
    source = token_source(endpoint.settings())
    assert source.get().text == "t-1"
    ((authorization, body),) = endpoint.asked
    assert body == b"grant_type=client_credentials&scope=kafka"
    assert authorization.startswith("Basic ")
    source.get()
    assert len(endpoint.asked) == 1


async def test_both_clients_are_given_the_token(endpoint: Endpoint) -> None:
    source = token_source(endpoint.settings())
    text, expires_at = await asyncio.to_thread(confluent_tokens(source), "")
    assert (text, expires_at) == ("t-1", source.get().expires_at)
    assert await AiokafkaTokens(source).token() == "t-1"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error": "invalid_client"}', "401 invalid_client"),
        (500, b"<html>", "500 Internal Server Error"),
        (302, b"", "302"),
        (200, b"not json", "something else than a token"),
        (200, b"[]", "something else than a token"),
        (200, b'{"access_token": 7}', "something else than a token"),
        (200, b'{"access_token": "t", "expires_in": -5}', "something else than a token"),
    ],
)
def test_what_the_endpoint_refuses_is_said(
    status: int, body: bytes, said: str, endpoint: Endpoint
) -> None:
    endpoint.status, endpoint.body = status, body
    endpoint.location = endpoint.url if status == 302 else None
    with pytest.raises(TokenError, match=said) as error:
        token_source(endpoint.settings()).get()
    assert SECRET not in str(error.value)
    assert len(endpoint.asked) == 1  # a redirect is not followed


def test_nobody_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    oauth = OauthSettings(
        token_url="http://127.0.0.1:1/token", client_id="me", client_secret=SecretStr(SECRET)
    )
    with pytest.raises(TokenError, match="gives no token: .*refused"):
        token_source(oauth).get()


def test_a_renewed_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(tokens.time, "time", lambda: now[0])
    file = tmp_path / "token"
    file.write_text(jwt(now[0] + 3600), "ascii")
    source = TokenSource(lambda: tokens._from_file(file), clock=lambda: now[0])
    first = source.get()
    file.write_text(jwt(now[0] + 7200), "ascii")
    assert source.get() is first
    now[0] += 50
    assert source.get().text != first.text


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read"), ("", "is empty"), (jwt(1.0), "has expired; who renews it")],
)
def test_a_file_without_a_good_token_is_said(text: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text, "ascii")
    with pytest.raises(TokenError, match=said):
        token_source(OauthSettings(token_file=file)).get()


def test_a_token_never_shows() -> None:
    assert "t-1" not in repr(Token("t-1", 0.0))
