"""The experts a profile can name, and the order in which their predictions stand.

Before: ``profile`` holds names such as ``rls_0.999``. After: ``layout`` gives each family its
place in a row, ``kernel`` asks them all and weighs what they say.

======================  ====================================================================
name                    the expert
======================  ====================================================================
persistence, day, week  always there: they are also what skill is measured against
``pattern``             decayed mean by slot of the week, rest days counted as Sundays
``levels``              the pattern plus its smoothed recent error, at three rates
``holt``                level and damped trend, smoothed exponentially
``rls_λ``               recursive least squares with forgetting λ on the common features
``ogd_η``               online gradient descent, squared loss
``adagrad_η``           the same with a step size for each coordinate
``nlms_μ``              normalised least mean squares
``median_η``            online gradient descent, absolute loss
``poisson_η``           gradient descent on the Poisson deviance, log link, for counts
``hour_n``              one small least-squares model for each of n parts of the day
``hold``                median of a value that is often just repeated
``companions``          least squares on the last readings of other series; where some are named
======================  ====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hedgerow.models.errors import ProfileError

NAIVE_EXPERTS = ("persistence", "day", "week")
LEVEL_RATES = (0.3, 0.1, 0.03)
OGD, ADAGRAD, NLMS, MEDIAN, POISSON = range(5)
LINEAR_KINDS = ("ogd", "adagrad", "nlms", "median", "poisson")
MOST_BINS = 96
ABSENT = -1

# Chosen by `python -m benchmarks.accuracy`, argued in docs/adr/0012.
ACCURATE = ("pattern", "levels", "rls_0.999", "rls_0.9999", "hour_24", "hold")
LEAN = ("pattern", "levels", "hour_12")
PRESETS = {"accurate": ACCURATE, "lean": LEAN}

_PLAIN = ("pattern", "levels", "holt", "hold")
_RANGES = {  # of the number behind the name: above the first, up to and with the second
    "rls": (0.5, 1.0),
    "ogd": (0.0, 1.0),
    "adagrad": (0.0, 10.0),
    "nlms": (0.0, 1.9),
    "median": (0.0, 1.0),
    "poisson": (0.0, 1.0),
}


class Plan(NamedTuple):
    """Where each family of experts stands among all predictions; ``ABSENT`` where it is not.

    Attributes
    ----------
    names : tuple of str
        All experts in the order of every weight vector.
    memories : tuple of float
        λ of each recursive least squares.
    linear : tuple of (int, float)
        Kind and rate of each gradient learner.
    bins : int
        Parts of the day of the ``hour`` expert, 0 without one.
    """

    names: tuple[str, ...]
    memories: tuple[float, ...]
    linear: tuple[tuple[int, float], ...]
    bins: int
    pattern: int
    levels: int
    holt: int
    rls: int
    gradient: int
    hour: int
    hold: int
    companions: int
    outside: int
    river: int


def expand(experts: Sequence[str]) -> tuple[str, ...]:
    """Put in place of a preset's name what it stands for.

    Examples
    --------
    >>> expand(["lean", "nlms_0.5"])
    ('pattern', 'levels', 'hour_12', 'nlms_0.5')
    """
    names: list[str] = []
    for expert in experts:
        names += PRESETS.get(expert, (expert,))
    return tuple(dict.fromkeys(names))


def plan(
    experts: Sequence[str],
    outside: Sequence[str] = (),
    river: Sequence[str] = (),
    *,
    companions: bool = False,
) -> Plan:
    """Order the experts of a profile.

    Parameters
    ----------
    experts : sequence of str
        Names as in the table above; presets have been expanded.
    outside, river : sequence of str
        Experts whose forecasts come as records, and River plug-ins.
    companions : bool
        Whether the profile names companions of its series.

    Raises
    ------
    ProfileError
        If there is no such expert, or its number is out of range.

    Examples
    --------
    >>> plan(["rls_0.999", "pattern"]).names
    ('persistence', 'day', 'week', 'pattern', 'rls_0.999')
    """
    numbers: dict[str, list[tuple[str, float]]] = {}
    for expert in experts:
        family, number = _parse(expert)
        numbers.setdefault(family, []).append((expert, number))
    hours = numbers.get("hour", [])
    if len(hours) > 1:
        raise ProfileError(f"experts {', '.join(e for e, _ in hours)}: at most one can be chosen")

    names = list(NAIVE_EXPERTS)

    def stand(columns: Sequence[str]) -> int:
        at = len(names) if columns else ABSENT
        names.extend(columns)
        return at

    pattern = stand(["pattern"] if "pattern" in numbers else [])
    levels = stand([f"level_{r:g}" for r in LEVEL_RATES] if "levels" in numbers else [])
    holt = stand(["holt"] if "holt" in numbers else [])
    memories = numbers.get("rls", [])
    rls = stand([e for e, _ in memories])
    linear = [(e, i, n) for i, kind in enumerate(LINEAR_KINDS) for e, n in numbers.get(kind, [])]
    gradient = stand([e for e, _, _ in linear])
    hour = stand(["hour", "hour_mean"] if hours else [])
    hold = stand(["hold"] if "hold" in numbers else [])
    beside = stand(["companions", "companions_mean"] if companions else [])
    return Plan(
        memories=tuple(n for _, n in memories),
        linear=tuple((i, n) for _, i, n in linear),
        bins=int(hours[0][1]) if hours else 0,
        pattern=pattern,
        levels=levels,
        holt=holt,
        rls=rls,
        gradient=gradient,
        hour=hour,
        hold=hold,
        companions=beside,
        outside=stand([f"outside:{name}" for name in outside]),
        river=stand([f"{i}:{name}" for i, name in enumerate(river)]),
        names=tuple(names),
    )


def _parse(expert: str) -> tuple[str, float]:
    """Split a name into its family and its number."""
    family, separator, digits = expert.partition("_")
    if expert in _PLAIN:
        return expert, 0.0
    try:
        number = float(digits) if separator else float("nan")
    except ValueError:
        number = float("nan")
    if family == "hour":
        if number.is_integer() and 1 <= number <= MOST_BINS:
            return family, number
        raise ProfileError(f"expert {expert!r}: hour_n takes a whole n from 1 to {MOST_BINS}")
    if family not in _RANGES:
        known = ", ".join((*PRESETS, *_PLAIN, "hour_n", *(f"{f}_x" for f in _RANGES)))
        raise ProfileError(f"there is no expert {expert!r}; there are {known}")
    above, most = _RANGES[family]
    if not above < number <= most:
        raise ProfileError(f"expert {expert!r}: {family}_x takes an x above {above} up to {most}")
    return family, number
