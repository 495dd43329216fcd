"""Redis, let in by one block of settings: the worker's client, the doctor's, and their errors."""

from __future__ import annotations

import ssl
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
)

from hedgerow.app.access.kafka import ssl_context
from hedgerow.app.settings import RedisSettings

# Trying again does not help: the login or a permission must be corrected first.
REFUSALS = (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    NoPermissionError,
)
NOT_TLS = ("WRONG_VERSION_NUMBER", "_ALERT_", "alert ")


def redis_options(settings: RedisSettings) -> dict[str, Any]:
    """Return the keyword arguments of ``Redis.from_url``, for the plain and the asyncio client.

    Raises
    ------
    SettingsError
        If a file of ``redis.tls`` is not what it should be.
    """
    options: dict[str, Any] = {
        "socket_timeout": settings.timeout_seconds,
        "socket_connect_timeout": settings.timeout_seconds,
    }
    if settings.username is not None:
        options["username"] = settings.username
    if settings.password is not None:
        options["password"] = settings.password.get_secret_value()
    if settings.url.get_secret_value().startswith("rediss"):
        files = settings.tls
        ssl_context(files)  # says what is wrong with the files
        options |= {
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_ca_certs": files.ca_file and str(files.ca_file),
            "ssl_certfile": files.certificate_file and str(files.certificate_file),
            "ssl_keyfile": files.key_file and str(files.key_file),
            "ssl_password": files.key_password and files.key_password.get_secret_value(),
        }
    return options


def refusal(error: BaseException) -> str | None:
    """Say why Redis does not let us in, ``None`` if the error is of another kind."""
    if isinstance(error, NoPermissionError):
        return (
            f"Redis lets us in, but refuses a command or a key: {error}; give the user the "
            "rights that docs/security.md lists"
        )
    if isinstance(error, REFUSALS):
        return (
            f"Redis refuses the login: {error}; correct redis.url, or redis.username and "
            "redis.password"
        )
    verification = _caused_by(error)
    if verification is not None:
        return (
            f"the certificate of Redis is not trusted: {verification.verify_message}; set "
            "redis.tls.ca_file to its authority's certificate, and name the host as it does"
        )
    # A server that goes away breaks a handshake too (an end of file): that one comes back.
    if isinstance(error, RedisError) and any(word in str(error) for word in NOT_TLS):
        return (
            f"TLS with Redis fails: {error}; is the port one for TLS, and does Redis want a "
            "certificate of ours (redis.tls.certificate_file)?"
        )
    return None


def _caused_by(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
