"""The demo from start to end: stack, registry, worker, replay, scoreboard, accounting.

Everything runs as it would in a city: the worker is a process of its own, the readings go
through the broker, the scores and counts are read from the state in Redis.
"""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from hedgerow.app.broker.tail import Repeats, Tail
from hedgerow.app.broker.topic_admin import ensure_topics
from hedgerow.app.cli.output import printable
from hedgerow.app.cli.progress import ReplayProgress
from hedgerow.app.demo.accounting import Accounts, read_learners
from hedgerow.app.demo.feed import BAD_MESSAGES, LATE, Feed
from hedgerow.app.demo.scoreboard import score_table, tally
from hedgerow.app.demo.sensors import register, sample_sensors
from hedgerow.app.demo.stories import best_stories, count_table
from hedgerow.app.demo.watch import WatchedWorker
from hedgerow.app.embedded.servers import EmbeddedStack, free_port
from hedgerow.app.errors import DemoFailed
from hedgerow.app.replay.send import KafkaSender, Report, replay
from hedgerow.app.settings import Settings, load_settings
from hedgerow.models import Learner, SeriesScore
from hedgerow.topics import Alert, decode_alert, decode_prediction

CITY = Path(__file__).with_name("city.toml")
READY_SECONDS = 120.0  # the first start compiles the kernels
STALLED_SECONDS = 60.0
MOST_AHEAD = 40_000  # messages sent and not learned yet
ASK_EVERY_SECONDS = 0.25


def run_demo(
    results: Console, progress: Console, *, keep: bool = False, feed: Feed | None = None
) -> None:
    """Run the demo.

    Parameters
    ----------
    results, progress : Console
        Where the scoreboard and the progress bar go.
    keep : bool
        Leave everything running at the end, until Ctrl-C.
    feed : Feed, optional
        What to send; the bundled sample otherwise.

    Raises
    ------
    DemoFailed
        If the worker died, or the accounting does not balance.
    """
    feed = feed or Feed()
    began = time.monotonic()
    progress.print("starting an embedded broker, Redis and one worker ...")
    with EmbeddedStack() as stack:
        port = free_port()
        environment = _environment(stack, port)
        with _applied(environment):
            settings = load_settings()
        ensure_topics(settings)
        register(settings, sample_sensors())
        with WatchedWorker(stack.directory / "worker.log", environment, port) as worker:
            worker.wait_ready(READY_SECONDS)
            report, seconds = _learn(settings, worker, feed, progress)
            _show(settings, feed, results, rate=report.readings / seconds)
            results.print(f"\nThe whole took {time.monotonic() - began:.0f} s.")
            if keep:
                _keep(results, worker, environment)


def _environment(stack: EmbeddedStack, port: int) -> dict[str, str | None]:
    """Point the worker at the stack, whatever this process is pointed at."""
    own: dict[str, str | None] = {name: None for name in os.environ if name.startswith("HEDGEROW_")}
    return {
        **own,
        **stack.environment,
        "HEDGEROW_CONFIG": str(CITY),
        "HEDGEROW_HTTP__PORT": str(port),
    }


@contextmanager
def _applied(environment: Mapping[str, str | None]) -> Iterator[None]:
    """Set this process's variables for a moment; settings are read from there."""
    before = {name: os.environ.get(name) for name in environment}
    _set(environment)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _learn(
    settings: Settings, worker: WatchedWorker, feed: Feed, progress: Console
) -> tuple[Report, float]:
    """Send everything as fast as the worker learns; wait until all of it is saved."""
    began = time.monotonic()
    with (
        KafkaSender(settings.kafka, settings.topics.readings) as sender,
        ReplayProgress(progress, "learning") as bar,
    ):
        flow = _Flow(worker, feed, bar)
        report = replay(feed.rows(), sender, progress=flow.keep_up)
        flow.wait_learned(report)
        seconds = time.monotonic() - began
    flow.wait_saved(report)
    return report, seconds


class _Flow:
    """Lets the replay run ahead of the worker by so much and no more."""

    def __init__(self, worker: WatchedWorker, feed: Feed, bar: ReplayProgress) -> None:
        self._worker = worker
        self._feed = feed
        self._bar = bar
        self._learned = self._saved = 0
        self._asked_at = self._moved_at = time.monotonic()

    def keep_up(self, report: Report) -> None:
        """Wait while the worker is too far behind."""
        behind = report.messages - self._learned
        if behind <= MOST_AHEAD and time.monotonic() - self._asked_at < ASK_EVERY_SECONDS:
            return
        self._ask(report)
        while report.messages - self._learned > MOST_AHEAD:
            time.sleep(ASK_EVERY_SECONDS)
            self._ask(report)

    def wait_learned(self, report: Report) -> None:
        """Wait until all that was sent has been learned."""
        while self._learned < report.messages:
            self._ask(report)
            time.sleep(0.05)

    def wait_saved(self, report: Report) -> None:
        """Wait until all that was learned is in Redis."""
        while self._saved < report.messages:
            self._ask(report)
            time.sleep(0.1)

    def _ask(self, report: Report) -> None:
        self._asked_at = time.monotonic()
        reached = self._worker.reached()
        if (reached.learned, reached.saved) > (self._learned, self._saved):
            self._learned, self._saved = reached.learned, reached.saved
            self._moved_at = self._asked_at
        elif self._asked_at - self._moved_at > STALLED_SECONDS:
            raise DemoFailed(
                f"the worker has not moved for {STALLED_SECONDS:g} s; the end of its log:\n"
                f"{self._worker.child.log_tail()}"
            )
        share = self._learned / max(1, report.messages)
        self._bar.show(self._feed.fraction * share, self._learned)


def _show(settings: Settings, feed: Feed, results: Console, *, rate: float) -> None:
    """Print the scoreboard, and fail if the numbers do not agree."""
    learners = read_learners(settings, settings.topics.partitions)
    series = sum(learner.series_count for learner in learners)
    results.print()
    lines = tally(_scores(learners))
    results.print(score_table(lines))
    alerts = _alerts(settings)
    results.print()
    results.print(count_table(alerts, [line.kind for line in lines]))
    stories = best_stories(alerts)
    if stories:
        results.print("\nThe most interesting:")
    for number, story in enumerate(stories, start=1):
        _paragraph(results, f"{number}. {printable(story.text)}", indent="   ")

    accounts = Accounts.of(learners)
    bad = ", ".join(message.text for message in BAD_MESSAGES)
    results.print()
    _paragraph(
        results,
        f"{series} series were learned at {rate:,.0f} readings/s. Sent on purpose among them: "
        f"{len(BAD_MESSAGES)} bad messages ({bad}), one reading twice and {LATE.text}. "
        "All other duplicates are the data's own.",
    )
    for line in accounts.lines():
        results.print(line)
    faults = accounts.faults(
        feed.expected, predictions=_predictions(settings), dead_letters=_dead_letters(settings)
    )
    if faults:
        raise DemoFailed("the accounting does not balance: " + "; ".join(faults))
    _paragraph(
        results,
        "Both add up to what was sent; every learned reading has one prediction and every "
        "dead letter is on its topic.",
    )


def _paragraph(results: Console, text: str, indent: str = "") -> None:
    width = min(results.width, 96)
    results.print(textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False))


def _scores(learners: list[Learner]) -> Iterator[SeriesScore]:
    for learner in learners:
        yield from learner.scores()


def _alerts(settings: Settings) -> list[Alert]:
    repeats = Repeats()
    with Tail(settings.kafka, settings.topics.alerts, from_beginning=True, follow=False) as tail:
        alerts = [decode_alert(value) for value in tail.values()]
    return [alert for alert in alerts if not repeats.seen(alert.id)]


def _predictions(settings: Settings) -> int:
    repeats = Repeats()
    topic = settings.topics.predictions
    with Tail(settings.kafka, topic, from_beginning=True, follow=False) as tail:
        return sum(not repeats.seen(decode_prediction(value).id) for value in tail.values())


def _dead_letters(settings: Settings) -> int:
    topic = settings.topics.dead_letters
    with Tail(settings.kafka, topic, from_beginning=True, follow=False) as tail:
        return sum(1 for _ in tail.values())


def _keep(results: Console, worker: WatchedWorker, environment: Mapping[str, str | None]) -> None:
    """Say how to look at it, and wait for Ctrl-C."""
    results.print("\nIt goes on running until Ctrl-C. In a browser:\n")
    results.print(f"  {worker.url}/console/")
    results.print("\nIn another terminal:\n")
    activate = Path(sys.prefix, "bin", "activate")
    if activate.is_file():  # else the command is found without
        results.print(f"  . {shlex.quote(str(activate))}")
    for name, value in environment.items():
        if value is not None and name != "HEDGEROW_HTTP__PORT":
            results.print(f"  export {name}={value}")
    results.print("  hedgerow alerts tail --from-beginning")
    results.print("  hedgerow predictions tail --sensor traffic-i94 --from-beginning")
    results.print("  hedgerow doctor")
    results.print(f"  curl {worker.url}/metrics")
    results.print(f"  tail {worker.child.log}")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(0.5)
            worker.check_alive()
