"""The first contact with a broker: in, or one sentence that says why not.

A client that is refused would try again for ever, twenty times a second. Whoever makes contact
here stops at the first refusal instead and says whether it was trust (TLS) or the login.
"""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from hedgerow.app.access.probe import Untrusted, probe_all
from hedgerow.app.access.reach import why_no_broker
from hedgerow.app.errors import AccessRefused, BrokerUnavailable
from hedgerow.app.settings import KafkaSettings

LOOK_SECONDS = 0.25
KNOCK_AFTER_SECONDS = 0.5
UNAUTHORISED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
LOGIN = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})


class Watch:
    """Hears a client's errors, and remembers one by which it may have been refused."""

    def __init__(self) -> None:
        self.refusal: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """Note an error; confluent-kafka's ``error_cb``."""
        if is_refusal(error):
            self.refusal = self.refusal or error


def is_refusal(error: KafkaError) -> bool:
    """Tell whether an error may mean that we are not let in; only a refused login is certain."""
    # A server that wants our certificate says so by an alert, which is a broken transport.
    return error.code() in LOGIN | {KafkaError._SSL} or "SSL alert" in error.str()


def ask_metadata(
    client: AdminClient | Consumer,
    watch: Watch,
    kafka: KafkaSettings,
    within_seconds: float,
    topic: str | None = None,
) -> Any:
    """Ask a broker what there is, for the first time.

    Parameters
    ----------
    watch : Watch
        Hears the client's errors.
    topic : str, optional
        Ask about this one only.

    Returns
    -------
    confluent_kafka.admin.ClusterMetadata
        What there is.

    Raises
    ------
    BrokerUnavailable
        If none answers in time.
    AccessRefused
        If one does, but does not let us in.
    """
    began = time.monotonic()
    deadline = began + within_seconds
    knock_at = began + KNOCK_AFTER_SECONDS
    heard: KafkaError | None = None
    while True:
        left = max(0.01, deadline - time.monotonic())
        try:
            return client.list_topics(topic, timeout=min(LOOK_SECONDS, left))
        except KafkaException as error:
            client.poll(0)  # the reason comes this way
            refusal, watch.refusal = watch.refusal, None
            heard = refusal or heard or error.args[0]
        if refusal is not None and refusal.code() in LOGIN:
            raise AccessRefused(_login_refused(kafka, refusal))
        now = time.monotonic()
        if refusal is not None or now >= knock_at:
            knock_at = deadline
            # A server that is just coming up breaks a handshake too; it is trusted when asked.
            distrust = _distrust(kafka)
            if distrust is not None:
                raise AccessRefused(distrust)
        if now >= deadline:
            raise BrokerUnavailable(
                f"no Kafka broker answers at {kafka.bootstrap_servers}: "
                f"{why_no_broker(kafka.bootstrap_servers)} ({_words(heard)}); start it, or set "
                "kafka.bootstrap_servers (HEDGEROW_KAFKA__BOOTSTRAP_SERVERS) to host:port of one"
            )


def _login_refused(kafka: KafkaSettings, error: KafkaError) -> str:
    """Say which login was refused, and what would be right."""
    sasl = kafka.sasl
    if sasl.mechanism == "OAUTHBEARER":
        return (
            f"Kafka refuses the token, or there is none: {_words(error)}; correct "
            "kafka.sasl.oauth, or what its tokens say of issuer, audience and expiry"
        )
    return (
        f"Kafka refuses the login of user {sasl.username!r} by {sasl.mechanism}: {_words(error)}; "
        "correct kafka.sasl.username, password and mechanism"
    )


def _distrust(kafka: KafkaSettings) -> str | None:
    """Return what is wrong with TLS at the first server that shows it."""
    for _, outcome in probe_all(kafka):
        if isinstance(outcome, Untrusted):
            return str(outcome)
    return None


def _words(error: KafkaError) -> str:
    """Take librdkafka's addresses and timings off its sentence."""
    text: str = error.str()
    _, _, after = text.partition("/bootstrap: ")
    return (after or text).partition(" (after ")[0].removeprefix("SASL authentication error: ")
