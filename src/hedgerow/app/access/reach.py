"""Why nobody answers at an address, in words a person can act on.

Kafka's client reports a "transport failure" and Redis's an errno, whether the name is wrong, the
port, or the network. One plain connection tells them apart.
"""

from __future__ import annotations

import errno
import os
import re
import socket

REACH_SECONDS = 2.0
DEFAULT_PORT = 9092
_REDIS = re.compile(r"Error (?P<number>-?\d+) connecting to (?P<address>\S+?)\.(\s|$)", re.DOTALL)


def why_no_broker(servers: str) -> str:
    """Say of each bootstrap server why it is no broker that answers.

    Parameters
    ----------
    servers : str
        ``host:port``, several by comma.

    Examples
    --------
    >>> why_no_broker("127.0.0.1:9")
    'nothing listens at 127.0.0.1:9'
    """
    return ", ".join(_why(server.strip()) for server in servers.split(","))


def _why(server: str) -> str:
    host, _, port = server.rpartition(":")
    if host and not port.isdecimal():
        return f"{server} is not host:port"
    address = ((host or server).strip("[]"), int(port) if host else DEFAULT_PORT)
    try:
        with socket.create_connection(address, timeout=REACH_SECONDS):
            return f"what listens at {server} does not answer as a broker does"
    except socket.gaierror:
        return f"there is no host {address[0]}"
    except ConnectionRefusedError:
        return f"nothing listens at {server}"
    except TimeoutError:
        return f"{server} cannot be reached within {REACH_SECONDS:g} s"
    except (OSError, OverflowError) as error:
        return f"{server} cannot be reached: {error}"


def why_no_redis(error: Exception) -> str:
    """Say why Redis does not answer; the client's own words where they cannot be bettered.

    Examples
    --------
    >>> why_no_redis(OSError("Error 111 connecting to db:6379. Connection refused."))
    'nothing listens at db:6379'
    """
    found = _REDIS.search(str(error))
    if found is None:
        return str(error)
    number, address = int(found["number"]), found["address"]
    if number in {socket.EAI_NONAME, socket.EAI_AGAIN, getattr(socket, "EAI_NODATA", -5)}:
        return f"there is no host {address.rpartition(':')[0]}"
    if number == errno.ECONNREFUSED:
        return f"nothing listens at {address}"
    return f"{address} cannot be reached: {os.strerror(number)}"
