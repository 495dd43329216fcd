"""The backtest's table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hedgerow.app.backtest.lines import Line

EXPERTS_SHOWN = 2
WIDTH = 150  # what it needs; a narrower terminal wraps it rather than losing a column


def score_table(lines: Iterable[Line], *, by_series: bool) -> Table:
    """Lay the lines out, a section for each name."""
    table = Table(
        caption="skill: 1 - MAE / the naive forecast's; seasonal: a day or a week ago, the "
        "stronger one;\nregret: share of the MAE lost against the best single expert in hindsight"
        + ("" if by_series else "; medians over the series"),
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    name = "series" if by_series else "profile"
    table.add_column(name, no_wrap=True, max_width=32, overflow="ellipsis")
    for heading in (
        "ahead", "scored", "MAE", "RMSE", "skill vs\npersistence", "skill vs\nseasonal",
        "inside\ninterval", "width", "regret",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("heaviest experts", no_wrap=True)
    before = ""
    for line in lines:
        name = line.name if by_series else profile_text(line)
        if before and name != before:
            table.add_section()
        table.add_row(
            "" if name == before else name,
            lead_text(line.lead_ms),
            f"{line.n:,}",
            number(line.mae),
            number(line.rmse),
            percent(line.skill["persistence"]),
            f"{percent(line.skill[line.season])} {line.season:<4}",
            "-" if line.coverage is None else f"{line.coverage:.1%}",
            number(line.width),
            percent(line.regret),
            heaviest_text(line, EXPERTS_SHOWN),
        )
        before = name
    return table


def profile_text(line: Line) -> str:
    """Name the series that a line sums up."""
    return f"{line.name}: {line.series} every {lead_text(line.period_ms)}"


def heaviest_text(line: Line, shown: int) -> str:
    """Name so many of the heaviest experts, with their shares."""
    return ", ".join(f"{expert_text(one)} {share:.0%}" for one, share in line.leading[:shown])


def expert_text(expert: str) -> str:
    """Name an expert shortly: a model of River by its class alone.

    Examples
    --------
    >>> expert_text("level_0.3"), expert_text("0:river.linear_model.PARegressor")
    ('level_0.3', 'PARegressor')
    """
    return expert.rpartition(".")[2] if ":river." in expert else expert


def lead_text(lead_ms: int) -> str:
    """Write a lead time.

    Examples
    --------
    >>> lead_text(30_000), lead_text(1_800_000), lead_text(5_400_000), lead_text(172_800_000)
    ('30 s', '30 min', '1.5 h', '2 d')
    """
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if lead_ms >= unit and (name != "d" or lead_ms > unit):
            return f"{lead_ms / unit:.4g} {name}"
    return f"{lead_ms / 1000:.4g} s"


def number(value: float | None) -> str:
    """Write a measured number in four digits.

    Examples
    --------
    >>> number(None), number(12.3456), number(123456.0)
    ('-', '12.35', '123,456')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def percent(share: float | None) -> str:
    """Write a skill.

    Examples
    --------
    >>> percent(0.123), percent(-0.001), percent(None)
    ('+12.3%', '-0.1%', '-')
    """
    return "-" if share is None else f"{share:+.1%}"
