"""Every setting, its default and its limits; read once at the start, passed on from there.

``city.toml`` (named by ``--config`` or ``HEDGEROW_CONFIG``) comes first, environment
variables over it: ``HEDGEROW_KAFKA__BOOTSTRAP_SERVERS``, ``HEDGEROW_REDIS__URL`` and so on,
two underscores between a section and its field.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hedgerow.app.errors import SettingsError

REDIS_SCHEMES = ("redis", "rediss", "unix")
Horizons = Annotated[tuple[Annotated[int, Field(ge=1, le=2000)], ...], Field(min_length=1)]


class Section(BaseModel):
    """A group of settings; unknown names are refused, so that a typo is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(Section):
    """How to reach the brokers."""

    bootstrap_servers: str = "localhost:9092"
    session_timeout_seconds: float = Field(6.0, ge=1, le=300)
    linger_ms: float = Field(5.0, ge=0, le=1000)
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    instance_id: str | None = None


class RedisSettings(Section):
    """How to reach the state store; the URL may hold user and password."""

    url: SecretStr = SecretStr("redis://localhost:6379/0")
    prefix: str = "hedgerow"
    timeout_seconds: float = Field(5.0, gt=0, le=60)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(url.get_secret_value())
            well_formed = parts.scheme in REDIS_SCHEMES and parts.port != 0
        except ValueError:  # its text would show what may be a password
            well_formed = False
        if not well_formed:
            raise ValueError(
                "a Redis address is redis://[user:password@]host[:port][/database], "
                "rediss://... with TLS or unix://path"
            )
        return url


class Start(StrEnum):
    """Where a partition without state begins to read."""

    EARLIEST = "earliest"
    LATEST = "latest"


class TopicSettings(Section):
    """Names of the topics, and how they are made."""

    readings: str = "sensor-data"
    predictions: str = "predictions"
    alerts: str = "alerts"
    dead_letters: str = "dead-letters"
    partitions: int = Field(8, ge=1, le=10_000)
    replication: int = Field(1, ge=1, le=10)
    create: bool = Field(True, description="make missing topics when a worker starts")


class CheckpointSettings(Section):
    """How often learning is made durable. Exactness never depends on it."""

    interval_seconds: float = Field(30.0, gt=0, le=3600)


class InputSettings(Section):
    """Limits of what is accepted as a reading."""

    max_message_bytes: int = Field(262_144, ge=64)
    max_id_bytes: int = Field(256, ge=1, le=4096)
    max_series: int = Field(100_000, ge=1, description="series of one partition")


class TimeSettings(Section):
    """Limits of a reading's own time."""

    max_ahead_seconds: float = Field(86_400.0, ge=0)


class HttpSettings(Section):
    """Where metrics and health are served."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535, description="0 takes a free port")


class AlertSettings(Section):
    """Which alert rules a profile runs."""

    bound: bool = True
    forecast_breach: bool = True
    anomaly: bool = True
    drift: bool = True


class RiverSettings(Section):
    """A regressor of River, named as one more expert: ``river.linear_model.PARegressor``."""

    name: str
    parameters: dict[str, float | int | str | bool] = {}


class ProfileSettings(Section):
    """How the series whose key matches are learned. The first profile that matches is used."""

    name: str = Field(min_length=1, max_length=64)
    match: tuple[str, ...] = ("*",)
    period_seconds: float | None = Field(None, ge=1, le=86_400 * 31)
    horizons: Horizons | None = None
    experts: tuple[str, ...] = ("accurate",)
    outside: tuple[str, ...] = ()
    aggregation: str = "ml-poly"
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
    horizons: Horizons = (1, 3, 12)
    plugin_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    topics: TopicSettings = TopicSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    input: InputSettings = InputSettings()
    time: TimeSettings = TimeSettings()
    http: HttpSettings = HttpSettings()
    profiles: tuple[ProfileSettings, ...] = ()

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
    lines = []
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"])
        secret = any(word in name for word in ("url", "key", "password"))
        shown = "(hidden)" if secret else repr(fault["input"])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "there is no setting of this name"
        lines.append(f"setting {name} = {shown}: {message}")
    return "\n".join(lines)
