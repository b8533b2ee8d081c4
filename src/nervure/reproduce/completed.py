"""Only trainings that came to their end are results."""

from __future__ import annotations

from nervure.training import Fitted


def completed(fitted: Fitted) -> Fitted:
    """Give a training back if nobody broke it off.

    `fit` keeps what Ctrl-C leaves. In a ledger it would be taken for a finished training, and never
    trained again.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended it.
    """
    if fitted.interrupted:
        raise KeyboardInterrupt
    return fitted
