"""`nervure inspect RUN`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from nervure.cli.completion import runs
from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.jobs.predict import model_file
from nervure.jobs.run_facts import plain_text
from nervure.modules import module_statistics
from nervure.training.model_file import load_model
from nervure.training.run import Run

# Of a run's settings, what is said elsewhere, or says nothing of how it was trained.
_NOT_SETTINGS = (
    "messages", "data", "epochs", "target_std", "image_shape", "boolean", "node", "baseline",
)  # fmt: skip
_FIGURES = (
    "test_error", "test_rmse", "baseline_test_error", "baseline_test_rmse", "units",
    "units_possible", "modules", "modules_by_level", "modules_expected", "test_error_all_edges",
    "test_rmse_all_edges", "threshold", "sparsity", "live_nodes", "nodes_by_stage",
    "parameters_start",
)  # fmt: skip
# Networks without cycles by construction, of whose modules there is nothing to say.
_ACYCLIC = ("BlockDAG", "FreeNet", "SparseMLP")


def inspect(
    run: Annotated[
        Path, typer.Argument(help="Run folder or model.safetensors file.", autocompletion=runs)
    ],
    as_json: Json = False,
) -> None:
    """Say what a run trained: settings, figures, wiring, modules, files."""
    facts = _facts(run)
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    table = Table(title=escape(str(run)), show_header=False)
    table.add_column("")
    table.add_column("", overflow="fold")
    for key, value in facts.items():
        table.add_row(key.replace("_", " "), escape(_shown(key, value)))
    result_console().print(table)


def _facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if path.is_dir():
        run = Run.open(path)
        facts["status"] = run.status
        if run.reason is not None:
            facts["reason"] = run.reason
        first = {key: run.config.get(key) for key in ("method", "dataset")}
        for key, value in (first | run.config).items():
            shown = key not in _NOT_SETTINGS and not key.startswith("baseline_")
            if shown and value not in (None, []):
                facts[key] = value
        result = run.result or {}
        for key in _FIGURES:
            if key in result:
                facts[key] = result[key]
        recorded = len(run.epochs())
        facts["rounds" if run.config.get("method") == "sculpt" else "epochs"] = recorded
        if not run.model_path.exists():
            return facts
    file = model_file(path)
    loaded = load_model(file)
    topology = getattr(loaded.network, "topology", None)
    facts["parameters"] = sum(p.numel() for p in loaded.network.parameters())
    facts["file_bytes"] = file.stat().st_size
    if topology is not None:
        facts |= {
            "nodes": topology.num_nodes,
            "edges": topology.num_edges,
            "density": topology.density,
            "depth": topology.depth,
        }
    if topology is not None and loaded.metadata["network"]["kind"] not in _ACYCLIC:
        modules = module_statistics(topology)
        facts |= {
            "modules": modules.count,
            "module_sizes": list(modules.sizes),
            "nodes_in_modules": modules.covered,
            "balance": None if math.isnan(modules.balance) else modules.balance,
        }
    return facts


def _shown(key: str, value: Any) -> str:  # noqa: ANN401
    if isinstance(value, float) and "error" in key:
        return f"{100 * value:.2f} %"
    if isinstance(value, list):
        most = 20
        return ", ".join(map(plain_text, value[:most])) + (", ..." if len(value) > most else "")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return plain_text(value)
