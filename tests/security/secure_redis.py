"""A real redis-server: TLS only, no default user, one user with the rights of the documentation."""

from __future__ import annotations

import time
from pathlib import Path

import redis
from security.certificates import Authority
from security.documentation import redis_acl_line

from hedgerow.app.embedded.child import Child
from hedgerow.app.embedded.servers import free_port

ADMIN = "admin"


class SecureRedis:
    """The server, its authority, and an administrator's client.

    Attributes
    ----------
    url : str
        Where it is, without a login.
    authority : Authority
        Whom clients must trust.
    admin : redis.Redis
        May do everything.
    """

    def __init__(self, folder: Path, password: str) -> None:
        self.authority = Authority(folder / "authority", "hedgerow test authority of Redis")
        identity = self.authority.issue("redis", hosts="IP:127.0.0.1")
        port = free_port()
        self.url = f"rediss://127.0.0.1:{port}/0"
        users = folder / "users.acl"
        users.write_text(
            f"user default off\nuser {ADMIN} on >{password} ~* &* +@all\n"
            f"{redis_acl_line(password)}\n",
            "utf-8",
        )
        self.child = Child(
            "secure Redis",
            [
                *("redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1"),
                *("--tls-cert-file", str(identity.certificate)),
                *("--tls-key-file", str(identity.key)),
                *("--tls-ca-cert-file", str(self.authority.certificate)),
                *("--tls-auth-clients", "no", "--aclfile", str(users)),
                *("--dir", str(folder), "--save", "", "--appendonly", "yes"),
            ],
            folder / "redis.log",
        )
        self.admin = redis.Redis.from_url(
            self.url,
            username=ADMIN,
            password=password,
            ssl_ca_certs=str(self.authority.certificate),
        )
        self._wait_ready()

    def _wait_ready(self, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.admin.ping()
                return
            except redis.RedisError as error:
                if self.child.exit_code is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{error}; its log:\n{self.child.log_tail()}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        self.admin.close()
        self.child.kill()
