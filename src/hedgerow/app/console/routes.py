"""The console over HTTP: the page's files, and two streams of server-sent events.

Before: a browser. After: `session`, which is begun by the first viewer and ended a while after
the last, so that nothing is read while nobody looks. Nothing here changes anything.

The files are open to all, since a page that asks for the token must be had without it, and hold
nothing of the city. The streams want the token, where there is one, in a header: the page keeps
it for the length of the browser's tab, and reads the streams by `fetch`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence

from aiohttp import web

from hedgerow.app.access_settings import LOOPBACK
from hedgerow.app.console.asking import Asking
from hedgerow.app.console.background import Background
from hedgerow.app.console.checkpoints import Checkpoints
from hedgerow.app.console.files import page_files
from hedgerow.app.console.group import Group
from hedgerow.app.console.insight import Insight
from hedgerow.app.console.series import LEAST_SHOWN, MOST_SHOWN
from hedgerow.app.console.session import Known, Session
from hedgerow.app.console.weighings import Weighings
from hedgerow.app.settings import Settings
from hedgerow.topics import Sensor

logger = logging.getLogger(__name__)

ROOT = "/console/"
STREAMS = (f"{ROOT}live", f"{ROOT}series")
MOST_STREAMS = 64
LINGER_SECONDS = 30.0
STUCK_SECONDS = 30.0  # a browser that takes nothing for so long is gone
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STREAM_HEADERS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


class Console:
    """The page and its streams; satisfies the HTTP server's `Page`.

    Parameters
    ----------
    known : Known
        The worker that serves it.
    linger_seconds : float
        How long the topics are still followed when the last viewer has left.
    sensors : Callable
        Gives the sensors of the registry; another mapping whenever they have changed.
    checkpoints : Checkpoints, optional
        What all workers have stored.
    asking : Asking, optional
        Reaches the other workers.
    group : Group, optional
        Knows the other workers.
    background : sequence of Background
        What goes on while nobody looks.
    """

    def __init__(
        self,
        settings: Settings,
        known: Known,
        *,
        linger_seconds: float = LINGER_SECONDS,
        sensors: Callable[[], Mapping[str, Sensor]] = dict,
        checkpoints: Checkpoints | None = None,
        asking: Asking | None = None,
        group: Group | None = None,
        background: Sequence[Background] = (),
    ) -> None:
        if settings.http.token is None and settings.http.host not in LOOPBACK:
            logger.warning(
                "the console shows every series, alert and dead letter to whoever reaches %s; set "
                "http.token_file (HEDGEROW_HTTP__TOKEN_FILE) where strangers can",
                settings.http.host,
            )
        self._settings = settings
        self._known = known
        self._sensors = sensors
        self._insight = Insight(known, checkpoints, asking)
        self._weighings = Weighings()
        self._group = group
        self._background = background
        self._linger_seconds = linger_seconds
        self._files = page_files()
        self._session: Session | None = None
        self._streams = 0
        self._ending: asyncio.Task[None] | None = None

    @property
    def routes(self) -> Sequence[web.RouteDef]:
        """What it answers."""
        live, series = STREAMS
        return [
            web.get("/", self._to_page),
            web.get(ROOT.rstrip("/"), self._to_page),
            web.get(ROOT, self._file),
            web.get(live, self._live),
            web.get(series, self._series),
            *(web.get(ROOT + name, self._file) for name in self._files),
        ]

    @property
    def open_paths(self) -> frozenset[str]:
        """The page's files, which hold nothing of the city."""
        return frozenset({"/", ROOT.rstrip("/"), ROOT, *(ROOT + name for name in self._files)})

    @property
    def followed(self) -> bool:
        """Whether the topics are being read just now."""
        return self._session is not None

    async def start(self) -> None:
        """Begin what goes on while nobody looks."""
        for one in self._background:
            one.start()

    async def close(self) -> None:
        """Send everybody home and stop reading."""
        for one in self._background:
            one.stop()
        if self._ending is not None:
            self._ending.cancel()
        await self._end()

    # ---------------------------------------------------------------- answers

    async def _to_page(self, request: web.Request) -> web.Response:
        # Relative, so that a proxy may put the whole below a path of its own.
        raise web.HTTPFound("console/")

    async def _file(self, request: web.Request) -> web.Response:
        file = self._files[request.path.removeprefix(ROOT) or "index.html"]
        return web.Response(
            body=file.body,
            content_type=file.content_type,
            charset="utf-8",
            headers={"Content-Security-Policy": PAGE_POLICY},
        )

    async def _live(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, lambda session: session.city())

    async def _series(self, request: web.Request) -> web.StreamResponse:
        key = request.query.get("key", "")
        if not key:
            return web.Response(text="name a series: /console/series?key=...\n", status=400)
        try:
            asked = int(request.query.get("shown", MOST_SHOWN))
        except ValueError:
            return web.Response(text="shown is a number of readings\n", status=400)
        shown = min(MOST_SHOWN, max(LEAST_SHOWN, asked))
        return await self._stream(request, lambda session: session.series(key, shown))

    async def _stream(
        self, request: web.Request, frames_of: Callable[[Session], AsyncGenerator[bytes, None]]
    ) -> web.StreamResponse:
        if self._streams >= MOST_STREAMS:
            return web.Response(text=f"{MOST_STREAMS} streams are open already\n", status=503)
        response = web.StreamResponse(headers=_STREAM_HEADERS)
        gone = (ConnectionResetError, TimeoutError)
        with self._looking() as session, contextlib.suppress(*gone):
            await response.prepare(request)
            async with contextlib.aclosing(frames_of(session)) as frames:
                async for frame in frames:
                    async with asyncio.timeout(STUCK_SECONDS):
                        await response.write(frame)
        return response

    # ---------------------------------------------------------------- the session

    @contextlib.contextmanager
    def _looking(self) -> Iterator[Session]:
        self._streams += 1
        if self._session is not None and self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._session is not None and self._session.ended:
            self._ending = asyncio.create_task(self._session.end())
            self._session = None
        if self._session is None:
            self._session = Session(
                self._settings,
                self._known,
                self._sensors,
                insight=self._insight,
                weighings=self._weighings,
                group=self._group,
            )
            self._session.start()
        try:
            yield self._session
        finally:
            self._streams -= 1
            if self._streams == 0 and self._session is not None:
                self._ending = asyncio.create_task(self._end_soon())

    async def _end_soon(self) -> None:
        await asyncio.sleep(self._linger_seconds)
        await self._end()

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.end()
