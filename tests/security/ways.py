"""The ways into the locked Kafka, as the environment of a command; each needs rights of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from security.certificates import locked
from security.identity_provider import IdentityProvider
from security.secrets import CLIENT_SECRET, KEY_PASSWORD, PASSWORD
from security.secure_kafka import SecureKafka

USER, CERTIFICATE_USER = "worker", "CN=worker"
KAFKA = "HEDGEROW_KAFKA__"
Environment = dict[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """What a way in is made of."""

    kafka: SecureKafka
    provider: IdentityProvider
    folder: Path


def door(kafka: SecureKafka, name: str) -> Environment:
    """Name a door, and the authority behind it."""
    return {
        "HEDGEROW_CONFIG": "",
        f"{KAFKA}BOOTSTRAP_SERVERS": kafka.doors[name],
        f"{KAFKA}TLS__ENABLED": "true",
        f"{KAFKA}TLS__CA_FILE": str(kafka.authority.certificate),
    }


def by_password(place: Place, mechanism: str, password: str = PASSWORD) -> Environment:
    return {
        **door(place.kafka, "sasl"),
        f"{KAFKA}SASL__MECHANISM": mechanism,
        f"{KAFKA}SASL__USERNAME": USER,
        f"{KAFKA}SASL__PASSWORD": password,
    }


def by_password_file(place: Place) -> Environment:
    file = place.folder / "password"
    file.write_text(f"{PASSWORD}\n", "utf-8")
    environment = by_password(place, "SCRAM-SHA-512")
    del environment[f"{KAFKA}SASL__PASSWORD"]
    return {**environment, f"{KAFKA}SASL__PASSWORD_FILE": str(file)}


def by_token_endpoint(place: Place, secret: str = CLIENT_SECRET) -> Environment:
    return {
        **door(place.kafka, "sasl"),
        f"{KAFKA}SASL__MECHANISM": "OAUTHBEARER",
        f"{KAFKA}SASL__OAUTH__TOKEN_URL": place.provider.url,
        f"{KAFKA}SASL__OAUTH__CLIENT_ID": USER,
        f"{KAFKA}SASL__OAUTH__CLIENT_SECRET": secret,
        f"{KAFKA}SASL__OAUTH__SCOPE": "kafka",
    }


def by_token_file(place: Place, token: str | None = None) -> Environment:
    file = place.folder / "token"
    file.write_text(token or place.provider.token(USER), "utf-8")
    return {
        **door(place.kafka, "sasl"),
        f"{KAFKA}SASL__MECHANISM": "OAUTHBEARER",
        f"{KAFKA}SASL__OAUTH__TOKEN_FILE": str(file),
    }


def by_certificate(place: Place) -> Environment:
    identity = place.kafka.authority.issue("worker")
    return {
        **door(place.kafka, "mutual"),
        f"{KAFKA}TLS__CERTIFICATE_FILE": str(identity.certificate),
        f"{KAFKA}TLS__KEY_FILE": str(locked(identity, KEY_PASSWORD)),
        f"{KAFKA}TLS__KEY_PASSWORD": KEY_PASSWORD,
    }


WAYS: dict[str, Callable[[Place], Environment]] = {
    "PLAIN": lambda place: by_password(place, "PLAIN"),
    "SCRAM-SHA-256": lambda place: by_password(place, "SCRAM-SHA-256"),
    "SCRAM-SHA-512, password from a file": by_password_file,
    "OAUTHBEARER, token endpoint": by_token_endpoint,
    "OAUTHBEARER, token file": by_token_file,
    "mutual TLS, locked key": by_certificate,
}
