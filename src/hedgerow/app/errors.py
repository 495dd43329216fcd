"""What stops a command, each with the exit code it ends with."""

from typing import Self


class AppError(Exception):
    """Root of what ends a command with a sentence instead of a traceback."""

    exit_code = 1


class SettingsError(AppError):
    """A setting is wrong, missing or unknown."""

    exit_code = 2


class BrokerUnavailable(AppError):
    """No broker answers."""

    exit_code = 3


class StateUnavailable(AppError):
    """Redis does not answer, or its contents cannot be used."""

    exit_code = 4


class InputFileError(AppError):
    """A file of readings cannot be used."""

    exit_code = 5


class PortTaken(AppError):
    """The HTTP port is in use."""

    exit_code = 6


class MissingPart(AppError):
    """An optional part is not installed."""

    exit_code = 7


class WorkerFailed(AppError):
    """The worker had to stop so as not to break a promise."""

    exit_code = 8


class TopicMissing(AppError):
    """A topic that is needed does not exist."""

    exit_code = 9

    @classmethod
    def named(cls, topic: str) -> Self:
        """Say which one, and what to run."""
        return cls(f"there is no topic {topic}; run `hedgerow topics create`")


class DemoFailed(AppError):
    """The demo's worker died, or its accounting does not balance."""

    exit_code = 10


class AccessRefused(AppError):
    """Kafka or Redis is there, but does not let us in or do what we must: do not try again."""

    exit_code = 11


class WorkersRunning(AppError):
    """Workers run that would have to be stopped first."""

    exit_code = 12
