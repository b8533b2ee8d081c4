"""The head of a report: what was run, how it ended, what came out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nervure.report.curves import series
from nervure.report.material import Material
from nervure.report.words import duration, escape, finite, number, percent, plural


def headline(material: Material, title: str) -> str:
    """Say what was run, how it ended and what came out."""
    ends = {
        "finished": "",
        "failed": "This run failed, so the page shows what was recorded before: ",
        "interrupted": "This run was interrupted, so the page shows what was recorded before. ",
        "running": "This run had not ended when the page was written.",
    }
    parts = [f"<h1>{escape(title)}</h1>"]
    began = f"started {material.started}" if material.started else ""
    seed = material.get("seed")
    line = ", ".join(filter(None, (began, f"seed {seed}" if seed is not None else "")))
    parts.append(f'<p class="quiet">{escape(line)}</p>')
    ending = ends.get(material.status, material.status)
    if ending:
        reason = material.reason or ("no reason given" if material.status == "failed" else "")
        parts.append(f'<p class="note" role="status">{escape(ending + reason)}</p>')
    if material.result.get("converged") is False:
        text = "Some samples found no equilibrium in training; figures below may be unreliable."
        parts.append(f'<p class="note">{text}</p>')
    parts += [f'<p class="note">{escape(note)}</p>' for note in material.notes]
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"{f'<small>{escape(aside)}</small>' if aside else ''}</dd></div>"
        for name, value, aside in _facts(material)
    )
    return "\n".join(parts) + (f"\n<dl>{facts}</dl>" if facts else "")


def _facts(material: Material) -> list[tuple[str, str, str]]:
    """Name, value and a smaller remark of each figure in the headline."""
    facts = []
    result, other = material.result, material.baseline_label
    for key, name, write in (
        ("test_error", "Test error", percent),
        ("test_rmse", "Test RMSE", number),
    ):
        own, plain = finite(result.get(key)), finite(result.get(f"baseline_{key}"))
        if own is not None:
            whole = finite(result.get(f"{key}_all_edges"))
            asides = [] if whole is None else [f"with all edges: {write(whole)}"]
            asides += [] if plain is None else [f"{other}: {write(plain)}"]
            facts.append((name, write(own), "; ".join(asides)))
    if not facts:
        facts += _last_validation(material)
    own, plain = (finite(result.get(f"{whose}parameters")) for whose in ("", "baseline_"))
    if own is not None:
        before = finite(result.get("parameters_start"))
        asides = [] if before is None else [f"of {number(before)}"]
        asides += [] if plain is None else [f"{other}: {number(plain)}"]
        facts.append(("Parameters", number(own), "; ".join(asides)))
    facts += _wiring(material)
    seconds = finite(result.get("seconds"))
    times = series(material.epochs, "seconds")
    if seconds is None and np.isfinite(times).any():
        seconds = float(np.nanmax(times))
    if seconds is not None:
        facts.append(
            ("Training time", duration(seconds), plural(len(material.epochs), material.period))
        )
    return facts


def _wiring(material: Material) -> list[tuple[str, str, str]]:
    facts = []
    result, topology = material.result, material.topology
    edges = finite(result.get("edges"))
    possible = finite(result.get("edges_possible"))
    if topology is not None:
        pairs = topology.num_nodes * (topology.num_nodes - 1)
        edges = topology.num_edges if edges is None else edges
        if possible is None and material.sizes:
            possible = float(sum(n * m for n, m in pairwise(material.sizes)))
        possible = (pairs if material.cyclic else pairs // 2) if possible is None else possible
    if edges is not None:
        aside = f"of {number(possible)} possible ({percent(edges / possible)})" if possible else ""
        facts.append(("Edges kept", number(edges), aside))
    if not material.cyclic:
        if topology is not None:
            facts.append(("Longest path", plural(topology.depth, "edge"), ""))
        return facts + _of_blocks(material) + _of_sculpting(material)
    count, largest = finite(result.get("modules")), finite(result.get("largest_module"))
    if topology is not None:
        sizes = [len(module) for module in topology.components.modules]
        count = len(sizes) if count is None else count
        largest = max(sizes, default=0) if largest is None else largest
    if count is not None:
        aside = f"largest: {plural(int(largest), 'node')}" if largest else ""
        facts.append(("Modules", number(count), aside))
    return facts


def _of_blocks(material: Material) -> list[tuple[str, str, str]]:
    live, start = (finite(material.result.get(key)) for key in ("live_nodes", "nodes_start"))
    threshold = finite(material.result.get("threshold"))
    if not material.tradeoff or live is None or start is None or threshold is None:
        return []
    how = "given" if material.config.get("threshold") is not None else "by validation"
    return [
        ("Nodes", number(live), f"of {number(start)}"),
        ("Threshold", number(threshold), how),
    ]


def _of_sculpting(material: Material) -> list[tuple[str, str, str]]:
    units, possible = (finite(material.result.get(key)) for key in ("units", "units_possible"))
    facts = []
    if units is not None and possible is not None:
        facts.append(("Hidden units", number(units), f"of {number(possible)} at the start"))
    if material.modules is not None:
        hierarchy = material.modules.hierarchy
        aside = f"on {plural(len(hierarchy.levels), 'level')}"
        expected = material.result.get("modules_expected")
        if isinstance(expected, list):
            aside += f"; the paper expects {number(sum(expected))}"
        facts.append(("Modules", number(len(hierarchy.modules)), aside))
    return facts


def _last_validation(material: Material) -> list[tuple[str, str, str]]:
    for key, name, write in (
        ("validation_error", "Best validation error", percent),
        ("validation_rmse", "Best validation RMSE", number),
    ):
        values = series(material.epochs, key)
        if np.isfinite(values).any():
            return [(name, write(float(np.nanmin(values))), "no test result was recorded")]
    return []
