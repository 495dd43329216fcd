"""URLs of several Redis servers: behind Sentinel, or a cluster.

Before: the setting ``redis.url``. After: ``access/stores`` makes the client.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

SENTINEL_PORT, REDIS_PORT = 26_379, 6_379
FORMS = (
    "redis://host:port/db, rediss://host:port/db, redis+sentinel://host:port,host:port/service/db "
    "and redis+cluster://host:port,host:port are"
)


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL of several servers says.

    Attributes
    ----------
    kind : str
        ``sentinel`` or ``cluster``.
    service : str
        What the sentinels call the primary; empty for a cluster.
    """

    kind: str
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    service: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = None


def parse_address(url: str) -> Address | None:
    """Read a URL of several servers, ``None`` for one of a single server.

    Raises
    ------
    ValueError
        If it is neither; the URL itself is not repeated, it may hold a password.

    Examples
    --------
    >>> parse_address("redis+sentinel://a:26379,b/city/2").hosts
    (('a', 26379), ('b', 26379))
    >>> parse_address("redis://localhost:6379/0") is None
    True
    """
    scheme, _, rest = url.partition("://")
    transport, _, kind = scheme.partition("+")
    if not kind and transport in {"redis", "rediss", "unix"}:
        return None
    if kind not in {"sentinel", "cluster"} or transport not in {"redis", "rediss"}:
        raise ValueError(f"it has the scheme {scheme!r}; {FORMS} right")
    login, _, places = rest.rpartition("@")
    hosts, *path = places.split("/")
    username, _, password = login.partition(":")
    port = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
    try:
        found = tuple(_host(place, port) for place in hosts.split(","))
        db = int(path[1]) if len(path) > 1 and path[1] else 0
    except ValueError:
        raise ValueError(f"it names no hosts and numbers; {FORMS} right") from None
    service = path[0] if path else ""
    if kind == "sentinel" and not service:
        raise ValueError(f"it names no service of the sentinels; {FORMS} right")
    if kind == "cluster" and (service or db):
        raise ValueError("it names a database; a cluster has only one, name none")
    return Address(
        kind,
        transport == "rediss",
        found,
        service,
        db,
        unquote(username) or None,
        unquote(password) or None,
    )


def _host(place: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError(place)
    return parts.hostname, parts.port or port
