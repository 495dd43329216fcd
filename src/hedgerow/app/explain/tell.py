"""An explanation in words: what was expected, what came, since when, and who carried it.

Before: ``ask`` has found it. After: ``hedgerow explain`` prints it, and the console may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hedgerow.app.cli.output import columns
from hedgerow.app.explain.ask import Answer
from hedgerow.app.explain.replay import Episode, Found
from hedgerow.models.explanation.explain import ForecastSum, Part
from hedgerow.topics import format_time

CARRIERS = 3  # named of the experts, and of the inputs
LEAST_SHARE = 0.01  # of the weight, to be named


def reason(episode: Episode, found: Found) -> str:
    """Say of an open episode in a sentence what it is about and what carried the forecast.

    Parameters
    ----------
    episode : Episode
        Of the series that ``found`` is about.
    """
    stands = episode.stands
    said = episode.message or f"what opened it is no longer in the alerts' topic; {_newest(found)}"
    opened = f"{stands.kind} ({stands.severity}) open since {format_time(stands.opened_ms)}: {said}"
    if episode.carried is not None:
        return f"{opened}. That forecast rested on {carriers(episode.carried)}"
    return f"{opened}. The forecast now rests on {carriers(found.explanation.forecasts[0])}"


def carriers(forecast: ForecastSum) -> str:
    """Name the experts and inputs that a forecast rested on.

    Examples
    --------
    >>> from hedgerow.models.explanation.explain import ExpertPart
    >>> experts = (ExpertPart("pattern", 5.0, 0.7, 0.7, ()), ExpertPart("day", 8.0, 0.3, 0.3, ()))
    >>> inputs = (Part("usual level", 4.0), Part("weekly pattern", 2.5), Part("last reading", -0.6))
    >>> print(carriers(ForecastSum(1, 0, 5.9, 5.9, None, None, 5.9, 5.9, experts, inputs, inputs)))
    the experts pattern (70 %) and day (30 %): from a usual level of 4, weekly pattern +2.5 and \
last reading -0.6
    """
    heavy = [one for one in forecast.experts if one.weight >= LEAST_SHARE][:CARRIERS]
    experts = _listed([f"{one.expert} ({one.weight:.0%})".replace("%", " %") for one in heavy])
    level, *moved = forecast.inputs or (Part("usual level", 0.0),)
    if level.input != "usual level":
        level, moved = Part("usual level", 0.0), [level, *moved]
    inputs = [f"{one.input} {one.amount:+.4g}" for one in moved[:CARRIERS]]
    noun = "experts" if len(heavy) > 1 else "expert"
    told = f"the {noun} {experts}: from a usual level of {level.amount:.4g}"
    return f"{told}, {_listed(inputs)}" if inputs else told


def lines(answer: Answer, horizon: int | None = None) -> Iterator[str]:
    """Give the lines that a person reads: the reading, each forecast, one of them as a sum."""
    found, explained = answer.found, answer.found.explanation
    yield f"learned by profile {explained.profile!r} in {answer.partition}"
    place = "in the stored state" if found.issued.offset is None else (
        f"offset {found.issued.offset:,}"
    )  # fmt: skip
    yield f"{format_time(found.issued.at_ms)}  observed {found.issued.value:.6g}  ({place})"
    expected = _expected(found)
    if expected is not None:
        yield f"{'':20}  expected {_interval(expected)}"
    for forecast in explained.forecasts:
        yield (
            f"{format_time(forecast.target_ms)}  forecast {_interval(forecast)}, mean "
            f"{forecast.mean:.6g}  ({forecast.horizon} ahead)"
        )
    for episode in found.episodes:
        yield ""
        yield reason(episode, found)
    for forecast in explained.forecasts:
        if forecast.horizon == (horizon or explained.forecasts[0].horizon):
            yield ""
            yield from _sum(forecast)


def _sum(forecast: ForecastSum) -> Iterator[str]:
    awake = [one for one in forecast.experts if one.predicted is not None]
    part = [one for one in awake if max(one.weight, one.mean_weight) > 0.0]
    yield f"The forecast {forecast.horizon} ahead, by experts:"
    yield from columns(
        ("expert", "says", "weight", "adds", "weight in mean", "adds"),
        [
            (
                one.expert,
                f"{one.predicted:.6g}",
                f"{one.weight:.2%}",
                f"{one.weight * (one.predicted or 0.0):.6g}",
                f"{one.mean_weight:.2%}",
                f"{one.mean_weight * (one.predicted or 0.0):.6g}",
            )
            for one in part
        ]
        + [("together", "", "", f"{forecast.weighed:.6g}", "", f"{forecast.weighed_mean:.6g}")],
        names=1,
    )
    idle = [one.expert for one in awake if one not in part]
    asleep = [one.expert for one in forecast.experts if one.predicted is None]
    if idle:
        yield f"without weight: {', '.join(idle)}"
    if asleep:
        yield f"asleep: {', '.join(asleep)}"
    yield ""
    yield "The same by inputs, through all experts:"
    means = {one.input: one.amount for one in forecast.mean_inputs}
    names = [one.input for one in forecast.inputs]
    names += [name for name in means if name not in names]
    amounts = {one.input: one.amount for one in forecast.inputs}
    rows = [(n, _signed(n, amounts.get(n, 0.0)), _signed(n, means.get(n, 0.0))) for n in names]
    sums = ("sum = forecast", f"{forecast.predicted:.6g}", f"{forecast.mean:.6g}")
    yield from columns(("input", "predicted", "mean"), [*rows, sums], names=1)


def _signed(name: str, amount: float) -> str:
    return f"{amount:.6g}" if name == "usual level" else f"{amount:+.4g}"


def _expected(found: Found) -> ForecastSum | None:
    """Return the forecast that was about the newest reading."""
    return None if found.expected is None else found.expected.forecasts[0]


def _newest(found: Found) -> str:
    expected = _expected(found)
    came = f"the newest reading is {found.issued.value:.6g}"
    return came if expected is None else f"{came}, where {_interval(expected)} was expected"


def _interval(forecast: ForecastSum) -> str:
    if forecast.lower is None or forecast.upper is None:
        return f"{forecast.predicted:.6g}"
    return f"{forecast.predicted:.6g} ({forecast.lower:.6g} to {forecast.upper:.6g})"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
