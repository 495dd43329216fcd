"""A real Kafka that lets nobody in unasked: TLS, four kinds of login, permissions.

One broker, four doors beside the one the tests administrate it by: `sasl` (TLS and a login),
`mutual` (TLS, the client's certificate is its login), `expired` (as `sasl`, with a certificate
that was good until long ago) and `plain` (a login without TLS).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from security.certificates import Authority
from security.identity_provider import IdentityProvider
from stack.kafka_server import KafkaServer

from hedgerow.app.embedded.servers import free_port

REAUTHENTICATION_SECONDS = 5.0
DOORS = ("sasl", "mutual", "expired", "plain")
SECURE = """\
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{map}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
connections.max.reauth.ms={reauthentication}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
ssl.keystore.type=PEM
ssl.keystore.location={good}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.mutual.ssl.client.auth=required
listener.name.expired.ssl.keystore.location={expired}
"""
LOGINS = """\
listener.name.{door}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="{password}";
listener.name.{door}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.{door}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.{door}.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
listener.name.{door}.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
"""  # noqa: E501
OAUTH = """\
sasl.oauthbearer.jwks.endpoint.url={keys}
sasl.oauthbearer.jwt.validator.class=org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator
sasl.oauthbearer.expected.audience=kafka
sasl.oauthbearer.expected.issuer={issuer}
"""
LOGGERS = """\
    Logger:
      name: org.apache.kafka.common.network.Selector
      level: INFO
"""
REFUSED = "Failed authentication with"
PROTOCOLS = {"sasl": "SASL_SSL", "mutual": "SSL", "expired": "SASL_SSL", "plain": "SASL_PLAINTEXT"}


class SecureKafka:
    """The broker, its authority, and what administrates both.

    Attributes
    ----------
    doors : dict[str, str]
        ``host:port`` of each door.
    authority : Authority
        Whom clients must trust, and who issues theirs.
    admin : AdminClient
        May do everything; there once the broker is ready.
    """

    def __init__(self, folder: Path, password: str, provider: IdentityProvider) -> None:
        self.authority = Authority(folder / "authority", "hedgerow test authority")
        good = self.authority.issue("kafka", hosts="IP:127.0.0.1,DNS:kafka.test")
        expired = self.authority.issue("kafka-of-old", hosts="IP:127.0.0.1", expired=True)
        self.doors = {door: f"127.0.0.1:{free_port()}" for door in DOORS}
        more = SECURE.format(
            listeners=",".join(f"{d.upper()}://{at}" for d, at in self.doors.items()),
            advertised=",".join(f"{d.upper()}://{at}" for d, at in self.doors.items()),
            map=",".join(f"{d.upper()}:{PROTOCOLS[d]}" for d in DOORS),
            authority=self.authority.certificate,
            reauthentication=int(1000 * REAUTHENTICATION_SECONDS),
            good=good.both,
            expired=expired.both,
        )
        more += "".join(
            LOGINS.format(door=door, password=password) for door in ("sasl", "expired", "plain")
        )
        more += OAUTH.format(keys=provider.keys.as_uri(), issuer=provider.issuer)
        allowed = "-Dorg.apache.kafka.sasl.oauthbearer.allowed"
        self.server = KafkaServer(
            folder,
            more=more,
            loggers=LOGGERS,
            java=(f"{allowed}.urls={provider.keys.as_uri()}", f"{allowed}.files={provider.keys}"),
        )

    def wait_ready(self) -> None:
        """Wait for the first answer, and keep a client for administration."""
        self.server.wait_ready()
        self.admin = AdminClient({"bootstrap.servers": self.server.bootstrap, "log_level": 0})

    def stop(self) -> None:
        self.server.stop()

    def restart(self) -> None:
        """Break every connection."""
        self.server.stop()
        self.server.start()
        self.wait_ready()

    @property
    def refusals(self) -> int:
        """How many logins and handshakes the broker has refused so far."""
        return self.server.child.log.read_text("utf-8", errors="replace").count(REFUSED)

    def set_password(self, user: str, password: str) -> None:
        """Give a user a password for both SCRAM mechanisms."""
        for kind in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            info = ScramCredentialInfo(kind, 4096)
            change = UserScramCredentialUpsertion(user, info, password.encode())
            for future in self.admin.alter_user_scram_credentials([change]).values():
                future.result(20)

    def allow(self, rights: Iterable[AclBinding]) -> None:
        """Add permissions."""
        for future in self.admin.create_acls(list(rights)).values():
            future.result(20)

    def forbid(self, principal: str, name: str | None = None) -> None:
        """Take a principal's permissions away, all or those on one resource."""
        chosen = AclBindingFilter(
            ResourceType.ANY, name, ResourcePatternType.ANY, principal, None,
            AclOperation.ANY, AclPermissionType.ANY,
        )  # fmt: skip
        for future in self.admin.delete_acls([chosen]).values():
            future.result(20)


def right(
    user: str, operation: AclOperation, kind: ResourceType, name: str, *, prefixed: bool = False
) -> AclBinding:
    """Return one permission of a user."""
    pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def command(program: Sequence[str], user: str) -> AclBinding:
    """Read one line of ``kafka-acls --add`` as the permission it gives."""
    given = dict(zip(program[:-1], program[1:], strict=True))
    kind, name = next(
        (kind, given[option])
        for option, kind in (("--topic", ResourceType.TOPIC), ("--group", ResourceType.GROUP))
        if option in given
    )
    operation = AclOperation[given["--operation"].upper()]
    prefixed = given.get("--resource-pattern-type") == "prefixed"
    return right(user, operation, kind, name, prefixed=prefixed)
