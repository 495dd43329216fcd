"""Knocks once at a broker and looks at its certificate.

The clients report only that a certificate "could not be verified"; openssl through Python's own
`ssl` knows whether it has expired, is somebody else's, or comes from an unknown authority.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hedgerow.app.access.kafka import ssl_context
from hedgerow.app.settings import KafkaSettings

KNOCK_SECONDS = 3.0
DEFAULT_PORT = 9092
# ApiVersions, version 0, no client id: the one request that needs no login.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)
EXPIRED, NOT_YET = 10, 9  # openssl's X509_V_ERR_…
WRONG_NAME = (62, 64)
UNKNOWN = (2, 18, 19, 20, 21, 27)


class Untrusted(Exception):
    """A server is there, but we do not trust it, or it not us; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A server that was believed; without TLS there is no certificate."""

    version: str | None = None
    expires: datetime | None = None


Outcome = Trusted | Untrusted | None  # None: nobody there


def probe_all(kafka: KafkaSettings) -> Iterator[tuple[str, Outcome]]:
    """Knock at each bootstrap server."""
    context = ssl_context(kafka.tls) if kafka.tls.enabled else None
    for server in kafka.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        number = int(port) if host and port.isdecimal() else DEFAULT_PORT
        yield server.strip(), probe((host or server.strip()).strip("[]"), number, context)


def probe(host: str, port: int, context: ssl.SSLContext | None) -> Outcome:
    """Knock at one server, with TLS if there is a context."""
    try:
        with socket.create_connection((host, port), timeout=KNOCK_SECONDS) as plain:
            if context is None:
                return Trusted() if _answers(plain) else _why_no_answer(host, port)
            with context.wrap_socket(plain, server_hostname=host) as connection:
                _answers(connection)  # with TLS 1.3 a refusal of our certificate comes only now
                return Trusted(connection.version(), _expiry(connection.getpeercert()))
    except ssl.SSLError as error:
        return Untrusted(_sentence(f"{host}:{port}", host, error))
    except OSError:
        return None


def _answers(connection: socket.socket) -> bool:
    connection.sendall(API_VERSIONS)
    with suppress(TimeoutError, ConnectionError):
        head = connection.recv(8)
        return head[4:8] == b"\0\0\0\0"  # our own number comes back; an alert of TLS is no answer
    return False


def _why_no_answer(host: str, port: int) -> Outcome:
    """Find out whether a server that did not answer in the clear speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only whether, never what: nothing is sent
    with (
        suppress(OSError),
        socket.create_connection((host, port), timeout=KNOCK_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        return Untrusted(
            f"{host}:{port} speaks TLS, and kafka.tls.enabled is false; set it to true"
        )
    return None


def _expiry(certificate: Any) -> datetime | None:
    stated = certificate.get("notAfter") if certificate else None
    if stated is None:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(stated), UTC)


def _sentence(server: str, host: str, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {server} {_flaw(host, error)}"
    reason = error.reason or str(error)
    if "ALERT" in reason:
        return (
            f"{server} refuses our certificate, or the lack of one ({_words(reason)}); set "
            "tls.certificate_file and tls.key_file to a pair it trusts"
        )
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING"}:
        return f"{server} does not speak TLS, and TLS is switched on; is it the right port?"
    return f"TLS with {server} fails: {_words(reason)}"


def _flaw(host: str, error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == EXPIRED:
        return "has expired; renew it on the server"
    if code == NOT_YET:
        return "is not valid yet; are the clocks right?"
    if code in WRONG_NAME:
        return f"is not for {host}; use a name it holds, or have one issued that holds this one"
    if code in UNKNOWN:
        return (
            f"comes from an authority that is not trusted ({error.verify_message}); set "
            "tls.ca_file to that authority's certificate"
        )
    return f"is not accepted: {error.verify_message}"


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")
