"""Kafka's two clients, let in by one block of settings.

confluent-kafka (producer, admin, tails, replay) takes a dictionary, aiokafka (Faust's consumer)
an SSL context and credentials; both are made here and nowhere else.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials

from hedgerow.app.access.tokens import AiokafkaTokens, TokenError, confluent_tokens, token_source
from hedgerow.app.access_settings import TlsFiles
from hedgerow.app.errors import AccessRefused, SettingsError
from hedgerow.app.settings import KafkaSettings

ClientConfig = dict[str, Any]  # confluent-kafka's: strings, numbers and callbacks
# A client that is refused tries again after this, doubling up to ten seconds; librdkafka's own
# 100 ms made 20 attempts a second (measured).
RECONNECT_MS = 500


def client_config(
    kafka: KafkaSettings, client_id: str, *, on_error: Callable[[KafkaError], None] | None = None
) -> ClientConfig:
    """Return the part of confluent-kafka's configuration that every client of ours shares.

    Parameters
    ----------
    client_id : str
        What the broker's logs and quotas call this client.
    on_error : Callable[[KafkaError], None], optional
        Told of errors that belong to no request, such as a refused login.

    Raises
    ------
    SettingsError
        If a file of ``kafka.tls`` is not what it should be.
    AccessRefused
        If no token can be had.
    """
    config: ClientConfig = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": client_id,
        "security.protocol": security_protocol(kafka),
        "reconnect.backoff.ms": RECONNECT_MS,
    }
    if on_error is not None:
        config["error_cb"] = on_error
    if kafka.tls.enabled:
        config |= _tls_config(kafka.tls)
    sasl = kafka.sasl
    if sasl.mechanism == "OAUTHBEARER":
        source = token_source(sasl.oauth)
        try:
            source.get()  # now, with the reason: the client waits ten seconds and gives none
        except TokenError as error:
            raise AccessRefused(f"there is no token to show to Kafka: {error}") from None
        config["sasl.mechanism"] = sasl.mechanism
        config["oauth_cb"] = confluent_tokens(source)
    elif sasl.mechanism != "none" and sasl.password is not None:
        config["sasl.mechanism"] = sasl.mechanism
        config["sasl.username"] = sasl.username
        config["sasl.password"] = sasl.password.get_secret_value()
    return config


def security_protocol(kafka: KafkaSettings) -> str:
    """Return what Kafka calls this kind of access, ``SASL_SSL`` for instance."""
    transport = "SSL" if kafka.tls.enabled else "PLAINTEXT"
    return transport if kafka.sasl.mechanism == "none" else f"SASL_{transport}"


def principal(kafka: KafkaSettings) -> str:
    """Return what we are called, as far as the settings tell: for error messages."""
    if kafka.sasl.username is not None:
        return f"User:{kafka.sasl.username}"
    if kafka.sasl.oauth.client_id is not None:
        return f"User:{kafka.sasl.oauth.client_id}"
    if kafka.sasl.mechanism != "none":
        return "User:<the token's sub>"
    return "User:<the certificate's subject>" if kafka.tls.certificate_file else "User:ANONYMOUS"


def faust_credentials(kafka: KafkaSettings) -> Credentials | None:
    """Return the same access as Faust's consumer takes it, ``None`` where there is none."""
    sasl = kafka.sasl
    context = ssl_context(kafka.tls) if kafka.tls.enabled else None
    if sasl.mechanism == "OAUTHBEARER":
        tokens = AiokafkaTokens(token_source(sasl.oauth))
        return OAuthCredentials(oauth_cb=tokens, ssl_context=context)
    if sasl.mechanism != "none" and sasl.password is not None:
        return SASLCredentials(
            username=sasl.username,
            password=sasl.password.get_secret_value(),
            mechanism=sasl.mechanism,
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def ssl_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context that checks the server's certificate and name.

    Raises
    ------
    SettingsError
        If a file is not what it should be, or the key's password is wrong.
    """
    try:
        context = ssl.create_default_context(cafile=files.ca_file and str(files.ca_file))
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(f"tls.ca_file {files.ca_file} holds no certificates: {error}") from None
    if files.certificate_file is not None:
        # Without a password openssl would ask at the terminal.
        password = files.key_password.get_secret_value() if files.key_password else ""
        try:
            context.load_cert_chain(files.certificate_file, files.key_file, lambda: password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise SettingsError(
                f"tls.certificate_file {files.certificate_file} and tls.key_file "
                f"{files.key_file} cannot be used together: {_reason(error)}"
            ) from None
    return context


def _tls_config(files: TlsFiles) -> ClientConfig:
    ssl_context(files)  # says what is wrong with the files, which librdkafka does not
    config: ClientConfig = {"ssl.ca.location": str(files.ca_file) if files.ca_file else "probe"}
    if files.certificate_file is not None:
        config["ssl.certificate.location"] = str(files.certificate_file)
        config["ssl.key.location"] = str(files.key_file)
        if files.key_password is not None:
            config["ssl.key.password"] = files.key_password.get_secret_value()
    return config


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not the certificate's"
    if isinstance(error, ssl.SSLError):
        return "they are not PEM, or the key's password (tls.key_password) is wrong or missing"
    return str(error)
