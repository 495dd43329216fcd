"""Decode, step, score: the worker's loop without a broker and a store.

Before: ``log`` reads the files. After: ``table`` and ``report`` show what was found. Decoder
and step are the worker's, so that a backtest says what the service would have published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from hedgerow.agents.outputs import failures_of
from hedgerow.app.backtest.log import FileLog, FileMessage
from hedgerow.app.backtest.trace import Trace
from hedgerow.models import EMPTY, CityModel, Counts, Learner, Registry, SeriesScore, series_key
from hedgerow.topics import Limits, ReadingDecoder

BATCH = 4096  # messages; what comes out does not depend on it
TRACED = 256  # the same where a trace is kept, which looks at the weights between two of them
BAD_SHOWN = 5


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A row that the service would have dead-lettered, or that holds no message at all."""

    file: Path
    line: int
    reason: str
    error: str


@dataclass(slots=True)
class Findings:
    """What a backtest found.

    Attributes
    ----------
    counts : Counts
        The accounting, as the service would keep it; messages are rows.
    bad : Counter of str
        Rows that could not be used, or not wholly, by reason.
    first_bad : list of BadMessage
        The first few of those.
    alerts : Counter of str
        Episodes that opened, by kind.
    scores : list of SeriesScore
        Progressive validation of every series and horizon.
    """

    counts: Counts
    bad: Counter[str] = field(default_factory=Counter)
    first_bad: list[BadMessage] = field(default_factory=list)
    alerts: Counter[str] = field(default_factory=Counter)
    scores: list[SeriesScore] = field(default_factory=list)


Progress = Callable[[float, int], None]


class Backtest:
    """One pass over a log of files.

    Parameters
    ----------
    city : CityModel
        How everything is learned.
    limits : Limits
        What is accepted as a reading.
    max_series : int
        Readings of further series are refused, as in one partition of the service.
    trace : Trace, optional
        Told everything that was published, for the report's plots.
    registry : Registry, optional
        What is declared of single sensors.
    """

    def __init__(
        self,
        city: CityModel,
        *,
        limits: Limits,
        max_series: int,
        trace: Trace | None = None,
        registry: Registry = EMPTY,
    ) -> None:
        self.learner = Learner(city, max_series=max_series, registry=registry)
        self.findings = Findings(self.learner.counts)
        self._decoder = ReadingDecoder(limits)
        self._trace = trace

    def run(
        self, log: FileLog, *, limit: int | None = None, progress: Progress = lambda *_: None
    ) -> Findings:
        """Work through the log.

        Parameters
        ----------
        limit : int, optional
            Stop after so many rows.
        progress : callable
            Told the share read and the readings so far.

        Raises
        ------
        InputFileError
            If a file cannot be read to its end.
        """
        rows = islice(log.messages(), limit)
        most = BATCH if self._trace is None else TRACED
        while taken := list(islice(rows, most)):
            messages = []
            for row in taken:
                if isinstance(row, FileMessage):
                    messages.append(row)
                else:
                    number, bad = row
                    self._bad(log.paths[number], bad.line, bad.reason, bad.error)
            self._step(log, messages)
            self.learner.count_messages(dead_lettered=len(taken) - len(messages))
            progress(log.fraction, self.learner.counts.readings)
        self.findings.scores = self.learner.scores()
        if self._trace is not None:
            self._trace.end(self.learner)
        return self.findings

    def _step(self, log: FileLog, messages: list[FileMessage]) -> None:
        decoded = self._decoder.decode(messages)
        result = self.learner.step(
            decoded.sensor_ids, decoded.quantities, decoded.time_ms, decoded.values,
            decoded.offsets, experts=decoded.experts,
        )  # fmt: skip
        failures = failures_of(decoded, result)
        for failure in failures:
            message = messages[failure.position]
            self._bad(log.paths[message.file], message.line, failure.reason, failure.error)
        self.learner.count_messages(
            decoded=len(messages) - len(failures),
            dead_lettered=len(failures),
            rejected=decoded.rejected,
        )
        self.findings.alerts.update(a.kind for a in result.alerts if a.state == "open")
        if self._trace is not None:
            keys = [
                series_key(sensor_id, quantity)
                for sensor_id, quantity in zip(decoded.sensor_ids, decoded.quantities, strict=True)
            ]
            self._trace.take(keys, decoded.time_ms, decoded.values, result, self.learner)

    def _bad(self, file: Path, line: int, reason: str, error: str) -> None:
        self.findings.bad[str(reason)] += 1
        if len(self.findings.first_bad) < BAD_SHOWN:
            self.findings.first_bad.append(BadMessage(file, line, str(reason), error))
