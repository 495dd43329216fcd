"""What the ports of an agent may raise."""


class PortError(Exception):
    """Root of what a port may raise."""


class StoreUnavailable(PortError):
    """The state store does not answer; nothing is lost, try again later."""


class StoreCorrupt(PortError):
    """The state store answered with something that cannot be a snapshot of ours."""


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


class FencedForGood(PortError):
    """A partition was lost to another worker again and again, or never came back."""


class Refused(PortError):
    """The broker or the store does not let us do what we must; trying again does not help."""


class EmitFailed(PortError):
    """The broker refused an output for good."""
