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
    """The store holds another generation than the one this worker last wrote."""


class EmitFailed(PortError):
    """The broker refused an output for good."""
