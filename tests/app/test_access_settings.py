"""Settings of access: what belongs together, secrets from files, and what errors never show."""

from __future__ import annotations

from pathlib import Path

import pytest

from hedgerow.app.errors import SettingsError
from hedgerow.app.settings import Settings, load_settings

SECRET = "hunter2hunter2hunter2"
SASL = "KAFKA__SASL__"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", "utf-8")
    return path


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"HEDGEROW_{name}", value)
    return load_settings()


def test_every_secret_may_stand_in_a_file(
    secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(secret_file)
    settings = loaded(
        monkeypatch,
        PLUGIN_KEY_FILE=file,
        HTTP__TOKEN_FILE=file,
        REDIS__PASSWORD_FILE=file,
        REDIS__TLS__KEY_PASSWORD_FILE=file,
        KAFKA__TLS__KEY_PASSWORD_FILE=file,
        KAFKA__SASL__MECHANISM="PLAIN",
        KAFKA__SASL__USERNAME="u",
        KAFKA__SASL__PASSWORD_FILE=file,
        KAFKA__SASL__OAUTH__TOKEN_URL="https://identity.test/token",
        KAFKA__SASL__OAUTH__CLIENT_ID="u",
        KAFKA__SASL__OAUTH__CLIENT_SECRET_FILE=file,
    )
    kafka, redis = settings.kafka, settings.redis
    secrets = (
        settings.plugin_key, settings.http.token, redis.password, redis.tls.key_password,
        kafka.tls.key_password, kafka.sasl.password, kafka.sasl.oauth.client_secret,
    )  # fmt: skip
    assert [secret and secret.get_secret_value() for secret in secrets] == [SECRET] * 7
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 70_000, "larger than"),
    ],
)
def test_a_file_that_holds_no_secret_is_said(
    content: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        loaded(monkeypatch, PLUGIN_KEY_FILE=str(path))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({f"{SASL}MECHANISM": "PLAIN"}, "needs username and password"),
        ({f"{SASL}MECHANISM": "SCRAM-SHA-256", f"{SASL}USERNAME": "u"}, "needs username and"),
        ({f"{SASL}PASSWORD": SECRET, f"{SASL}USERNAME": "u"}, "name the mechanism"),
        ({f"{SASL}MECHANISM": "OAUTHBEARER"}, "needs oauth.token_url or oauth.token_file"),
        ({f"{SASL}OAUTH__TOKEN_URL": "https://i.test/t"}, "needs client_id and client_secret"),
        (
            {
                f"{SASL}OAUTH__TOKEN_URL": "http://identity.test/token",
                f"{SASL}OAUTH__CLIENT_ID": "u",
                f"{SASL}OAUTH__CLIENT_SECRET": SECRET,
            },
            "must begin with https://",
        ),
        ({f"{SASL}OAUTH__CLIENT_SECRET": SECRET}, "no token_url"),
        (
            {f"{SASL}OAUTH__TOKEN_URL": "https://i.test/t", f"{SASL}OAUTH__TOKEN_FILE": "/t"},
            "give one of them",
        ),
        ({"KAFKA__TLS__CA_FILE": __file__}, "set enabled = true"),
        ({"KAFKA__TLS__ENABLED": "true", "KAFKA__TLS__CA_FILE": "/no/ca"}, "there is no file"),
        (
            {"KAFKA__TLS__ENABLED": "true", "KAFKA__TLS__CERTIFICATE_FILE": __file__},
            "belong together",
        ),
        ({"REDIS__TLS__CA_FILE": __file__}, "url is not rediss://"),
        ({"REDIS__URL": f"redis://:{SECRET[:5]}/{SECRET[5:]}@h"}, "stand as %2F"),
        ({"REDIS__URL": f"http://:{SECRET}@h"}, "a Redis address is"),
        ({"HTTP__TOKEN": SECRET[:8]}, "at least 16"),
        ({"PLUGIN_KEY": SECRET[:8]}, "at least 16"),
        ({"PLUGIN_KEY": SECRET, "PLUGIN_KEY_FILE": __file__}, "give one of them"),
    ],
)
def test_what_does_not_fit_together_is_said_without_its_secrets(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError) as error:
        loaded(monkeypatch, **variables)
    assert said in str(error.value)
    assert SECRET[:5] not in str(error.value)


@pytest.mark.parametrize("name", ["HTTP__TOKEN_FILE", "PLUGIN_KEY_FILE"])
def test_a_short_token_or_key_in_a_file_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text(SECRET[:8], "utf-8")
    with pytest.raises(SettingsError, match="fewer than 16 characters"):
        loaded(monkeypatch, **{name: str(path)})


def test_a_typo_never_shows_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = tmp_path / "city.toml"
    city.write_text(f'[kafka.sasl]\npasswrod = "{SECRET}"\n', "utf-8")
    monkeypatch.setenv("HEDGEROW_CONFIG", str(city))
    with pytest.raises(SettingsError, match=r"kafka\.sasl\.passwrod: there is no") as error:
        load_settings()
    assert SECRET not in str(error.value)
