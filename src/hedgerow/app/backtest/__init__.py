"""A backtest: files of readings through the service's own decoder and step, without Kafka."""

from hedgerow.app.backtest.run import Backtest, BadMessage, Findings, Progress
from hedgerow.app.backtest.trace import Trace

__all__ = ["Backtest", "BadMessage", "Findings", "Progress", "Trace"]
