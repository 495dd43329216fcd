"""The worker's HTTP port: ``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from hedgerow.app.errors import PortTaken
from hedgerow.app.settings import HttpSettings


class HttpServer:
    """Serves metrics and health on the worker's own event loop.

    A worker whose loop hangs does not answer, which is what a probe wants to know.

    Parameters
    ----------
    not_ready : Callable[[], str | None]
        Why the worker is not ready, ``None`` when it is.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        registry: CollectorRegistry,
        not_ready: Callable[[], str | None],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._not_ready = not_ready
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
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
            raise PortTaken(
                f"cannot listen on {host}:{port}: {error.strerror}; set http.port "
                "(HEDGEROW_HTTP__PORT) to a free port, or to 0 for any"
            ) from None
        address = self._runner.addresses[0]
        return str(address[0]), int(address[1])

    async def stop(self) -> None:
        """Stop listening."""
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
