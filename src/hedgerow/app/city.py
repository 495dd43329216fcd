"""From settings to what the models learn by, and to what is accepted as a reading."""

from __future__ import annotations

from hedgerow.app.errors import SettingsError
from hedgerow.app.settings import ProfileSettings, Settings
from hedgerow.models import AlertSwitches, CityModel, ModelError, Profile, RiverExpert
from hedgerow.topics import Limits

DEFAULT_PROFILE = "default"


def city_model(settings: Settings) -> CityModel:
    """Build the city model: the profiles in their order, the default one last.

    Raises
    ------
    SettingsError
        If a profile cannot be used, for example a River expert without ``plugin_key``.
    """
    key = settings.plugin_key
    try:
        profiles = [_profile(given, settings) for given in settings.profiles]
        if all(profile.name != DEFAULT_PROFILE for profile in profiles):
            profiles.append(_profile(ProfileSettings(name=DEFAULT_PROFILE), settings))
        return CityModel(
            profiles=tuple(profiles),
            timezone=settings.timezone,
            holidays=settings.holidays,
            plugin_key=None if key is None else key.get_secret_value().encode(),
        )
    except ModelError as error:
        raise SettingsError(f"setting profiles: {error}") from None


def input_limits(settings: Settings) -> Limits:
    """Say what the decoder accepts."""
    return Limits(
        max_message_bytes=settings.input.max_message_bytes,
        max_id_bytes=settings.input.max_id_bytes,
        max_ahead_ms=int(settings.time.max_ahead_seconds * 1000),
    )


def _profile(given: ProfileSettings, settings: Settings) -> Profile:
    return Profile(
        name=given.name,
        match=given.match,
        kinds=given.kinds,
        zones=given.zones,
        period_seconds=given.period_seconds,
        horizons=given.horizons or settings.horizons,
        experts=given.experts,
        outside=given.outside,
        companions=given.companions,
        neighbours=given.neighbours,
        naive=given.naive,
        aggregation=given.aggregation,
        river=tuple(RiverExpert(expert.name, dict(expert.parameters)) for expert in given.river),
        drift=given.drift,
        interval_level=given.interval_level,
        bound_lower=given.bound_lower,
        bound_upper=given.bound_upper,
        minimum=given.minimum,
        maximum=given.maximum,
        alerts=AlertSwitches(
            bound=given.alerts.bound,
            forecast_breach=given.alerts.forecast_breach,
            anomaly=given.alerts.anomaly,
            drift=given.alerts.drift,
            stuck=given.alerts.stuck,
            silent=given.alerts.silent,
        ),
    )
