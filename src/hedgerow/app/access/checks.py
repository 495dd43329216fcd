"""What the doctor says about access: trust, login and permissions, each by its name.

Before: `hedgerow.app.doctor.examine` asks in this order, so that the first fault is the one to
mend.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from confluent_kafka.admin import AdminClient

from hedgerow.app.access.kafka import principal
from hedgerow.app.access.permissions import missing, worker_needs
from hedgerow.app.access.probe import Outcome, Untrusted, probe_all
from hedgerow.app.access_settings import LOOPBACK
from hedgerow.app.doctor.check import Check, Status
from hedgerow.app.settings import HttpSettings, KafkaSettings, Settings

RENEW_DAYS = 21


def kafka_trust(kafka: KafkaSettings) -> Iterator[Check]:
    """Look at the certificate of each bootstrap server that answers."""
    for server, outcome in probe_all(kafka):
        check = _trust(server, outcome)
        if check is not None:
            yield check


def _trust(server: str, outcome: Outcome) -> Check | None:
    name = "kafka tls"
    if outcome is None:
        return None  # nobody there: the broker's own check says so
    if isinstance(outcome, Untrusted):
        return Check(name, Status.FAIL, str(outcome), "see docs/security.md, TLS")
    if outcome.version is None:
        advice = "where the network is not yours alone, set kafka.tls.enabled"
        return Check(name, Status.OK, f"{server} without TLS", advice)
    if outcome.expires is None:
        return Check(name, Status.OK, f"{server} by {outcome.version}")
    days = (outcome.expires - datetime.now(UTC)).days
    found = f"{server} by {outcome.version}, its certificate is good for {days} days"
    if days < RENEW_DAYS:
        return Check(name, Status.WARN, found, "renew it on the server")
    return Check(name, Status.OK, found)


def kafka_login(kafka: KafkaSettings) -> Check:
    """Say who we were let in as."""
    name = "kafka login"
    if kafka.sasl.mechanism == "none" and not kafka.tls.certificate_file:
        advice = "where others can reach the brokers, set kafka.sasl or a certificate"
        return Check(name, Status.OK, "none was asked for", advice)
    found = f"{principal(kafka)} by {kafka.sasl.mechanism.replace('none', 'certificate')}"
    if kafka.sasl.mechanism != "none" and not kafka.tls.enabled:
        advice = "the login travels unencrypted: set kafka.tls.enabled"
        return Check(name, Status.WARN, found, advice)
    return Check(name, Status.OK, found)


def kafka_permissions(admin: AdminClient, settings: Settings) -> Check:
    """Ask the broker whether a worker may do all it must."""
    name = "kafka permissions"
    needs = worker_needs(settings)
    lacking = missing(admin, needs)
    if lacking:
        user = principal(settings.kafka)
        found = "refused: " + ", ".join(map(str, lacking))
        return Check(name, Status.FAIL, found, "; ".join(need.command(user) for need in lacking))
    return Check(name, Status.OK, ", ".join(map(str, needs)))


def http_port(http: HttpSettings) -> Check:
    """Say who can read the metrics."""
    found = f"{http.host}:{http.port}, {'with' if http.token else 'without'} a token"
    if http.host not in LOOPBACK and http.token is None:
        advice = "metrics are open to whoever reaches this port: set http.token_file"
        return Check("http", Status.WARN, found, advice)
    return Check("http", Status.OK, found)
