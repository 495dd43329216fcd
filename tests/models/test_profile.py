"""Profiles refuse what cannot be, and the first that matches counts."""

from __future__ import annotations

import pytest

from hedgerow.models import CityModel, ModelError, Profile, ProfileError, SensorFacts
from hedgerow.models.bank.planes import row_layout


@pytest.mark.parametrize(
    "wrong",
    [
        {"horizons": ()},
        {"horizons": (3, 1)},
        {"horizons": (1, 1)},
        {"horizons": (0,)},
        {"horizons": (2001,)},
        {"period_seconds": 0.0},
        {"period_seconds": 1e9},
        {"aggregation": "vote"},
        {"outside": ("a", "a")},
        {"minimum": 2.0, "maximum": 1.0},
        {"interval_level": 1.0},
        {"bound_lower": 2.0, "bound_upper": 1.0},
        {"bound_upper": float("nan")},
    ],
)
def test_impossible_profiles_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ProfileError, match=r"profile 'p': \w+"):
        Profile("p", **wrong)  # type: ignore[arg-type]


def test_the_first_matching_profile_counts_and_a_default_stands_last() -> None:
    city = CityModel((Profile("speed", match=("*/avg_speed",)), Profile("a", match=("A-*",))))
    named = [city.profiles[city.profile_index(k)].name for k in ("A-1/avg_speed", "A-1", "a-1")]
    assert named == ["speed", "a", "default"]


@pytest.mark.parametrize("expert", ["vote", "rls", "rls_x", "rls_1.5", "hour_0", "hour_2.5"])
def test_experts_that_do_not_exist_are_refused_by_name(expert: str) -> None:
    with pytest.raises(ProfileError, match=expert):
        Profile("p", experts=("pattern", expert))


def test_two_profiles_of_one_name_are_refused() -> None:
    with pytest.raises(ModelError, match="differ in name"):
        CityModel((Profile("a"), Profile("a")))


@pytest.mark.parametrize("period_ms", [1000, 60_000, 300_000, 3_600_000, 86_400_000])
def test_the_fields_of_a_row_are_disjoint_and_leave_no_hole(period_ms: int) -> None:
    layout = row_layout(Profile(), period_ms)
    for single, width, blank in (
        (False, layout.sizes.width, layout.blank),
        (True, layout.sizes.single_width, layout.blank_single),
    ):
        at = 0
        for field in sorted(layout.fields, key=lambda f: f.offset):
            if field.single == single:
                assert field.offset == at
                at += field.size
        assert at == width == len(blank)
    assert len({field.name for field in layout.fields}) == len(layout.fields)


@pytest.mark.parametrize(("preset", "most_bytes"), [("lean", 16_000), ("accurate", 96_000)])
def test_a_preset_keeps_to_its_size(preset: str, most_bytes: int) -> None:
    layout = row_layout(Profile(horizons=(1, 3, 12), experts=(preset,)), 3_600_000)
    assert layout.blank.nbytes + layout.blank_single.nbytes <= most_bytes
    assert len(layout.experts) >= 8


def test_a_row_holds_nothing_for_experts_that_are_not_there() -> None:
    lean = row_layout(Profile(experts=("lean",)), 3_600_000)
    names = {field.name.partition("[")[0] for field in lean.fields}
    assert lean.sizes.features == lean.sizes.padded == 0
    assert not any("origins" in name or "absolute_1" in name for name in names)
    linear = row_layout(Profile(experts=("lean", "ogd_0.05")), 3_600_000)
    assert linear.sizes.entry == lean.sizes.entry + 3  # its forecast, and two to standardise by
    held = row_layout(Profile(experts=("lean", "hold")), 3_600_000)
    assert held.sizes.contexts == 4


def test_new_series_do_not_walk_all_neighbours() -> None:
    """With 100,000 of them each, that would be ten thousand million steps."""

    class Walked(dict[str, tuple[str, ...]]):
        walks = 0

        def values(self):  # type: ignore[no-untyped-def]
            Walked.walks += 1
            return super().values()

    near = Walked({"a": ("b",), "c": ("d", "e")})
    profile = Profile(neighbours=near)
    before = Walked.walks

    assert [profile.places_by(SensorFacts()) for _ in range(100)] == [2] * 100

    assert Walked.walks == before
