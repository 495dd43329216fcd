"""Gives what an agent's ports raised the exit code it ends a command with."""

from __future__ import annotations

from hedgerow.agents.errors import (
    PortError,
    Refused,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
)
from hedgerow.app.access.permissions import consumer_lacks, lacking_sentence
from hedgerow.app.errors import AccessRefused, AppError, StateUnavailable, WorkerFailed
from hedgerow.app.settings import Settings
from hedgerow.models import SnapshotError


def explained(reason: BaseException, settings: Settings | None = None) -> AppError:
    """Return the error of a command for whatever stopped it.

    Parameters
    ----------
    settings : Settings, optional
        Of a worker: names what its consumer may not do, where that is the reason.
    """
    lacking = consumer_lacks(settings, reason) if settings is not None else ()
    if settings is not None and lacking:
        return AccessRefused(lacking_sentence(settings.kafka, lacking))
    if isinstance(reason, AppError):
        return reason
    if isinstance(reason, (StoreUnavailable, StoreCorrupt, StoreTooNew, SnapshotError)):
        return StateUnavailable(str(reason))
    if isinstance(reason, Refused):
        return AccessRefused(str(reason))
    if isinstance(reason, PortError):
        return WorkerFailed(str(reason))
    return WorkerFailed(f"{type(reason).__name__}: {reason}")
