"""``city.example.toml``: every setting, at its default."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from hedgerow.app.city import city_model
from hedgerow.app.settings import ProfileSettings, Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / "city.example.toml"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    return load_settings(EXAMPLE)


def test_outside_the_profiles_the_example_holds_the_defaults(
    example: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    assert example.model_dump(exclude={"profiles"}) == load_settings().model_dump(
        exclude={"profiles"}
    )


def test_the_example_s_profiles_can_be_used(example: Settings) -> None:
    names = [profile.name for profile in city_model(example).profiles]
    assert names == ["traffic", "parking", "wind", "default"]


def names_of(model: type[BaseModel]) -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        names.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += names_of(field.annotation)
    return names


@pytest.mark.parametrize("name", sorted({*names_of(Settings), *names_of(ProfileSettings)}))
def test_the_example_names_every_setting(name: str) -> None:
    assert name in EXAMPLE.read_text()
