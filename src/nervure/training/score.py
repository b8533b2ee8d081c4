"""The comprehensive score: one number for accuracy and time together."""

from __future__ import annotations

from nervure.errors import DataError


def comprehensive_score(
    seconds: float,
    accuracy: float,
    base_seconds: float,
    base_accuracy: float,
    *,
    weight: float = 0.1,
) -> float:
    """Weigh the time saved against the accuracy lost, both relative to a base.

    S = weight R + (1 - weight) (1 - A), where R = (T_base - T) / T_base is the share of time saved
    and A = (A_base - A) / A_base the share of accuracy lost. The base itself has 1 - weight.

    Parameters
    ----------
    seconds, base_seconds : float
        Times of the same work, above 0.
    accuracy, base_accuracy : float
        The base's above 0.
    weight : float
        Of time, 0 to 1; the paper has 0.1.

    Returns
    -------
    float

    Raises
    ------
    DataError
        If the weight is out of range, or time or accuracy of the base is not above 0.

    Notes
    -----
    Paper: motif-set, eq. 1 to 3.

    Examples
    --------
    >>> from nervure.training import comprehensive_score
    >>> round(comprehensive_score(14307.5, 0.733, 25236.2, 0.761), 4)
    0.9102
    """
    problems = []
    if not 0 <= weight <= 1:
        problems.append(f"weight: expected 0 to 1, got {weight}")
    if not (base_seconds > 0 and base_accuracy > 0):
        problems.append(
            f"base: expected time and accuracy above 0, got {base_seconds} and {base_accuracy}"
        )
    if problems:
        raise DataError("; ".join(problems))
    saved = (base_seconds - seconds) / base_seconds
    lost = (base_accuracy - accuracy) / base_accuracy
    return weight * saved + (1 - weight) * (1 - lost)
