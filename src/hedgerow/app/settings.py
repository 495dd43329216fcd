"""Every setting, its default and its limits; read once at the start, passed on from there.

``city.toml`` (named by ``--config`` or ``HEDGEROW_CONFIG``) comes first, environment
variables over it: ``HEDGEROW_KAFKA__BOOTSTRAP_SERVERS``, ``HEDGEROW_REDIS__URL`` and so on,
two underscores between a section and its field.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hedgerow.app.errors import SettingsError
from hedgerow.app.secret_files import fill_secrets, is_secret
from hedgerow.app.state.address import parse_address

LOOPBACK = ("localhost", "127.0.0.1", "::1")
REDIS_SCHEMES = ("redis", "rediss", "unix")
MIN_TOKEN = 16  # characters; shorter ones can be guessed over the network
MIN_KEY = 16  # characters; with shorter ones signatures can be forged by trying keys

Horizons = Annotated[tuple[Annotated[int, Field(ge=1, le=2000)], ...], Field(min_length=1)]


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

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr | None = None
    key_password_file: Path | None = None

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

    enabled: bool = False

    @model_validator(mode="after")
    def _files_are_used(self) -> Self:
        if self.given and not self.enabled:
            raise ValueError(f"{self.given} is given, but enabled is false; set enabled = true")
        return self


class OauthSettings(Section):
    """Where OAUTHBEARER tokens come from: a token endpoint, or a file somebody renews."""

    token_url: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    scope: str | None = None
    ca_file: Path | None = None
    token_file: Path | None = None

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

    mechanism: Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "none"
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
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


class Gap(StrEnum):
    """What to do when Kafka no longer holds the message that is due next."""

    EARLIEST = "earliest"
    LATEST = "latest"
    ERROR = "error"


class OnRollback(StrEnum):
    """What to do when Redis is found restored from an older copy."""

    CONTINUE = "continue"
    STOP = "stop"


class Partitioner(StrEnum):
    """How the senders of readings choose a partition by the key."""

    MURMUR2 = "murmur2"
    CRC32 = "crc32"


class KafkaSettings(Section):
    """How to reach the brokers: one block for every client."""

    bootstrap_servers: str = "localhost:9092"
    tls: TlsSettings = TlsSettings()
    sasl: SaslSettings = SaslSettings()
    session_timeout_seconds: float = Field(6.0, ge=1, le=300)
    linger_ms: float = Field(5.0, ge=0, le=1000)
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    instance_id: str | None = None


class RedisSettings(Section):
    """How to reach the state store; the URL may hold user and password."""

    url: SecretStr = SecretStr("redis://localhost:6379/0")
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    tls: TlsFiles = TlsFiles()
    prefix: str = "hedgerow"
    timeout_seconds: float = Field(5.0, gt=0, le=60)
    on_rollback: OnRollback = OnRollback.CONTINUE

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        if "+" in url.get_secret_value().partition("://")[0]:
            parse_address(url.get_secret_value())
            return url
        try:
            parts = urlsplit(url.get_secret_value())
            well_formed = parts.scheme in REDIS_SCHEMES and parts.port != 0
        except ValueError:  # its text would show what may be a password
            well_formed = False
        if not well_formed:
            raise ValueError(
                "a Redis address is redis://[user:password@]host[:port][/database], "
                "rediss://... with TLS or unix://path (in a password / @ : # ? stand as "
                "%2F %40 %3A %23 %3F, or give it as redis.password)"
            )
        return url

    @model_validator(mode="after")
    def _files_are_used(self) -> Self:
        if self.tls.given and not self.url.get_secret_value().startswith("rediss://"):
            raise ValueError(f"tls.{self.tls.given} is given, but url is not rediss://")
        return self


class Start(StrEnum):
    """Where a partition without state begins to read."""

    EARLIEST = "earliest"
    LATEST = "latest"


class TopicSettings(Section):
    """Names of the topics, and how they are made."""

    readings: str = "sensor-data"
    partitioner: Partitioner = Field(
        Partitioner.MURMUR2, description="of the senders of readings, for `state repartition`"
    )
    predictions: str = "predictions"
    alerts: str = "alerts"
    dead_letters: str = "dead-letters"
    expert_forecasts: str = "expert-forecasts"
    sensor_registry: str = "sensor-registry"
    forward: bool = Field(False, description="hand expert_forecasts on to the readings' topic")
    partitions: int = Field(8, ge=1, le=10_000)
    replication: int = Field(1, ge=1, le=10)
    create: bool = Field(True, description="make missing topics when a worker starts")


class CheckpointSettings(Section):
    """How often learning is made durable. Exactness never depends on it."""

    interval_seconds: float = Field(30.0, gt=0, le=3600)
    keep: int = Field(2, ge=2, le=100, description="generations kept, each of a snapshot's size")


class PredictionSettings(Section):
    """What predictions tell besides the forecasts."""

    explain: bool = Field(
        False, description="add what each forecast was made of: experts and strongest inputs"
    )


class InputSettings(Section):
    """Limits of what is accepted as a reading."""

    max_message_bytes: int = Field(262_144, ge=64)
    max_id_bytes: int = Field(256, ge=1, le=4096)
    max_series: int = Field(100_000, ge=1, description="series of one partition")


class DeadLetterSettings(Section):
    """How much bad input is borne before the worker stops, and how often it is replayed."""

    max_run: int = Field(10_000, ge=0, description="dead letters in a row; 0 for no limit")
    max_ratio: float = Field(0.5, gt=0, le=1, description="of a window; 1 for no limit")
    window: int = Field(10_000, ge=100, description="messages of a window")
    max_replays: int = Field(3, ge=1, description="replays of one message, one after the other")


class TimeSettings(Section):
    """Limits of a reading's own time."""

    max_ahead_seconds: float = Field(86_400.0, ge=0)


class HttpSettings(Section):
    """Where metrics, health and the console are served, and to whom."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535, description="0 takes a free port")
    console: bool = Field(False, description="serve the live page at /console")
    token: SecretStr | None = Field(None, min_length=MIN_TOKEN)
    token_file: Path | None = None

    @model_validator(mode="after")
    def _hard_to_guess(self) -> Self:
        if self.token is not None and len(self.token) < MIN_TOKEN:
            raise ValueError(f"the token in token_file has fewer than {MIN_TOKEN} characters")
        return self


class AlertSettings(Section):
    """Which alert rules a profile runs."""

    bound: bool = True
    forecast_breach: bool = True
    anomaly: bool = True
    drift: bool = True
    stuck: bool = True
    silent: bool = True


class RiverSettings(Section):
    """A regressor of River, named as one more expert: ``river.linear_model.PARegressor``."""

    name: str
    parameters: dict[str, float | int | str | bool] = {}


class ProfileSettings(Section):
    """How the series whose key matches are learned. The first profile that matches is used."""

    name: str = Field(min_length=1, max_length=64)
    match: tuple[str, ...] = ("*",)
    kinds: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    period_seconds: float | None = Field(None, ge=1, le=86_400 * 31)
    horizons: Horizons | None = None
    experts: tuple[str, ...] = ("accurate",)
    outside: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    neighbours: dict[str, tuple[str, ...]] = {}
    naive: bool = True
    aggregation: str = "ml-poly"
    drift: bool = True
    interval_level: float = Field(0.9, gt=0.5, lt=1)
    bound_lower: float | None = None
    bound_upper: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    alerts: AlertSettings = AlertSettings()
    river: tuple[RiverSettings, ...] = ()


class Settings(BaseSettings):
    """All settings of one worker."""

    model_config = SettingsConfigDict(
        env_prefix="HEDGEROW_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    group: str = Field("hedgerow", min_length=1)
    timezone: str = "UTC"
    holidays: str = ""
    start: Start = Start.EARLIEST
    on_gap: Gap = Gap.ERROR
    horizons: Horizons = (1, 3, 12)
    plugin_key: SecretStr | None = Field(None, min_length=MIN_KEY)
    plugin_key_file: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    topics: TopicSettings = TopicSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    predictions: PredictionSettings = PredictionSettings()
    input: InputSettings = InputSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    time: TimeSettings = TimeSettings()
    http: HttpSettings = HttpSettings()
    profiles: tuple[ProfileSettings, ...] = ()

    @model_validator(mode="after")
    def _secrets_from_files(self) -> Self:
        fill_secrets(self)
        if self.plugin_key is not None and len(self.plugin_key) < MIN_KEY:
            raise ValueError(f"the key in plugin_key_file has fewer than {MIN_KEY} characters")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not a time zone; an IANA name such as Europe/Vienna is") from error
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment over the file."""
        return init_settings, env_settings, _CityFile(settings_cls)


class _CityFile(TomlConfigSettingsSource):
    """``city.toml``, when one is named."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        path = os.environ.get("HEDGEROW_CONFIG")
        super().__init__(settings_cls, Path(path) if path else None)


def load_settings(config: Path | None = None) -> Settings:
    """Read the settings from the file and the environment.

    Parameters
    ----------
    config : Path, optional
        ``city.toml``; the variable ``HEDGEROW_CONFIG`` names it otherwise.

    Raises
    ------
    SettingsError
        If the file is missing or a value is wrong; it names the setting, what stands there
        (secrets hidden) and what would be right.
    """
    if config is not None:
        os.environ["HEDGEROW_CONFIG"] = str(config)
    path = os.environ.get("HEDGEROW_CONFIG")
    if path and not Path(path).is_file():
        raise SettingsError(f"no settings file at {path}; name an existing city.toml")
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    except ValueError as error:  # bad TOML, or bad JSON in a variable
        raise SettingsError(f"the settings cannot be read: {error}") from None


def _explain(error: ValidationError) -> str:
    """Write one line for each fault; a value is shown only where it cannot be a secret."""
    lines = []
    for fault in error.errors(include_url=False):
        name = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            lines.append(f"setting {name}: there is no setting of this name")
        elif _shown(fault["loc"]):
            lines.append(f"setting {name} = {fault['input']!r}: {message}")
        else:
            lines.append(f"setting {name or '(all)'} = (hidden): {message}")
    return "\n".join(lines)


def _shown(location: tuple[int | str, ...]) -> bool:
    """Tell whether the value at a place may be shown: it is no secret and holds none."""
    section: type[BaseModel] = Settings
    for depth, part in enumerate(location):
        field = section.model_fields.get(str(part))
        if field is None:  # an entry of a list, such as a profile: no secrets in there
            return depth > 0
        if is_secret(section, str(part)):
            return False
        inner = field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return True
        section = inner
    return False  # a whole section
