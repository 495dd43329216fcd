"""``hedgerow dlq``: look at dead letters, and publish them again."""
# ruff: noqa: PLC0415 - Kafka's client is imported when a command runs

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hedgerow.app.cli.output import ConfigOption, errors, printable, read_settings, results

if TYPE_CHECKING:
    from hedgerow.app.letters import Letter
    from hedgerow.app.settings import Settings

ReasonOption = Annotated[
    list[str] | None,
    typer.Option(help="Only this reason, such as json or series-limit; may be repeated."),
]
SinceOption = Annotated[
    str | None, typer.Option(help="Only messages of this time or later: ISO 8601, or epoch.")
]
UntilOption = Annotated[str | None, typer.Option(help="Only messages before this time.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="End after so many.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_PLACE = re.compile(r".+:\d+:\d+", re.DOTALL)
VALUE_SHOWN = 4_000  # bytes


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True, help="Look at messages that could not be used; send them again."
    )
    group.command("list", epilog="Example: hedgerow dlq list --reason json --since 2026-01-01")(
        list_
    )
    group.command("show", epilog="Example: hedgerow dlq show sensor-data:3:41")(show)
    group.command("replay", epilog="Example: hedgerow dlq replay --reason series-limit --dry-run")(
        replay
    )
    app.add_typer(group, name="dlq")


def list_(
    *,
    config: ConfigOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, each once, and count them by reason."""
    settings = read_settings(config)
    counts: Counter[str] = Counter()
    with _letters(settings, reason, since, until) as found:
        for letter in found:
            counts[letter.reason] += 1
            if as_json:
                typer.echo(json.dumps(_as_json(letter)))
            else:
                results.print(_line(letter))
            if counts.total() == limit:
                break
    if not as_json:
        by_reason = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
        results.print(f"{counts.total():,} dead letters{': ' if counts else ''}{by_reason}")


def show(
    place: Annotated[
        str, typer.Argument(help="topic:partition:offset of the message, as list shows it.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter whole: why, from where, its key and its value."""
    settings = read_settings(config)
    with _letters(settings, ids=[place]) as found:
        letter = next(found, None)
    if letter is None:
        errors.print(f"hedgerow: no dead letter of {printable(place)} is kept", style="red")
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(_as_json(letter)))
        return
    for name, text in (
        ("message", letter.id),
        ("time", _time(letter)),
        ("reason", letter.reason),
        ("error", letter.error),
        ("replays", str(letter.replays)),
        ("key", _readable(letter.key)),
        ("value", _readable(letter.value)),
    ):
        results.print(f"{name:<8} {text}")
    if letter.full_size is not None:
        results.print(f"         cut off: it had {letter.full_size:,} bytes", style="yellow")


def replay(
    *,
    config: ConfigOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    place: Annotated[
        list[str] | None,
        typer.Option(help="Only this message (topic:partition:offset); may be repeated."),
    ] = None,
    limit: LimitOption = None,
    by_key: Annotated[
        bool,
        typer.Option(
            "--by-key", help="To the partition of the key, by topics.partitioner: after a move."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
) -> None:
    """Send the original messages again to the topic they came from.

    Key, value, time and partition are the original's; a header says that it is a replay. Each
    reading in them is learned at most once, and is late if its slot has passed.
    """
    settings = read_settings(config)
    from hedgerow.app import letters as replaying
    from hedgerow.app.broker.topic_admin import admin_client

    admin = admin_client(settings.kafka)
    publisher = (
        _Nowhere()
        if dry_run
        else replaying.KafkaPublisher(
            settings.kafka, settings.topics.partitioner if by_key else None
        )
    )
    with _letters(settings, reason, since, until, place) as found:
        done = replaying.replay(
            found,
            publisher,
            max_replays=settings.dead_letters.max_replays,
            keeps_time=cache(lambda topic: replaying.keeps_time(admin, topic)),
            limit=limit,
        )
    results.print(f"{done.sent:,} messages {'would be ' if dry_run else ''}replayed")
    for why, count in done.left_out.items():
        errors.print(f"{count:,} left out: {why}", style="yellow")


class _Nowhere:
    """Counts only."""

    def send(self, letter: Letter, headers: list[tuple[str, bytes]]) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


@contextmanager
def _letters(
    settings: Settings,
    reasons: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    ids: list[str] | None = None,
) -> Iterator[Iterator[Letter]]:
    """Read the dead letters that are there now."""
    from hedgerow.app.broker.tail import Tail
    from hedgerow.app.letters import Filter, letters
    from hedgerow.topics import Reason

    known = {reason.value for reason in Reason}
    for name in reasons or ():
        if name not in known:
            raise typer.BadParameter(
                f"{name!r} is not a reason; {', '.join(sorted(known))} are", param_hint="--reason"
            )
    wanted = Filter(
        frozenset(reasons or ()),
        _when(since, "--since"),
        _when(until, "--until"),
        frozenset(ids or ()),
    )
    for place in ids or ():
        if not _PLACE.fullmatch(place):
            raise typer.BadParameter(
                f"{printable(place)!r} is not topic:partition:offset, such as "
                f"{settings.topics.readings}:0:41; `hedgerow dlq list` shows them",
                param_hint="place",
            )
    topic = settings.topics.dead_letters
    with Tail(settings.kafka, topic, from_beginning=True, follow=False) as tail:
        yield letters(tail.messages(), wanted)


def _when(text: str | None, option: str) -> int | None:
    from hedgerow.topics import TimestampError, epoch_time, parse_time

    if text is None:
        return None
    try:
        return epoch_time(float(text))
    except ValueError:
        pass
    try:
        return parse_time(text)
    except TimestampError as error:
        raise typer.BadParameter(f"{text!r} {error}", param_hint=option) from None


def _time(letter: Letter) -> str:
    from hedgerow.topics import TimestampError, format_time

    try:
        return format_time(letter.time_ms)
    except TimestampError:
        return str(letter.time_ms)


def _line(letter: Letter) -> Text:
    line = Text(f"{_time(letter)}  ")
    line.append(printable(letter.id), style="bold")
    line.append(f"  {letter.reason:<12} ", style="yellow")
    line.append(printable(letter.error).replace("\n", " "))
    return line


def _readable(data: bytes | None) -> str:
    if data is None:
        return "(none)"
    shown = data[:VALUE_SHOWN]
    text = printable(shown.decode(errors="backslashreplace"))
    return text if len(data) <= VALUE_SHOWN else f"{text} … ({len(data):,} bytes)"


def _as_json(letter: Letter) -> dict[str, object]:
    def encoded(data: bytes | None) -> str | None:
        return None if data is None else base64.b64encode(data).decode()

    return {
        "id": letter.id,
        "time": _time(letter),
        "reason": letter.reason,
        "error": letter.error,
        "replays": letter.replays,
        "truncated": letter.full_size,
        "key_base64": encoded(letter.key),
        "value_base64": encoded(letter.value),
    }
