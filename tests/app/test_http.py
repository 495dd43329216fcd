"""The HTTP port: who is let in, what every answer carries, and that nothing can be changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry, Gauge
from pydantic import SecretStr

from hedgerow.app.service.http import HttpServer
from hedgerow.app.settings import HttpSettings

TOKEN = "a token of more than sixteen characters"
Answer = tuple[int, str, dict[str, str]]


@asynccontextmanager
async def serving(
    token: str | None = None, not_ready: Callable[[], str | None] = lambda: None
) -> AsyncIterator[str]:
    registry = CollectorRegistry()
    Gauge("something", "A gauge.", registry=registry).set(7)
    settings = HttpSettings(port=0, token=None if token is None else SecretStr(token))
    server = HttpServer(settings, registry=registry, not_ready=not_ready)
    host, port = await server.start()
    try:
        yield f"http://{host}:{port}"
    finally:
        await server.stop()


async def ask(url: str, method: str = "GET", **headers: str) -> Answer:
    async with ClientSession() as session, session.request(method, url, headers=headers) as got:
        return got.status, await got.text(), dict(got.headers)


async def test_without_a_token_metrics_and_health_are_open() -> None:
    async with serving() as url:
        assert "something 7.0" in (await ask(f"{url}/metrics"))[1]
        assert (await ask(f"{url}/healthz"))[0] == 200
        assert (await ask(f"{url}/readyz"))[0] == 200


async def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    assert HttpSettings().host == "127.0.0.1"
    async with serving() as url:
        assert url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer ünicode",
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/nothing", "/metrics/../metrics"])
async def test_with_a_token_everything_but_health_wants_it(
    authorization: str | None, path: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with serving(TOKEN) as url:
        status, body, answered = await ask(f"{url}{path}", **headers)
    assert status == 401
    assert answered["WWW-Authenticate"] == 'Bearer realm="hedgerow"'
    assert "something" not in body
    assert TOKEN not in body


async def test_the_token_opens_and_health_needs_none() -> None:
    async with serving(TOKEN) as url:
        opened = await ask(f"{url}/metrics", Authorization=f"Bearer {TOKEN}")
        assert opened[0] == 200
        assert "something 7.0" in opened[1]
        assert (await ask(f"{url}/healthz"))[0] == 200
        assert (await ask(f"{url}/readyz"))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
async def test_nothing_can_be_changed(method: str, path: str) -> None:
    async with serving() as url:
        assert (await ask(f"{url}{path}", method))[0] == 405


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nothing"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    async with serving(not_ready=lambda: "starting") as url:
        _, _, headers = await ask(f"{url}{path}")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "hedgerow"  # no versions of what it runs on
