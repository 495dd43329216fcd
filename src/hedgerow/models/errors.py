"""What the learning engine may raise."""


class ModelError(Exception):
    """Root of what the learning engine raises."""


class ProfileError(ModelError, ValueError):
    """A profile is contradictory or out of range."""


class SnapshotError(ModelError):
    """Bytes that should be a snapshot are not one that can be used."""


class SnapshotTooNew(SnapshotError):
    """The snapshot was written by a later release: good, but not for this program."""


class StateTampered(SnapshotError):
    """A snapshot is whole, but was not written by us, or asks for what no snapshot of ours does."""


class PluginError(ModelError):
    """A plug-in estimator cannot be made, signed or read back."""
