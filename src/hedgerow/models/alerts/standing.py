"""How many alerts stand open, by kind: read from the rows and from the lines of silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hedgerow.models.alerts.silence import OPENING_OFFSET, Silence
from hedgerow.models.alerts.words import KIND_NAMES
from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.layout import ALERT_SIZE, ALERTS, OPEN, SILENT


def open_alerts(banks: Sequence[Bank], silence: Silence) -> dict[str, int]:
    """Count the episodes that are open now.

    Returns
    -------
    dict of str to int
        By kind; every kind is there.
    """
    found = dict.fromkeys(KIND_NAMES.values(), 0)
    for bank in banks:
        rows = bank.rows[: bank.count]
        for kind, name in KIND_NAMES.items():
            if kind != SILENT:
                found[name] += int(np.count_nonzero(rows[:, ALERTS + kind * ALERT_SIZE + OPEN]))
    found[KIND_NAMES[SILENT]] = int((silence.lines[:, OPENING_OFFSET] >= 0.0).sum())
    return found
