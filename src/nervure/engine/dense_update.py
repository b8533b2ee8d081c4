"""Decay, SGD step and choice of edges on a dense weight matrix, in one pass over it.

Done one after another with torch they take ten passes, each as slow as memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nervure import _core
from nervure.engine.native import address, supports
from nervure.engine.selection import Selection
from nervure.errors import EngineError
from nervure.topology import Topology

FORMS = ("none", "implicit", "clamped", "exact")


class SgdStep(NamedTuple):
    """Options of `torch.optim.SGD`, as numbers."""

    rate: float
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False
    maximize: bool = False


class Decay(NamedTuple):
    """How the entry (i, j), i != j, shrinks before the step.

    Attributes
    ----------
    form : {"none", "implicit", "clamped", "exact"}
        With s = strength * r: w / (1 + s), w max(0, 1 - s), w (1 - s).
    strength : float
    size : Tensor, shape (nodes,)
        r = size[i] size[j], and for present edges exp(|w| / largest) times that.
    largest : float
        Of |w| over the present edges; 0 treats them like the absent ones.
    """

    form: str
    strength: float
    size: Tensor
    largest: float


def dense_update(
    weight: Tensor,
    gradient: Tensor,
    momentum: Tensor | None,
    step: SgdStep,
    decay: Decay,
    topology: Topology,
    *,
    first: bool,
    keep: int,
    hint: float,
) -> Selection:
    """Shrink and move every weight, in place, and choose the next edges.

    Parameters
    ----------
    weight, gradient : Tensor, shape (nodes, nodes)
        [target, source], biases on the diagonal (not shrunk, not chosen); float32 or float64 on
        the CPU.
    momentum : Tensor, shape (nodes, nodes), or None
        SGD's buffer, written too.
    step, decay : SgdStep, Decay
    topology : Topology
        The present edges.
    first : bool
        Whether the buffer holds nothing yet; SGD then takes the gradient itself, undamped.
    keep : int
        Edges to choose.
    hint : float
        A guess somewhat below the next threshold, or 0; see `select_largest`.

    Returns
    -------
    Selection

    Raises
    ------
    EngineError
        If shapes, dtypes or layouts differ, or the weights became NaN.
    """
    dtype, nodes = weight.dtype, topology.num_nodes
    if not supports(weight):
        raise EngineError(f"expected float32 or float64 on the CPU, got {dtype} on {weight.device}")
    square = (nodes, nodes)
    run = _core.dense_update32 if dtype == torch.float32 else _core.dense_update64
    size = decay.size.to(dtype).contiguous()
    with torch.no_grad():
        try:
            found = run(
                nodes,
                address(weight, "weight", square, dtype),
                address(gradient, "gradient", square, dtype),
                0 if momentum is None else address(momentum, "momentum", square, dtype),
                first,
                (step.rate, step.momentum, 1 - step.dampening, step.weight_decay),
                step.nesterov,
                step.maximize,
                FORMS.index(decay.form),
                decay.strength,
                address(size, "size", (nodes,), dtype),
                decay.largest,
                topology.indptr,
                topology.sources,
                hint,
                keep,
                torch.get_num_threads(),
            )
        except ValueError as error:
            raise EngineError(f"cannot choose edges: {error}") from error
        finally:
            # Autograd must notice, as it does after an in-place operation of torch.
            torch.autograd.graph.increment_version(weight)
            if momentum is not None:
                torch.autograd.graph.increment_version(momentum)
    return Selection(*found)
