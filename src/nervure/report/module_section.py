"""The part of a report on a pruned network: its modules, and which of them feeds which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from nervure.errors import NervureError, TopologyError
from nervure.modules import (
    BOOLEAN_SHARE,
    BOOLEAN_THRESHOLD,
    Detection,
    Hierarchy,
    detect_modules,
    recovered_formulas,
)
from nervure.networks import GraphLayer, SparseMLP, node_topology
from nervure.report.hierarchy_drawing import hierarchy_drawing
from nervure.report.modules_drawing import network_by_module
from nervure.report.page import picture, section
from nervure.report.words import escape, finite, plural
from nervure.topology import Topology

METHODS = ("sculpt",)
"""Methods whose runs end in a network pruned for its modules."""

_LISTED = 40  # modules in words
_DESCRIBED = 6  # modules in the words that stand for a picture


@dataclass(frozen=True)
class ModulesOfRun:
    """What a run's network falls into.

    Attributes
    ----------
    detection : Detection
    hierarchy : Hierarchy
    """

    detection: Detection
    hierarchy: Hierarchy


def modules_of_run(
    config: Mapping[str, Any],
    network: nn.Module | None,
    topology: Topology | None,
    names: Mapping[str, Sequence[str]],
) -> ModulesOfRun | str:
    """Find the modules of a run's network.

    Parameters
    ----------
    config : mapping
        Settings of the run. ``module_threshold`` and ``merge_share`` go to `detect_modules`; if
        ``boolean`` is true, inputs are 0 or 1 and what modules compute is written as formulas.
    network : torch.nn.Module or None
        As trained; without it the wiring alone is looked at.
    topology : Topology or None
        As last recorded.
    names : mapping of str to sequence of str
        Of "inputs" and "outputs"; ignored if they are not as many.

    Returns
    -------
    ModulesOfRun or str
        Or why there are none, in a sentence.
    """
    known = isinstance(network, GraphLayer | SparseMLP)
    try:
        wiring = node_topology(network) if network is not None and known else topology
        if wiring is None:
            return "No wiring was recorded, so its modules are not known."
        threshold, share = finite(config.get("module_threshold")), finite(config.get("merge_share"))
        detection = detect_modules(
            wiring,
            threshold=BOOLEAN_THRESHOLD if threshold is None else threshold,
            merge_share=BOOLEAN_SHARE if share is None else share,
        )
        hierarchy = Hierarchy.from_detection(
            detection,
            input_names=_fitting(names.get("inputs"), len(wiring.inputs)),
            output_names=_fitting(names.get("outputs"), len(wiring.outputs)),
        )
    except TopologyError as error:
        return f"Its modules are not known: {error}."
    if network is not None and known and config.get("boolean") is True:
        try:
            formulas = recovered_formulas(network, detection, hierarchy)
            hierarchy = hierarchy.with_formulas(formulas)
        except NervureError as error:
            return f"What its modules compute is not known: {error}."
    return ModulesOfRun(detection, hierarchy)


def module_section(found: ModulesOfRun) -> str:
    """Show the network coloured by module, the hierarchy, and each module in a sentence.

    Parameters
    ----------
    found : ModulesOfRun

    Returns
    -------
    str
        HTML.
    """
    hierarchy, detection = found.hierarchy, found.detection
    count, levels = len(hierarchy.modules), len(hierarchy.levels)
    lead = (
        "A module is a group of units that belong together: they feed the same later units, and "
        "nearly all their connections stay among them. Those on a higher level read those below."
    )
    computes = any(module.formulas for module in hierarchy.modules)
    boxes = "Inputs at the left, outputs at the right; arrows lead to the modules that read others."
    if computes:
        boxes += (
            " In the boxes, what the network computes from inputs of 0 and 1: ~ is not, & and, "
            "| or, ^ either but not both; M1.2 is the second unit of M1 that others read."
        )
    sentences = [f"{m.name}: {hierarchy.sentence(m)}" for m in hierarchy.modules[:_LISTED]]
    which = "The modules" if count <= _LISTED else f"The first {_LISTED} of {count:,} modules"
    whole = (
        f"{plural(detection.num_edges, 'edge')} between "
        f"{plural(int((detection.module_of >= 0).sum()), 'unit')}, in {plural(count, 'module')} on "
        f"{plural(levels, 'level')}."
    )
    described = " ".join([whole, *sentences[:_DESCRIBED]])
    return section(
        "found-modules",
        "Modules of the pruned network",
        f"<p>{escape(lead)}</p>",
        picture(hierarchy_drawing(hierarchy), "hierarchy", described, boxes),
        picture(
            network_by_module(detection, hierarchy),
            "network",
            whole,
            f"{whole} Units bear the number of their module, edges inside a module its colour.",
        ),
        f"<details><summary>{which} in words</summary>"
        f"{''.join(f'<p>{escape(text)}</p>' for text in sentences)}</details>",
    )


def _fitting(names: Sequence[str] | None, count: int) -> Sequence[str] | None:
    return names if names is not None and len(names) == count else None
