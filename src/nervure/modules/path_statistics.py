"""How strongly nodes are tied by paths: what shows, or not, that a network has modules."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from nervure.errors import TopologyError
from nervure.topology import Topology

Floats = NDArray[np.float64]


def path_products(topology: Topology, weights: ArrayLike) -> Floats:
    """Sum the products of weight magnitudes over all paths from each input to each output.

    Parameters
    ----------
    topology : Topology
        Without cycles.
    weights : array_like, shape (edges,)
        In edge order.

    Returns
    -------
    ndarray of float64, shape (inputs, outputs)
        Entry [i, j] is the sum over paths from input i to output j of the product of |w| along
        them; 1 from a node to itself.

    Raises
    ------
    TopologyError
        When there is a cycle, or not one finite weight per edge.

    Notes
    -----
    Exact, in order of the graph and not path by path: O(edges * inputs) time, O(nodes * inputs)
    memory. Paper: neural-sculpting, section 2.1.

    Examples
    --------
    >>> pairs = [(0, 1), (0, 2), (1, 3), (2, 3)]
    >>> path_products(Topology.from_edges(pairs), [2.0, -3.0, 1.0, 1.0]).tolist()
    [[5.0]]
    """
    magnitudes = _magnitudes(topology, weights)
    sums = np.zeros((topology.num_nodes, len(topology.inputs)))
    sums[topology.inputs, np.arange(len(topology.inputs))] = 1.0
    for node in topology.components.order.tolist():
        row = slice(int(topology.indptr[node]), int(topology.indptr[node + 1]))
        sums[node] += magnitudes[row] @ sums[topology.sources[row]]
    return sums[topology.outputs].T


def output_strengths(topology: Topology, weights: ArrayLike) -> Floats:
    """Sum the products of weight magnitudes over all paths from each node to any output.

    Parameters
    ----------
    topology : Topology
        Without cycles.
    weights : array_like, shape (edges,)
        In edge order.

    Returns
    -------
    ndarray of float64, shape (nodes,)
        An output counts the path of no edges to itself as 1.

    Raises
    ------
    TopologyError
        When there is a cycle, or not one finite weight per edge.

    Notes
    -----
    O(nodes + edges). Paper: neural-sculpting, section 2.2; `units_covering` makes N_90 of it.

    Examples
    --------
    >>> output_strengths(Topology.from_edges([(0, 1), (1, 2), (1, 3)]), [2.0, 3.0, -1.0]).tolist()
    [8.0, 4.0, 1.0, 1.0]
    """
    magnitudes = _magnitudes(topology, weights)
    sums = np.zeros(topology.num_nodes)
    sums[topology.outputs] = 1.0
    for node in topology.components.order[::-1].tolist():
        row = slice(int(topology.indptr[node]), int(topology.indptr[node + 1]))
        # Sources of one node differ, so that no addition is lost.
        sums[topology.sources[row]] += magnitudes[row] * sums[node]
    return sums


def units_covering(strengths: ArrayLike, share: float = 0.9) -> int:
    """Count the units, strongest first, that make up a share of the total: N_90 for 0.9.

    Parameters
    ----------
    strengths : array_like
        Of the units of a layer, none negative, such as `output_strengths` of its nodes.
    share : float
        Above 0, at most 1.

    Returns
    -------
    int
        The least number of units; 0 if the total is 0.

    Raises
    ------
    TopologyError
        When the share or a strength is out of range.

    Notes
    -----
    O(n log n). Paper: neural-sculpting, section 2.2. Where a task needs only two values from a
    layer, N_90 is 2 in a network that has learned to reuse them, and near the layer's width in one
    trained as usual.

    Examples
    --------
    >>> units_covering([5.0, 0.1, 4.5, 0.4])
    2
    """
    values = np.sort(np.asarray(strengths, dtype=np.float64).ravel())[::-1]
    if not 0 < share <= 1 or not np.isfinite(values).all() or (values < 0).any():
        raise TopologyError(
            f"expected a share above 0 and at most 1 and finite strengths of at least 0, got "
            f"share {share} and strengths from {values.min(initial=math.inf)} to "
            f"{values.max(initial=-math.inf)}"
        )
    reached = np.cumsum(values)
    if not len(values) or reached[-1] == 0:
        return 0
    # A running sum may miss a share that it has on paper by its last digits.
    return int(np.searchsorted(reached, (1 - 1e-12) * share * reached[-1])) + 1


@dataclass(frozen=True)
class MeanTest:
    """A one-sided test whether one mean is below another, standard deviations unknown.

    Attributes
    ----------
    statistic : float
        Student's t; negative where the first mean is lower.
    freedom : float
        Degrees of freedom.
    p_value : float
        Probability of such a difference, or a larger one, if the means were equal.
    """

    statistic: float
    freedom: float
    p_value: float


def mean_below(lower: ArrayLike, higher: ArrayLike) -> MeanTest:
    """Test whether the mean behind one sample is below that behind another.

    Parameters
    ----------
    lower, higher : array_like
        At least two values each.

    Returns
    -------
    MeanTest
        Where neither sample varies, means are taken as known: p is 0 or 1.

    Raises
    ------
    TopologyError
        When a sample has fewer than two values.

    Notes
    -----
    B. L. Welch, "The generalization of Student's problem when several different population
    variances are involved", Biometrika 34 (1947). Paper: neural-sculpting, section 2.1, where the
    two standard deviations are unknown and not said to be equal.

    Examples
    --------
    >>> round(mean_below([0.1, 0.2, 0.1, 0.2], [1.0, 1.4, 0.9, 1.3]).p_value, 5)
    0.00126
    """
    first, second = (np.asarray(x, dtype=np.float64).ravel() for x in (lower, higher))
    if min(len(first), len(second)) < 2:
        raise TopologyError(
            f"expected at least two values in each sample, got {len(first)} and {len(second)}"
        )
    difference = float(first.mean() - second.mean())
    a, b = (float(x.var(ddof=1)) / len(x) for x in (first, second))
    if a + b == 0:
        return MeanTest(math.copysign(math.inf, difference) if difference else 0.0,
                        math.inf, 0.0 if difference < 0 else 1.0)  # fmt: skip
    freedom = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    statistic = difference / math.sqrt(a + b)
    return MeanTest(statistic, freedom, float(student.cdf(statistic, freedom)))


def input_separation(
    products: ArrayLike, inputs: ArrayLike, own: ArrayLike, other: ArrayLike
) -> MeanTest:
    """Test whether some inputs are tied less to other outputs than to their own.

    Parameters
    ----------
    products : array_like, shape (inputs, outputs)
        As `path_products` gives them.
    inputs : array_like of int
        The inputs of one part of the task, by place.
    own, other : array_like of int
        The outputs that depend on them, and those that do not, by place.

    Returns
    -------
    MeanTest
        A small p value: the network keeps the two parts apart.

    Raises
    ------
    TopologyError
        When a place does not exist, or there are fewer than two pairs of an input and an output.

    Notes
    -----
    Paper: neural-sculpting, section 2.1, where x1, x2 belong to y1, y2, and x3, x4 to y3, y4.

    Examples
    --------
    >>> products = [[9.0, 8.0, 0.1, 0.3], [7.0, 9.0, 0.2, 0.1]]
    >>> input_separation(products, inputs=[0, 1], own=[0, 1], other=[2, 3]).p_value < 0.01
    True
    """
    table = np.asarray(products, dtype=np.float64)
    rows, mine, theirs = (np.asarray(x, dtype=np.int64) for x in (inputs, own, other))
    for places, size, what in (
        (rows, table.shape[0], "inputs"),
        (np.concatenate((mine, theirs)), table.shape[1], "own and other"),
    ):
        if len(places) and not 0 <= places.min() <= places.max() < size:
            raise TopologyError(f"{what}: expected places from 0 to {size - 1}, got {places}")
    return mean_below(table[np.ix_(rows, theirs)], table[np.ix_(rows, mine)])


def _magnitudes(topology: Topology, weights: ArrayLike) -> Floats:
    values = np.abs(np.asarray(weights, dtype=np.float64))
    if values.shape != (topology.num_edges,) or not np.isfinite(values).all():
        raise TopologyError(
            f"weights: expected {topology.num_edges} finite numbers, one per edge in edge order, "
            f"got shape {values.shape}"
        )
    if not topology.is_acyclic:
        raise TopologyError(
            f"paths around a cycle have no end, so that their sum has none in {topology!r}; look "
            "at the condensation, or at a graph without cycles"
        )
    return values
