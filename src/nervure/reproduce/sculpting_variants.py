"""Table 4 of the sculpting paper: other linkages, distances and criteria on the same networks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import get_args

from nervure.errors import TopologyError
from nervure.modules import ClusteringMethod
from nervure.modules.clustering_method import Criterion, Distance, Linkage
from nervure.reproduce.sculpting import PAPER_CRITERIA
from nervure.reproduce.sculpting_trials import Found, Trial, trials


@dataclass(frozen=True)
class VariantSuccess:
    """How often a way of clustering finds the sub-functions and nothing else.

    Attributes
    ----------
    linkage, distance, criterion : str
    networks : int
    exact : float
        Share of them.
    paper : float
    """

    linkage: str
    distance: str
    criterion: str
    networks: int
    exact: float
    paper: float


def methods() -> list[ClusteringMethod]:
    """List all ways of clustering; Ward's linkage goes with Euclidean distances only."""
    return [
        ClusteringMethod(linkage, distance, criterion)
        for linkage, distance, criterion in product(
            get_args(Linkage), get_args(Distance), get_args(Criterion)
        )
        if linkage != "ward" or distance == "euclidean"
    ]


def variant_successes(found: Found) -> list[VariantSuccess]:
    """Try all of them on the sparsest networks of the part "validation".

    Notes
    -----
    The tests of separability stay, each on the dendrogram of its own linkage. Paper: appendix I.1.
    """
    networks = [trial for trial in trials(found, "validation") if trial.sculpted]
    if not networks:
        return []
    return [
        VariantSuccess(
            method.linkage,
            method.distance,
            method.criterion,
            len(networks),
            sum(_exact(trial, method) for trial in networks) / len(networks),
            PAPER_CRITERIA[method.criterion],
        )
        for method in methods()
    ]


def _exact(trial: Trial, method: ClusteringMethod) -> bool:
    try:
        return trial.agreement(method).exact
    except TopologyError:
        return False
