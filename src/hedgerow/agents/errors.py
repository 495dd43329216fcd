"""What the ports of an agent may raise."""


class PortError(Exception):
    """Root of what a port may raise."""


class StoreUnavailable(PortError):
    """The state store does not answer; nothing is lost, try again later."""


class StoreCorrupt(PortError):
    """The state store answered with something that cannot be a snapshot of ours."""


class StoreTooNew(PortError):
    """The state was written by a later release."""


class Fenced(PortError):
    """Another worker has claimed the partition: drop it and everything held of it."""


class GenerationMoved(PortError):
    """The store holds another generation than the one this worker last wrote.

    Attributes
    ----------
    generation : int
        What the store holds: a full checkpoint over it is due.
    """

    def __init__(self, message: str, generation: int) -> None:
        super().__init__(message)
        self.generation = generation


class RolledBack(PortError):
    """The store was restored from an older copy, or emptied."""


class FencedForGood(PortError):
    """A partition was lost to another worker again and again, or never came back."""


class Refused(PortError):
    """The broker or the store does not let us do what we must; trying again does not help."""


class EmitFailed(PortError):
    """The broker refused an output for good."""


class LogChanged(PortError):
    """The readings' topic is not the one the state belongs to, or has other partitions."""


class LogGap(PortError):
    """Kafka no longer holds the message that is due next."""


class Storm(PortError):
    """More bad input than the limits allow."""
