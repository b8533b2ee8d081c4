"""Graphs as points of a plane, alike ones close together."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from nervure.measures.similarity import Missing, standardised
from nervure.measures.table import MeasureTable
from nervure.optional import install, require


def embedding(
    table: MeasureTable,
    seed: int,
    *,
    method: Literal["umap", "pca"] = "umap",
    neighbours: int = 15,
    missing: Missing = "raise",
) -> npt.NDArray[np.float64]:
    """Place graphs in the plane by their standardised measures.

    Parameters
    ----------
    table : MeasureTable
        At least four graphs for "umap", two for "pca".
    seed : int
        Of UMAP; without meaning for "pca".
    method : {"umap", "pca"}
        UMAP keeps neighbours together and needs an optional package; the first two principal
        components need none, and keep large distances rather than neighbours.
    neighbours : int
        Of UMAP (its ``n_neighbors``); at most one less than there are graphs is used.
    missing : {"raise", "mean", "drop"}
        As in `standardised`.

    Returns
    -------
    ndarray of float64, shape (rows, 2)

    Raises
    ------
    MissingDependencyError
        When umap-learn is not installed.

    Notes
    -----
    Paper: connectivity-tradeoff, Figure 8. UMAP compiles itself when it first runs, which takes
    about a minute. Signs of principal components are such that the largest entry of each axis is
    positive.

    References
    ----------
    L. McInnes et al., "UMAP: uniform manifold approximation and projection for dimension
    reduction" (2018).

    Examples
    --------
    >>> from nervure.measures import characterise
    >>> from nervure.topology import dense_dag
    >>> table = characterise([dense_dag(n) for n in (4, 5, 6, 9)])
    >>> embedding(table, seed=0, method="pca").shape
    (4, 2)
    """
    if method not in ("umap", "pca"):
        raise ValueError(f"method: expected umap or pca, got {method!r}")
    # Before the package is looked for: a table that cannot be used is the nearer cause.
    features = standardised(table, missing)
    least = 4 if method == "umap" else 2
    if len(features) < least or not features.shape[1]:
        raise ValueError(
            f"{method} needs at least {least} graphs and a measure in which they differ, got "
            f"{len(features)} graphs and {features.shape[1]} such measures"
        )
    if method == "pca":
        return _principal(features)
    umap = require(
        "umap",
        "embedding",
        f'{install("umap")}; method="pca" needs nothing',
        package="umap-learn",
    )
    # One job: with a seed UMAP would fall back to it, and warn.
    reducer = umap.UMAP(
        n_components=2,
        n_neighbors=min(neighbours, len(features) - 1),
        init="spectral" if len(features) > 4 else "random",
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(reducer.fit_transform(features), dtype=np.float64)


def _principal(features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, _, axes = np.linalg.svd(features, full_matrices=False)
    axes = axes[:2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    xy = np.zeros((len(features), 2))
    xy[:, : len(axes)] = features @ (axes * np.sign(largest)).T
    return xy
