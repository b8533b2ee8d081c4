"""The job `nervure train sculpt`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nervure.data import Prepared
from nervure.errors import DataError
from nervure.jobs.bit_tasks import IMAGE_TASKS, Recipe, is_bit_task, open_bit_task, recipe_for
from nervure.jobs.recording import LearnedNetwork, Recorder
from nervure.jobs.request import TrainRequest
from nervure.jobs.sculpted_figures import modules_found, networks_found
from nervure.jobs.train import (
    Experiment,
    Listener,
    TrainResult,
    held_out_error,
    prepared,
    run_job,
    sizes_of,
)
from nervure.networks import SparseMLP
from nervure.training import Checkpoint, Fitted
from nervure.training.options import automatic_batch_size
from nervure.training.run import NETWORK
from nervure.training.sculpting import (
    Judged,
    Progress,
    Sculpted,
    SculptingOptions,
    Task,
    sculpt,
    sparsest,
)
from nervure.training.sculpting.result import Round


@dataclass(frozen=True, kw_only=True)
class SculptRequest(TrainRequest):
    """What to sculpt: to train, and to prune as far as it can bear.

    `data` may also be a task with bits as targets, as for `open_bit_task`. What is None suits it:
    for Boolean tasks it is the paper's, else 36, 36 hidden units, 15 epochs and a rate of 0.01; for
    pairs of images 64, 64 units, 40 epochs and a rate of 0.001.

    Attributes
    ----------
    hidden : tuple of int, optional
    activation : str
    unit_steps, edge_steps, weight_decay, stop_early
        As for `SculptingOptions`.
    epochs : int, optional
        Of a round.
    noise : float, optional
    threshold : float, optional
        Merit on the validation rows that pruned networks must reach. None goes by the dense
        network, but for Boolean tasks.
    tolerance : float, optional
        What may be lost of the merit of the dense network, where no threshold is given; 0.01, for
        pairs of images 0.003.
    train_rows, validation_rows : int, optional
        Pairs of images, where these are the data.
    """

    hidden: tuple[int, ...] | None = None
    activation: str = "relu"
    unit_steps: tuple[float, ...] = SculptingOptions.unit_steps
    edge_steps: tuple[float, ...] = SculptingOptions.edge_steps
    epochs: int | None = None
    weight_decay: float = SculptingOptions.weight_decay
    noise: float | None = None
    threshold: float | None = None
    tolerance: float | None = None
    stop_early: bool = False
    train_rows: int | None = None
    validation_rows: int | None = None


def train_sculpted(request: SculptRequest, listener: Listener | None = None) -> TrainResult:
    """Train a dense network, prune it as far as it can bear, and write the run folder.

    The network it is held against is itself before it was pruned.

    Parameters
    ----------
    request : SculptRequest
    listener : Listener, optional

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError, EngineError, FunctionGraphError, RunError
        With cause and remedy; the run folder keeps what was recorded up to then.
    """
    recipe = recipe_for(request.data)
    return run_job(
        request,
        lambda data: _experiment(request, data, recipe),
        listener,
        opened=lambda _: _opened(request),
    )


def _opened(request: SculptRequest) -> Prepared:
    if is_bit_task(request.data):
        given = [n for n in ("target", "task", "split_by") if getattr(request, n) is not None]
        if given:
            raise DataError(
                f"--{given[0].replace('_', '-')} is for files and datasets; {request.data} knows "
                "its own target and rows"
            )
        return open_bit_task(
            request.data, seed=request.seed, train_rows=request.train_rows,
            validation_rows=request.validation_rows,
        )  # fmt: skip
    if request.train_rows is not None or request.validation_rows is not None:
        raise DataError(
            f"--train-rows and --validation-rows are for {' and '.join(IMAGE_TASKS)}; the rows of "
            f"{request.data} are split 70 : 10 : 20"
        )
    return prepared(request, IMAGE_TASKS)


def _experiment(request: SculptRequest, data: Prepared, recipe: Recipe) -> Experiment:
    inputs, outputs = sizes_of(data)
    sizes = [inputs, *(recipe.hidden if request.hidden is None else request.hidden), outputs]
    options = _options(request, data, recipe)
    ended: list[list[Sculpted]] = []
    network = SparseMLP(sizes, density=1.0, activation=request.activation, seed=request.seed)

    def train(recorder: Recorder) -> tuple[LearnedNetwork, Fitted]:
        recorder.run.record_topology(0, network.topology)
        rounds = _Rounds(recorder, float(np.var(data.y_validation)))
        task = Task.of(
            _rows(data.x_train), data.y_train, _rows(data.x_validation), data.y_validation,
            data.task,
        )  # fmt: skip
        (networks,) = sculpt(
            [network.core], task, options, seeds=[request.seed], on_round=rounds.ended,
            checkpoint=Checkpoint(recorder.run.checkpoint_path(NETWORK), {"rounds": rounds}),
        )  # fmt: skip
        sparsest(networks).into(network.core)
        recorder.run.record_topology(len(rounds.history), network.topology)
        ended.append(networks)
        interrupted = any(one.interrupted for one in networks)
        seconds = rounds.history[-1]["seconds"]
        return network, Fitted(rounds.history, seconds=seconds, interrupted=interrupted)

    def figures(final: LearnedNetwork, fitted: Fitted) -> dict[str, Any]:
        chosen, wiring = sparsest(ended[0]), cast(SparseMLP, final)
        dense = SparseMLP(sizes, density=1.0, activation=request.activation, seed=request.seed)
        cast(Sculpted, chosen.dense).into(dense.core)
        merit = "rmse" if data.task == "regression" else "error"
        expected = {}
        if recipe.expected is not None:
            expected = {"modules_expected": list(recipe.expected(len(sizes)))}
        return {
            f"baseline_test_{merit}": held_out_error(dense, data),
            "edges": wiring.topology.num_edges,
            "edges_possible": sum(n * m for n, m in pairwise(sizes)),
            # Those left on a path from an input to an output.
            "units": int(wiring.topology.live[wiring.topology.interior].sum()),
            "units_possible": sum(sizes[1:-1]),
            "inputs_used": int(wiring.topology.live[wiring.topology.inputs].sum()),
            "validation_merit": chosen.merit,
            "threshold": chosen.threshold,
            "reached": chosen.reached,
            "unit_step": chosen.unit_step,
            "edge_step": chosen.edge_step,
            "rounds": len(fitted.history),
            **modules_found(wiring.topology, data, recipe.modularity, recipe.merge_share),
            **expected,
            "networks": networks_found(ended[0]),
            "sizes": sizes,
            "feature_importances": wiring.input_importances().tolist(),
            "baseline_seconds": fitted.history[0]["seconds"],
        }

    return Experiment(
        method="sculpt",
        label="sculpted network",
        options=None,
        train=train,
        settings={
            **asdict(options),
            "hidden": sizes[1:-1],
            "module_threshold": recipe.modularity,
            "boolean": recipe.boolean,
            "merge_share": recipe.merge_share,
            "image_shape": None if data.image_shape is None else list(data.image_shape),
        },
        figures=figures,
        baseline=None,
        baseline_label="dense network",
    )


def _options(request: SculptRequest, data: Prepared, recipe: Recipe) -> SculptingOptions:
    threshold = request.threshold
    if threshold is None and request.tolerance is None:
        threshold = recipe.threshold
    batch = request.batch_size or recipe.batch_size or automatic_batch_size(len(data.y_train))
    return SculptingOptions(
        epochs=recipe.epochs if request.epochs is None else request.epochs,
        batch_size=batch,
        learning_rate=(
            recipe.learning_rate if request.learning_rate is None else request.learning_rate
        ),
        weight_decay=request.weight_decay,
        noise=recipe.noise if request.noise is None else request.noise,
        threshold=threshold,
        tolerance=recipe.tolerance if request.tolerance is None else request.tolerance,
        unit_steps=request.unit_steps,
        edge_steps=request.edge_steps,
        stop_early=request.stop_early,
    )


def _rows(x: NDArray[np.float32] | csr_matrix) -> NDArray[np.float32]:
    return x if isinstance(x, np.ndarray) else np.asarray(x.toarray(), dtype=np.float32)


@dataclass
class _Rounds:
    """Writes down each round as it ends: all networks trained in it, and the sparsest so far."""

    recorder: Recorder
    variance: float
    history: list[dict[str, Any]] = field(default_factory=list)
    best: Judged | None = None

    def ended(self, progress: Progress) -> None:
        """Take note of a round."""
        accepted = [one for one in progress.judged if one.round.accepted]
        # Of equals the latest: a round may leave the edges and change the weights.
        known = accepted if self.best is None else [*accepted, self.best]
        self.best = min(known, key=lambda one: one.round.edges, default=None)
        row = {
            "epoch": progress.round + 1,
            "seconds": progress.seconds,
            "networks": progress.active,
            "accepted": len(accepted),
            "finished": progress.finished,
            **self._sparsest(),
            "branches": [
                {"unit_step": one.unit_step, "edge_step": one.edge_step, **asdict(one.round)}
                for one in progress.judged
            ],
        }
        self.history.append(row)
        self.recorder.record(row)

    def state_dict(self) -> dict[str, Any]:
        """Give how many rounds there were and the sparsest network, for a checkpoint."""
        best = None if self.best is None else asdict(self.best)
        return {"rounds": len(self.history), "best": best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after some of the rounds that the run has."""
        self.recorder.run.rewind(state["rounds"])
        self.history = self.recorder.run.epochs()
        best = state["best"]
        self.best = None if best is None else Judged(**{**best, "round": Round(**best["round"])})

    def _sparsest(self) -> dict[str, Any]:
        if self.best is None:
            return {}
        found, regression = self.best.round, self.recorder.data.task == "regression"
        return {
            "edges": found.edges,
            "units": found.nodes,
            **(
                {"validation_rmse": math.sqrt(max(0.0, (1 - found.merit) * self.variance))}
                if regression
                else {"validation_error": 1 - found.merit}
            ),
        }
