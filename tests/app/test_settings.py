"""Settings: the file, the environment over it, and errors that say what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from hedgerow.app.city import city_model
from hedgerow.app.errors import SettingsError
from hedgerow.app.settings import load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")


def test_the_environment_stands_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = tmp_path / "city.toml"
    city.write_text('group = "file"\ntimezone = "Europe/Vienna"\n[redis]\nprefix = "p"\n')
    monkeypatch.setenv("HEDGEROW_GROUP", "environment")
    monkeypatch.setenv("HEDGEROW_REDIS__URL", "redis://elsewhere:6379/1")
    settings = load_settings(city)
    assert settings.group == "environment"
    assert settings.timezone == "Europe/Vienna"
    assert settings.redis.prefix == "p"
    assert settings.redis.url.get_secret_value() == "redis://elsewhere:6379/1"


def test_horizons_come_as_a_json_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_HORIZONS", "[1, 24]")
    assert city_model(load_settings()).profiles[-1].horizons == (1, 24)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HEDGEROW_HTTP__PORT", "eighty", "setting http.port = 'eighty'"),
        ("HEDGEROW_TIMEZONE", "Mars/Base", "an IANA name such as Europe/Vienna"),
        ("HEDGEROW_START", "middle", "'earliest' or 'latest'"),
        ("HEDGEROW_HORIZONS", "1,3", "horizons"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ("alerts = 'sensor-data'", "readings and alerts are both 'sensor-data'; they must differ"),
        (
            "forward = true\nexpert_forecasts = 'predictions'",
            "predictions and expert_forecasts are",
        ),
        ("readings = 'a b'", "readings: 'a b' cannot be a topic's name; up to 249 letters, digits"),
        ("readings = '..'", "readings: '..' cannot be a topic's name"),
    ],
)
def test_topics_have_usable_names_of_their_own(tmp_path: Path, topics: str, said: str) -> None:
    city = tmp_path / "city.toml"
    city.write_text(f"[topics]\n{topics}\n")
    with pytest.raises(SettingsError) as error:
        load_settings(city)
    assert said in str(error.value)


def test_where_nothing_is_forwarded_forecasts_by_others_may_be_called_like_any(
    tmp_path: Path,
) -> None:
    city = tmp_path / "city.toml"
    city.write_text("[topics]\nexpert_forecasts = 'sensor-data'\n")
    assert load_settings(city).topics.expert_forecasts == "sensor-data"


def test_an_unknown_name_is_not_ignored(tmp_path: Path) -> None:
    city = tmp_path / "city.toml"
    city.write_text("[kafka]\nbootstrap = 'x'\n")
    with pytest.raises(SettingsError, match=r"kafka\.bootstrap: there is no setting"):
        load_settings(city)


def test_a_secret_never_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_REDIS__URL", "redis://:hunter2@localhost")
    monkeypatch.setenv("HEDGEROW_PLUGIN_KEY", "hunter2hunter2hunter2")
    assert "hunter2" not in repr(load_settings())
    monkeypatch.delenv("HEDGEROW_REDIS__URL")
    city = tmp_path / "city.toml"
    city.write_text('[redis]\nurl = ["redis://:hunter2@localhost"]\n')
    with pytest.raises(SettingsError, match=r"redis\.url = \(hidden\)") as error:
        load_settings(city)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("url", ["nonsense", "localhost:6379", "http://h", "redis://h:hunter2"])
def test_what_is_no_redis_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HEDGEROW_REDIS__URL", url)
    with pytest.raises(SettingsError, match=r"redis\.url = \(hidden\): .*redis://") as error:
        load_settings()
    assert "hunter2" not in str(error.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        load_settings(tmp_path / "none.toml")


def test_profiles_become_the_city_model(tmp_path: Path) -> None:
    city = tmp_path / "city.toml"
    city.write_text(
        """
horizons = [1, 6]
[[profiles]]
name = "parking"
match = ["parking-*"]
period_seconds = 1800
horizons = [2, 48]
bound_upper = 500.0
[profiles.alerts]
anomaly = false
"""
    )
    parking, default = city_model(load_settings(city)).profiles
    assert (parking.name, parking.horizons, parking.bound_upper) == ("parking", (2, 48), 500.0)
    assert not parking.alerts.anomaly
    assert (default.name, default.match, default.horizons) == ("default", ("*",), (1, 6))


def test_a_river_expert_without_a_key_is_refused(tmp_path: Path) -> None:
    city = tmp_path / "city.toml"
    city.write_text(
        '[[profiles]]\nname = "p"\n[[profiles.river]]\nname = "river.linear_model.PARegressor"\n'
    )
    with pytest.raises(SettingsError, match="plugin_key"):
        city_model(load_settings(city))
