"""The worker's HTTP port: ``/metrics``, ``/healthz`` and ``/readyz``; nothing here changes state.

Health is for everybody who reaches the port. With a token everything else is for those who show
it, what does not exist included; but not the files of a page, which hold nothing of the city and
must be there to ask for the token.
"""

from __future__ import annotations

import errno
import hmac
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from hedgerow.app.errors import PortTaken, SettingsError
from hedgerow.app.settings import HttpSettings

HEALTH = frozenset({"/healthz", "/readyz"})
POLICY = "Content-Security-Policy"
HEADERS = {
    "Cache-Control": "no-store",
    POLICY: "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "hedgerow",  # and no versions
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Page(Protocol):
    """What serves more than metrics and health, such as the console."""

    @property
    def routes(self) -> Sequence[web.RouteDef]:
        """What it answers."""

    @property
    def open_paths(self) -> frozenset[str]:
        """The paths that need no token."""

    async def start(self) -> None:
        """Begin whatever goes on while nobody looks."""

    async def close(self) -> None:
        """Let go of everybody who looks."""


class HttpServer:
    """Serves metrics and health on the worker's own event loop.

    A worker whose loop hangs does not answer, which is what a probe wants to know.

    Parameters
    ----------
    not_ready : Callable[[], str | None]
        Why the worker is not ready, ``None`` when it is.
    page : Page, optional
        Served beside metrics and health.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        registry: CollectorRegistry,
        not_ready: Callable[[], str | None],
        page: Page | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._not_ready = not_ready
        self._page = page
        guards: list[Middleware] = []
        if settings.token is not None:
            in_the_open = HEALTH | (page.open_paths if page else frozenset())
            guards.append(_bearer(settings.token.get_secret_value(), in_the_open))
        app = web.Application(middlewares=guards)
        app.on_response_prepare.append(_add_headers)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        if page is not None:
            app.add_routes(page.routes)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> tuple[str, int]:
        """Listen, and return the address.

        Raises
        ------
        PortTaken
            If the port is in use.
        """
        await self._runner.setup()
        host, port = self._settings.host, self._settings.port
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
                raise SettingsError(
                    f"cannot listen on {host}:{port}: this machine has no address {host}; set "
                    "http.host (HEDGEROW_HTTP__HOST) to 127.0.0.1, to 0.0.0.0 for all, or to one "
                    "that it has"
                ) from None
            raise PortTaken(
                # asyncio repeats the address in a sentence of its own
                f"cannot listen on {host}:{port}: {str(error.strerror).rpartition('): ')[2]}; set "
                "http.port (HEDGEROW_HTTP__PORT) to a free port, or to 0 for any"
            ) from None
        if self._page is not None:
            await self._page.start()
        address = self._runner.addresses[0]
        return str(address[0]), int(address[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._page is not None:
            await self._page.close()
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self._not_ready()
        if reason is None:
            return web.Response(text="ready\n")
        return web.Response(text=f"not ready: {reason}\n", status=503)


def _bearer(token: str, in_the_open: frozenset[str]) -> Middleware:
    """Let in whoever asks for what is open to all, or shows the token."""
    expected = token.encode()

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in in_the_open:
            return await handler(request)
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        known = hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), expected)
        if kind.lower() == "bearer" and known:
            return await handler(request)
        return web.Response(
            text="show the token of http.token: Authorization: Bearer ...\n",
            status=401,
            headers={"WWW-Authenticate": 'Bearer realm="hedgerow"'},
        )

    return admit


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    of_a_page = response.headers.get(POLICY)
    response.headers.update(HEADERS)
    if of_a_page is not None:
        response.headers[POLICY] = of_a_page
