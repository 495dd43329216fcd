"""Every setting, its default and its limits; read once at the start, passed on from there.

``city.toml`` (named by ``--config`` or ``HEDGEROW_CONFIG``) comes first, environment
variables over it: ``HEDGEROW_KAFKA__BOOTSTRAP_SERVERS``, ``HEDGEROW_REDIS__URL`` and so on,
two underscores between a section and its field.
"""

from __future__ import annotations

import os
import re
import tomllib
from enum import StrEnum
from importlib.resources.abc import Traversable
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
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

from hedgerow.app.access_settings import SaslSettings, Section, TlsFiles, TlsSettings
from hedgerow.app.errors import SettingsError
from hedgerow.app.secret_files import fill_secrets
from hedgerow.app.settings_faults import explain, misspelt
from hedgerow.app.state.address import parse_address

REDIS_SCHEMES = ("redis", "rediss", "unix")
MIN_TOKEN = 16  # characters; shorter ones can be guessed over the network
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
MIN_KEY = 16  # characters; with shorter ones signatures can be forged by trying keys

Horizons = Annotated[tuple[Annotated[int, Field(ge=1, le=2000)], ...], Field(min_length=1)]


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

    bootstrap_servers: str = Field(
        "localhost:9092", description="`host:port` of some brokers, by comma"
    )
    tls: TlsSettings = TlsSettings()
    sasl: SaslSettings = SaslSettings()
    session_timeout_seconds: float = Field(
        6.0, ge=1, le=300, description="a dead worker's partitions move on after this"
    )
    linger_ms: float = Field(
        0.5,
        ge=0,
        le=1000,
        description="how long outputs wait for others; those of a fetch come at once anyway",
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "lz4", description="of what is published"
    )
    instance_id: str | None = Field(
        None, description="static membership; must differ between workers"
    )


class RedisSettings(Section):
    """How to reach the state store; the URL may hold user and password."""

    url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"),
        description="`redis://user:password@host:port/database`, `rediss://` with TLS, "
        "`unix://`, `redis+sentinel://` or `redis+cluster://`",
    )
    username: str | None = Field(
        None, description="user of Redis's access list, if not in the address"
    )
    password: SecretStr | None = Field(None, description="if not in the address")
    password_file: Path | None = Field(None, description="file that holds it")
    tls: TlsFiles = TlsFiles()
    prefix: str = Field("hedgerow", description="first part of every key")
    timeout_seconds: float = Field(5.0, gt=0, le=60, description="how long one answer may take")
    on_rollback: OnRollback = Field(
        OnRollback.CONTINUE, description="when Redis was restored from an older copy"
    )

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

    readings: str = Field("sensor-data", description="where readings come from")
    partitioner: Partitioner = Field(
        Partitioner.MURMUR2, description="of the senders of readings, for `state repartition`"
    )
    predictions: str = Field("predictions", description="where forecasts go")
    alerts: str = Field("alerts", description="where alerts go")
    dead_letters: str = Field(
        "dead-letters", description="where messages go that could not be used"
    )
    expert_forecasts: str = Field(
        "expert-forecasts", description="where forecasts by others may come from"
    )
    sensor_registry: str = Field(
        "sensor-registry", description="what is known of each sensor, one record each"
    )
    forward: bool = Field(False, description="hand expert_forecasts on to the readings' topic")
    partitions: int = Field(
        8, ge=1, le=10_000, description="of new topics; as many workers can share the work"
    )
    replication: int = Field(
        1, ge=1, le=10, description="of new topics; 3 on a cluster that must survive a broker"
    )
    create: bool = Field(True, description="make missing topics when a worker starts")

    @model_validator(mode="after")
    def _usable_names(self) -> Self:
        roles = ["readings", "predictions", "alerts", "dead_letters", "sensor_registry"]
        by_name: dict[str, str] = {}
        for role in [*roles, *(["expert_forecasts"] if self.forward else [])]:
            name = getattr(self, role)
            if not _TOPIC.fullmatch(name) or name in {".", ".."}:
                raise ValueError(
                    f"{role}: {name!r} cannot be a topic's name; up to 249 letters, digits, "
                    "'.', '_' and '-' can"
                )
            if name in by_name:
                raise ValueError(f"{by_name[name]} and {role} are both {name!r}; they must differ")
            by_name[name] = role
        return self


class CheckpointSettings(Section):
    """How often learning is made durable. Exactness never depends on it."""

    interval_seconds: float = Field(
        30.0, gt=0, le=3600, description="how much is learned again after a crash"
    )
    keep: int = Field(2, ge=2, le=100, description="generations kept, each of a snapshot's size")


class PredictionSettings(Section):
    """What predictions tell besides the forecasts."""

    explain: bool = Field(
        False, description="add what each forecast was made of: experts and strongest inputs"
    )


class InputSettings(Section):
    """Limits of what is accepted as a reading."""

    max_message_bytes: int = Field(
        262_144, ge=64, description="a larger message becomes a dead letter"
    )
    max_id_bytes: int = Field(256, ge=1, le=4096, description="of a sensor id or a quantity's name")
    max_series: int = Field(100_000, ge=1, description="series of one partition")


class DeadLetterSettings(Section):
    """How much bad input is borne before the worker stops, and how often it is replayed."""

    max_run: int = Field(10_000, ge=0, description="dead letters in a row; 0 for no limit")
    max_ratio: float = Field(0.5, gt=0, le=1, description="of a window; 1 for no limit")
    window: int = Field(10_000, ge=100, description="messages of a window")
    max_replays: int = Field(3, ge=1, description="replays of one message, one after the other")


class TimeSettings(Section):
    """Limits of a reading's own time."""

    max_ahead_seconds: float = Field(
        86_400.0, ge=0, description="a reading stamped later than this after its arrival is refused"
    )


class HttpSettings(Section):
    """Where metrics, health and the console are served, and to whom."""

    host: str = Field("127.0.0.1", description="where to listen; 0.0.0.0 in a container")
    port: int = Field(8000, ge=0, le=65_535, description="0 takes a free port")
    console: bool = Field(False, description="serve the live page at /console")
    token: SecretStr | None = Field(
        None, min_length=MIN_TOKEN, description="all but health wants it as bearer"
    )
    token_file: Path | None = Field(None, description="file that holds it")

    @model_validator(mode="after")
    def _hard_to_guess(self) -> Self:
        if self.token is not None and len(self.token) < MIN_TOKEN:
            raise ValueError(f"the token in token_file has fewer than {MIN_TOKEN} characters")
        return self


class AlertSettings(Section):
    """Which kinds of alert a profile raises."""

    bound: bool = Field(True, description="a reading passes a declared bound")
    forecast_breach: bool = Field(
        True, description="a forecast passes a declared bound before a reading does"
    )
    anomaly: bool = Field(True, description="a reading does what its series did not do for weeks")
    drift: bool = Field(True, description="the series no longer behaves as it was learned")
    stuck: bool = Field(True, description="a value is repeated far longer than ever")
    silent: bool = Field(True, description="nothing is heard for far longer than usual")


class RiverSettings(Section):
    """A regressor of River, named as one more expert: ``river.linear_model.PARegressor``."""

    name: str = Field(description="where it is found in River")
    parameters: dict[str, float | int | str | bool] = Field({}, description="what it is made with")


class ProfileSettings(Section):
    """How the series whose key matches are learned. The first profile that matches is used."""

    name: str = Field(min_length=1, max_length=64, description="stands in predictions and metrics")
    match: tuple[str, ...] = Field(("*",), description="patterns over the series key")
    kinds: tuple[str, ...] = Field((), description="only sensors of these kinds in the registry")
    zones: tuple[str, ...] = Field((), description="only sensors of these zones in the registry")
    period_seconds: float | None = Field(
        None,
        ge=1,
        le=86_400 * 31,
        description="length of a slot; inferred from the first readings if left out",
    )
    horizons: Horizons | None = Field(
        None, description="slots ahead; the setting `horizons` if left out"
    )
    experts: tuple[str, ...] = Field(
        ("accurate",), description="presets `accurate` and `lean`, or experts by name"
    )
    outside: tuple[str, ...] = Field((), description="experts whose forecasts come as records")
    companions: tuple[str, ...] = Field((), description="quantities of the same sensor to draw on")
    neighbours: dict[str, tuple[str, ...]] = Field(
        {}, description="sensors or series to draw on, by sensor or series"
    )
    naive: bool = Field(True, description="weigh persistence, a day ago and a week ago too")
    aggregation: str = Field(
        "ml-poly", description="`ml-poly`, `boa`, `ada-hedge`, `hedge` or `fixed-share`"
    )
    drift: bool = Field(True, description="answer drift by learning faster")
    interval_level: float = Field(
        0.9, gt=0.5, lt=1, description="share of the labels that should fall inside the interval"
    )
    bound_lower: float | None = Field(None, description="alert below")
    bound_upper: float | None = Field(None, description="alert above")
    minimum: float | None = Field(
        None, description="least that can be measured; forecasts stay within"
    )
    maximum: float | None = Field(None, description="most that can be measured")
    alerts: AlertSettings = Field(AlertSettings(), description="which rules run")
    river: tuple[RiverSettings, ...] = Field(
        (), description="regressors of River as further experts"
    )


class Settings(BaseSettings):
    """All settings of one worker."""

    model_config = SettingsConfigDict(
        env_prefix="HEDGEROW_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    group: str = Field(
        "hedgerow", min_length=1, description="workers of one group share the partitions"
    )
    timezone: str = Field(
        "UTC", description="IANA name; daily and weekly patterns follow its clock"
    )
    holidays: str = Field("", description="whose public holidays count as Sundays: `DK`, `AU-VIC`")
    start: Start = Field(Start.EARLIEST, description="where a partition without state begins")
    on_gap: Gap = Field(Gap.ERROR, description="when Kafka no longer holds the next message")
    horizons: Horizons = Field((1, 3, 12), description="slots ahead, for profiles that name none")
    plugin_key: SecretStr | None = Field(
        None, min_length=MIN_KEY, description="signs what River experts have learned"
    )
    plugin_key_file: Path | None = Field(None, description="file that holds it")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least important lines that are shown"
    )
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

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        try:
            # Editors of one system begin a text with a mark that TOML does not know.
            return tomllib.loads(file_path.read_text("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise SettingsError(
                f"{file_path} is not UTF-8 text (a byte {error.object[error.start]:#04x} stands in "
                "it); save it as UTF-8"
            ) from None


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
        what = "that is a folder" if Path(path).is_dir() else "name an existing city.toml"
        raise SettingsError(f"no settings file at {path}; {what}")
    if wrong := misspelt(os.environ, Settings):
        raise SettingsError("\n".join(wrong))
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(explain(error, Settings, path)) from None
    except TOMLDecodeError as error:
        hint = "; a text stands in quotes" if str(error).startswith("Invalid value") else ""
        raise SettingsError(f"{path} is not TOML: {error}{hint}") from None
    except (ValueError, OSError) as error:  # bad JSON in a variable, or a file we may not read
        raise SettingsError(f"the settings cannot be read: {error}") from None
