"""How to get into Kafka and Redis: TLS, logins and tokens, as they stand in the settings.

Before: :mod:`hedgerow.app.settings`, whose sections these are part of. After: ``app/access``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from hedgerow.app.secret_files import fill_secrets

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Section(BaseModel):
    """A group of settings; unknown names are refused, so that a typo is not ignored.

    A secret ``x`` that has a neighbour ``x_file`` may be given by that file's contents.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _secrets_from_files(self) -> Self:
        fill_secrets(self)
        return self


class TlsFiles(Section):
    """Whom to believe besides the name, and what to show: PEM files."""

    ca_file: Path | None = Field(None, description="authorities to trust; the system's if left out")
    certificate_file: Path | None = Field(None, description="our own certificate, for mutual TLS")
    key_file: Path | None = Field(None, description="its key")
    key_password: SecretStr | None = Field(None, description="opens a locked `key_file`")
    key_password_file: Path | None = Field(None, description="file that holds it")

    @property
    def given(self) -> str | None:
        """The first file that is given."""
        names = ("ca_file", "certificate_file", "key_file")
        return next((name for name in names if getattr(self, name) is not None), None)

    @model_validator(mode="after")
    def _files_that_fit(self) -> Self:
        for name in ("ca_file", "certificate_file", "key_file"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{name}: there is no file {path}")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together; give both or none")
        return self


class TlsSettings(TlsFiles):
    """Encryption; the server's certificate and name are checked whenever it is on."""

    enabled: bool = Field(
        False, description="encrypt, and check the brokers' certificates and names"
    )

    @model_validator(mode="after")
    def _files_are_used(self) -> Self:
        if self.given and not self.enabled:
            raise ValueError(f"{self.given} is given, but enabled is false; set enabled = true")
        return self


class OauthSettings(Section):
    """Where OAUTHBEARER tokens come from: a token endpoint, or a file somebody renews."""

    token_url: str | None = Field(
        None, description="where tokens are asked for; `https://` but on the loopback"
    )
    client_id: str | None = Field(None, description="who we are there")
    client_secret: SecretStr | None = Field(None, description="our secret there")
    client_secret_file: Path | None = Field(None, description="file that holds it")
    scope: str | None = Field(None, description="what is asked for")
    ca_file: Path | None = Field(None, description="authorities to trust there")
    token_file: Path | None = Field(
        None, description="file with a token that somebody renews, instead of all that"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.token_file is not None and self.token_url is not None:
            raise ValueError("token_url and token_file are both given; give one of them")
        if self.token_url is None:
            if self.client_secret is not None:
                raise ValueError("client_secret is given, but no token_url to show it to")
            return self
        if self.client_id is None or self.client_secret is None:
            raise ValueError("token_url needs client_id and client_secret (or client_secret_file)")
        url = urlsplit(self.token_url)
        if url.scheme != "https" and url.hostname not in LOOPBACK:
            raise ValueError("token_url must begin with https://: the client's secret goes there")
        return self


class SaslSettings(Section):
    """How to log in to the brokers."""

    mechanism: Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "none", description="how to log in"
    )
    username: str | None = Field(None, description="for PLAIN and SCRAM")
    password: SecretStr | None = Field(None, description="for PLAIN and SCRAM")
    password_file: Path | None = Field(None, description="file that holds it")
    oauth: OauthSettings = OauthSettings()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        named = self.username is not None and self.password is not None
        tokens = self.oauth.token_url is not None or self.oauth.token_file is not None
        if self.mechanism == "none":
            if self.username is not None or self.password is not None or tokens:
                raise ValueError("a login is given, but mechanism is 'none'; name the mechanism")
        elif self.mechanism == "OAUTHBEARER":
            if not tokens:
                raise ValueError("OAUTHBEARER needs oauth.token_url or oauth.token_file")
        elif not named:
            raise ValueError(f"{self.mechanism} needs username and password (or password_file)")
        return self
