"""Profiles: which series are learned how, and the city they belong to.

Before: ``app`` builds these from the settings. After: ``learner`` asks for the profile of a
new series, ``layout`` derives the fields of its state from it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase

from hedgerow.models.aggregation import RULES
from hedgerow.models.errors import PluginError, ProfileError
from hedgerow.models.experts.catalogue import expand, plan
from hedgerow.models.registry import NOTHING, SensorFacts
from hedgerow.models.zone import zone_table

MAX_HORIZON = 2000
MAX_PERIOD_SECONDS = 31 * 86_400
MOST_COMPANIONS = 4  # of one series


@dataclass(frozen=True, slots=True)
class RiverExpert:
    """A regressor of River, named as one more expert.

    Parameters
    ----------
    name : str
        Its import path, such as ``river.linear_model.PARegressor``.
    params : Mapping
        Arguments of its constructor.
    """

    name: str
    params: Mapping[str, float | int | str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertSwitches:
    """Which kinds of alert a profile raises."""

    bound: bool = True
    forecast_breach: bool = True
    anomaly: bool = True
    drift: bool = True
    stuck: bool = True
    silent: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """How the series that match are learned.

    Parameters
    ----------
    name : str
        Label of the profile, part of every prediction.
    match : tuple of str
        Shell patterns over the series key (``sensor`` or ``sensor/quantity``), case-sensitive.
    kinds, zones : tuple of str
        Of sensors, as the registry tells them: only series of these match; of all, where empty.
    period_seconds : float, optional
        Length of a slot; inferred from the first 20 readings of each series when ``None``.
    horizons : tuple of int
        How many slots ahead to forecast, strictly increasing.
    experts : tuple of str
        Names of experts or presets, as in `hedgerow.models.experts.catalogue`; the naive ones need
        no naming.
    outside : tuple of str
        Names of experts whose forecasts come as records in the log.
    companions : tuple of str
        Quantities. A series' forecasts draw on the last reading of these of the same sensor,
        its own excepted.
    neighbours : Mapping of str to tuple of str
        For a sensor, or a series by its key: the sensors, or series by their keys, whose last
        reading its forecasts draw on. A plain sensor stands for the same quantity of it.
    naive : bool
        Whether the naive experts are weighed with the others. They are asked in any case, for
        skill is measured against them; persistence stands in where everybody else sleeps.
    river : tuple of RiverExpert
        Further experts that run beside the compiled ones, at River's speed.
    aggregation : str
        How the experts are weighed, one of `hedgerow.models.aggregation.RULES`.
    drift : bool
        Whether drift is looked for and answered: regrets forgotten, memories shortened, an error
        to one side added back. Without it a series learns by the published rule alone.
    interval_level : float
        Share of labels that should fall inside the interval.
    bound_lower, bound_upper : float, optional
        Limits of the value; crossing one raises an alert.
    minimum, maximum : float, optional
        Least and largest value that can be measured; forecasts stay within. A series that was
        never negative gets no negative forecasts in any case.
    alerts : AlertSwitches
        Which alert rules run.

    Raises
    ------
    ProfileError
        If a value is out of range.

    Examples
    --------
    >>> Profile("parking", match=("parking-*",), bound_upper=500.0).matches("parking-17")
    True
    """

    name: str = "default"
    match: tuple[str, ...] = ("*",)
    period_seconds: float | None = None
    horizons: tuple[int, ...] = (1, 3, 12)
    experts: tuple[str, ...] = ("accurate",)
    outside: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    neighbours: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    naive: bool = True
    river: tuple[RiverExpert, ...] = ()
    aggregation: str = "ml-poly"
    drift: bool = True
    interval_level: float = 0.9
    bound_lower: float | None = None
    bound_upper: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    alerts: AlertSwitches = AlertSwitches()
    kinds: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    _most_neighbours: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        def require(good: bool, what: str) -> None:
            if not good:
                raise ProfileError(f"profile {self.name!r}: {what}")

        period = self.period_seconds
        require(
            period is None or 0.001 <= period <= MAX_PERIOD_SECONDS,
            f"period_seconds = {period} must lie between 0.001 and {MAX_PERIOD_SECONDS}",
        )
        require(
            len(self.horizons) > 0
            and all(1 <= h <= MAX_HORIZON for h in self.horizons)
            and list(self.horizons) == sorted(set(self.horizons)),
            f"horizons = {self.horizons} must rise strictly, each from 1 to {MAX_HORIZON}",
        )
        object.__setattr__(self, "experts", expand(self.experts))
        plan(self.experts)
        require(
            len(set(self.outside)) == len(self.outside) and all(self.outside),
            f"outside = {self.outside} must be different names",
        )
        require(
            len(set(self.companions)) == len(self.companions) and all(self.companions),
            f"companions = {self.companions} must be different quantities",
        )
        # Counted once: every new series asks for its places.
        most = max(map(len, self.neighbours.values()), default=0)
        object.__setattr__(self, "_most_neighbours", most)
        for who, names in self.neighbours.items():
            require(
                len(set(names)) == len(names) and all((*names, who)) and who not in names,
                f"neighbours of {who!r} = {names} must be different sensors or series, none of "
                "them itself",
            )
        require(
            self.places <= MOST_COMPANIONS,
            f"companions and neighbours give a series up to {self.places} companions, it can "
            f"have {MOST_COMPANIONS}",
        )
        require(
            self.aggregation in RULES,
            f"aggregation = {self.aggregation!r} must be one of {', '.join(RULES)}",
        )
        require(
            0.5 < self.interval_level < 1,
            f"interval_level = {self.interval_level} must lie between 0.5 and 1",
        )
        for what, lower, upper in (
            ("bounds", self.bound_lower, self.bound_upper),
            ("minimum and maximum", self.minimum, self.maximum),
        ):
            require(
                all(b is None or math.isfinite(b) for b in (lower, upper))
                and (lower is None or upper is None or lower < upper),
                f"{what} {lower} and {upper} must be finite and in order",
            )

    @property
    def period_ms(self) -> int | None:
        """Declared length of a slot in milliseconds."""
        return None if self.period_seconds is None else round(self.period_seconds * 1000)

    def matches(self, key: str, facts: SensorFacts = NOTHING) -> bool:
        """Tell whether a series falls under this profile, by its key and what is declared of it.

        Examples
        --------
        >>> roads = Profile("roads", kinds=("traffic",))
        >>> roads.matches("bridge-7"), roads.matches("bridge-7", SensorFacts(kind="traffic"))
        (False, True)
        """
        return (
            any(fnmatchcase(key, pattern) for pattern in self.match)
            and (not self.kinds or facts.kind in self.kinds)
            and (not self.zones or facts.zone in self.zones)
        )

    @property
    def takes_all(self) -> bool:
        """Whether every series matches."""
        return "*" in self.match and not self.kinds and not self.zones

    @property
    def places(self) -> int:
        """How many companions a series of this profile can have."""
        return self._own_places + self._most_neighbours

    @property
    def _own_places(self) -> int:
        """How many companions a series can have among its sensor's other quantities."""
        own = tuple(f"/{quantity}" for quantity in self.companions)
        itself = bool(own) and all(pattern.endswith(own) for pattern in self.match)
        return len(self.companions) - itself

    def places_by(self, facts: SensorFacts) -> int:
        """Return how many companions a series of such a sensor can have.

        Examples
        --------
        >>> Profile(companions=("speed",)).places_by(SensorFacts(neighbours=("a", "b")))
        3
        """
        if not facts.neighbours:
            return self.places
        return min(self._own_places + len(facts.neighbours), MOST_COMPANIONS)

    def companions_of(
        self, sensor_id: str, quantity: str, facts: SensorFacts = NOTHING
    ) -> tuple[str, ...]:
        """Return the keys of a series' companions, in the order of their places.

        Neighbours in the registry stand instead of the profile's.

        Examples
        --------
        >>> near = {"s1": ("s2", "s3/flow")}
        >>> profile = Profile(companions=("speed", "count"), neighbours=near)
        >>> profile.companions_of("s1", "speed")
        ('s1/count', 's2/speed', 's3/flow')
        """
        key = series_key(sensor_id, quantity)
        near = facts.neighbours or self.neighbours.get(key, self.neighbours.get(sensor_id, ()))
        wanted = [series_key(sensor_id, other) for other in self.companions]
        wanted += [name if "/" in name else series_key(name, quantity) for name in near]
        return tuple(dict.fromkeys(name for name in wanted if name != key))[: self.places_by(facts)]

    @property
    def fingerprint(self) -> str:
        """Hash of everything in the profile, stored with the snapshot."""
        body = asdict(self)
        del body["_most_neighbours"]
        body["neighbours"] = sorted(self.neighbours.items())
        for name in ("kinds", "zones"):  # as it was before there were any
            if not body[name]:
                del body[name]
        if not self.places:  # as it was before there were any
            del body["companions"], body["neighbours"]
        body["river"] = [[r.name, sorted(r.params.items())] for r in self.river]
        return hashlib.blake2b(json.dumps(body).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class CityModel:
    """Everything a partition's learning depends on besides its log.

    Parameters
    ----------
    profiles : tuple of Profile
        In order; the first that matches a series is used. A profile that matches everything
        is added at the end.
    timezone : str
        IANA name of the city's time zone, for calendar features.
    holidays : str
        Whose public holidays count as Sundays, such as ``DK`` or ``AU-VIC``; empty for none.
    plugin_key : bytes, optional
        Signs the state of River plug-ins; profiles that name some are refused without it.
    explain : bool
        Whether a step tells what its forecasts were made of. Nothing learned depends on it.

    Raises
    ------
    ProfileError
        If two profiles share a name.
    PluginError
        If a profile names River plug-ins that cannot be made, or there is no key.
    """

    profiles: tuple[Profile, ...] = ()
    timezone: str = "UTC"
    holidays: str = ""
    plugin_key: bytes | None = field(default=None, repr=False)
    explain: bool = False

    def __post_init__(self) -> None:
        profiles = self.profiles
        if not any(p.takes_all for p in profiles):
            profiles = (*profiles, Profile())
            object.__setattr__(self, "profiles", profiles)
        names = [p.name for p in profiles]
        if len(set(names)) != len(names):
            raise ProfileError(f"profiles must differ in name: {', '.join(names)}")
        zone_table(self.timezone, self.holidays)
        for profile in profiles:
            if profile.river:
                self._check_plugins(profile)

    def _check_plugins(self, profile: Profile) -> None:
        if not self.plugin_key:
            raise PluginError(
                f"profile {profile.name!r} names River plug-ins, whose state can only be stored "
                "pickled and signed: set plugin_key, or remove them"
            )
        # River is slow to import, so only where a profile asks for it.
        from hedgerow.models.bank.plugins import make_regressor  # noqa: PLC0415

        for expert in profile.river:
            make_regressor(expert)

    def profile_index(self, key: str, facts: SensorFacts = NOTHING) -> int:
        """Return the index of the first profile that matches a series."""
        return next(i for i, p in enumerate(self.profiles) if p.matches(key, facts))


def series_key(sensor_id: str, quantity: str) -> str:
    """Return the outward name of a series.

    Examples
    --------
    >>> series_key("s1", ""), series_key("s1", "speed")
    ('s1', 's1/speed')
    """
    return f"{sensor_id}/{quantity}" if quantity else sensor_id
