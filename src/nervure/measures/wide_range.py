"""Sums over incoming edges of numbers far beyond the range of floats.

A number is ``mantissa * 2 ** exponent`` with the exponent an integer of its own. Such sums are as
exact as those of floats, and cheaper than sums of logarithms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nervure.topology.edges import Int32s, Int64s

Floats = npt.NDArray[np.float64]
_NOTHING = np.int64(-(2**62))  # exponent of zero: below every other one
_WITHIN_FLOATS = 1000  # powers of two; floats span 1022 below 1 before they lose digits


class Wide(NamedTuple):
    """Nonnegative numbers of any magnitude.

    Attributes
    ----------
    mantissa : ndarray of float64
        In [0.5, 1), or 0.
    exponent : ndarray of int64
    """

    mantissa: Floats
    exponent: Int64s

    def log(self) -> Floats:
        """Natural logarithm; -inf of zero."""
        with np.errstate(divide="ignore"):
            logs: Floats = np.log(self.mantissa)
        logs += np.where(self.mantissa > 0, self.exponent, 0) * np.log(2)
        return logs

    def at(self, where: Int32s) -> Wide:
        """Pick some of the numbers."""
        return Wide(self.mantissa[where], self.exponent[where])


def wide(values: Floats) -> Wide:
    """Take floats for wide numbers."""
    mantissa, exponent = np.frexp(values)
    return Wide(mantissa, np.where(mantissa > 0, exponent.astype(np.int64), _NOTHING))


def segment_sums(numbers: Wide, members: Int32s, starts: Int64s) -> Wide:
    """Sum ``numbers[members]`` over segments; none may be empty.

    Parameters
    ----------
    numbers : Wide
    members : ndarray of int
        Which numbers are summed, segment after segment.
    starts : ndarray of int
        Where each segment begins in `members`, rising strictly.

    Returns
    -------
    Wide
        One sum per segment.
    """
    exponent = numbers.exponent[members]
    highest = np.maximum.reduceat(exponent, starts)
    sizes = np.diff(np.append(starts, len(members)))
    # What is 2^1100 times smaller than the largest of its segment would not change the sum.
    shift = np.maximum(exponent - np.repeat(highest, sizes), -1100)
    terms = np.ldexp(numbers.mantissa[members], shift.astype(np.int32))
    sums = wide(np.add.reduceat(terms, starts))
    exponent = np.where(sums.mantissa > 0, sums.exponent + highest, _NOTHING)
    return Wide(sums.mantissa, exponent)


def product(matrix: sp.csr_array, numbers: Wide) -> Wide:
    """Multiply a matrix of zeros and ones, without stored zeros, by a vector."""
    present = numbers.exponent[numbers.mantissa > 0]
    if not len(present):
        return numbers
    highest = int(present.max())
    if highest - int(present.min()) < _WITHIN_FLOATS:
        # All fit into floats side by side, where SciPy is some twenty times as fast.
        shift = np.maximum(numbers.exponent - highest, -1100)
        sums = wide(matrix @ np.ldexp(numbers.mantissa, shift.astype(np.int32)))
        return Wide(sums.mantissa, np.where(sums.mantissa > 0, sums.exponent + highest, _NOTHING))
    result = wide(np.zeros(len(numbers.mantissa)))
    rows = np.flatnonzero(np.diff(matrix.indptr))  # segments may not be empty
    found = segment_sums(numbers, matrix.indices, matrix.indptr[rows].astype(np.int64))
    result.mantissa[rows], result.exponent[rows] = found
    return result


def total_log(numbers: Wide) -> float:
    """Natural logarithm of the sum of all numbers; -inf of none."""
    logs = numbers.log()
    return float(np.logaddexp.reduce(logs)) if len(logs) else -np.inf
