"""`Repulsion`: keep the strongest edges of a complete graph, and push large modules apart."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nervure import engine
from nervure.engine import native
from nervure.engine.dense_update import Decay, SgdStep, dense_update
from nervure.errors import EngineError
from nervure.networks import NeuralModules
from nervure.rules.before_step import before_step
from nervure.rules.fused import fusible_sgd, momentum_buffer
from nervure.rules.rule import Rewiring
from nervure.rules.trained_layer import core_of, group_of, trains
from nervure.topology import Topology

Penalty = Literal["repulsion", "l2", "none"]
Form = Literal["implicit", "clamped", "exact"]
Scale = Literal["mean", "none"]

# The next threshold lies above this share of the last one, but for a wild step.
_HINT = 0.9
_DIVERGED = "training has probably diverged, so lower the learning rate or pass contraction=0.95"

ALPHA = 1e-3
"""The default strength of the penalty; docs/neural-modules.md says why."""


class Repulsion:
    """Learn the wiring of a `NeuralModules` network (paper: neural-modules, Algorithms 1 to 3).

    After every optimizer step the `keep` largest |w| of the dense matrix become the edges. The
    optimizer has by then moved *all* entries by the gradient taken at the sparse graph (Lin et al.
    2020), so an absent edge can come back. Before each optimizer step, as decoupled weight decay,
    the weights shrink by their penalty.

    Parameters
    ----------
    network : NeuralModules, or GraphLayer, or a module whose `core` is one
        With dense storage.
    optimizer : torch.optim.Optimizer
        The one that trains it; its learning rate is the eta of the decay.
    keep : int
        Edges kept, k; biases are not counted.
    alpha : float
        Strength of the penalty, at least 0.
    penalty : {"repulsion", "l2", "none"}
        "repulsion" is NM regularisation, r_ij = z_i z_j exp(|w_ij| / max |w|), where z is the size
        of a node's module and absent edges count as |w| = 0 (eq. 9 and 10); "l2" has r = 1.
    form : {"implicit", "clamped", "exact"}
        How w shrinks: w / (1 + eta alpha r); w max(0, 1 - eta alpha r); or w (1 - eta alpha r),
        which is Theorem 3.1 to the letter and flips signs when eta alpha r exceeds 1 (r reaches
        p^2).
    scale : {"mean", "none"}
        Whether z is taken relative to its mean over nodes, so that alpha means the same for
        networks of any size.

    Raises
    ------
    EngineError
        If the network has no core, or it has sparse storage, is not trained by the optimizer, or an
        option is out of range.

    Examples
    --------
    >>> import torch
    >>> from nervure import NeuralModules
    >>> from nervure.rules import Repulsion
    >>> net = NeuralModules(4, 2, nodes=20, seed=0)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
    >>> rule = Repulsion(net, optimizer, keep=40)
    >>> net(torch.ones(8, 4)).sum().backward()
    >>> optimizer.step()
    >>> rule.step().after.num_edges
    40
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        keep: int,
        alpha: float = ALPHA,
        penalty: Penalty = "repulsion",
        form: Form = "implicit",
        scale: Scale = "mean",
    ) -> None:
        layer = core_of(network)
        possible = layer.topology.num_nodes * (layer.topology.num_nodes - 1)
        problems = []
        if layer.storage != "dense":
            problems.append(
                "network: expected dense storage (absent edges need weights), got sparse"
            )
        if not 1 <= keep <= possible:
            problems.append(f"keep: expected 1 to {possible}, got {keep}")
        if not alpha >= 0:
            problems.append(f"alpha: expected at least 0, got {alpha}")
        for name, value, allowed in (
            ("penalty", penalty, ("repulsion", "l2", "none")),
            ("form", form, ("implicit", "clamped", "exact")),
            ("scale", scale, ("mean", "none")),
        ):
            if value not in allowed:
                problems.append(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
        if not trains(optimizer, layer.weight):
            problems.append("optimizer: does not hold the weights of this network")
        if problems:
            raise EngineError("; ".join(problems))
        self.layer = layer
        self.keep = keep
        self.alpha = alpha
        self.penalty: Penalty = penalty
        self.form: Form = form
        self.scale: Scale = scale
        self.gamma = 0.0
        self._network = network
        self._chosen: tuple[int, engine.Selection] | None = None
        self._gradient: Tensor | None = None
        self._hooks = (
            before_step(optimizer, self._before_optimizer_step),
            optimizer.register_step_post_hook(self._after_optimizer_step),
        )
        self.step()

    def detach(self) -> None:
        """Take the decay off the optimizer; the rule can still `step`."""
        for hook in self._hooks:
            hook.remove()

    def module_sizes(self) -> Tensor:
        """Size of every node's module, relative to the mean if so scaled; shape (nodes,)."""
        weight, components = self.layer.weight, self.layer.topology.components
        z = components.sizes[components.labels].astype(np.float64)
        if self.scale == "mean":
            z /= z.mean()
        return torch.from_numpy(z).to(weight.device, weight.dtype)

    def repulsion(self) -> Tensor:
        """Give r of eq. 10, shape (nodes, nodes), [target, source], zero on the diagonal."""
        weight = self.layer.weight.detach()
        topology = self.layer.topology
        if self.penalty == "l2":
            r = torch.ones_like(weight)
        else:
            size = self.module_sizes()
            r = torch.outer(size, size)
            targets = torch.from_numpy(topology.targets.astype(np.int64)).to(weight.device)
            sources = torch.from_numpy(topology.sources.astype(np.int64)).to(weight.device)
            strength = weight[targets, sources].abs()
            # The distance is exp(-w~) with w~ normalised by the strongest edge: dividing by it
            # is multiplying by exp(w~). Absent edges have w~ = 0.
            largest = strength.max().clamp_min(torch.finfo(weight.dtype).tiny)
            r[targets, sources] *= torch.exp(strength / largest)
        r.diagonal().zero_()  # biases are not edges
        return r

    @torch.no_grad()
    def _before_optimizer_step(self, optimizer: torch.optim.Optimizer, by_closure: bool) -> None:
        # Decaying before the optimizer step, on weights whose gradient is already taken, makes the
        # two together Theorem 3.1: w <- w (1 - eta alpha r) - eta dJ/dw.
        self._chosen = None
        weight = self.layer.weight
        group = group_of(optimizer, weight)
        if group is None:
            raise EngineError(
                "optimizer: it does not hold the weights of this network any more; make the rule "
                "anew with the optimizer that trains them"
            )
        # With a closure the optimizer is on its way, and moves by the gradients that it finds.
        sgd = None if by_closure else fusible_sgd(optimizer, group, weight)
        if sgd is not None:
            self._step_at_once(optimizer, sgd)
            return
        if self.penalty == "none" or self.alpha == 0:
            return
        shrink = self.repulsion().mul_(float(group["lr"]) * self.alpha)
        if self.form == "implicit":
            weight.div_(shrink.add_(1))
        elif self.form == "clamped":
            weight.mul_(shrink.neg_().add_(1).clamp_min_(0))
        else:
            weight.mul_(shrink.neg_().add_(1))

    def _step_at_once(self, optimizer: torch.optim.Optimizer, sgd: SgdStep) -> None:
        """Do the decay, the optimizer's step on the matrix, and the choice, in one pass."""
        layer, weight = self.layer, self.layer.weight
        assert weight.grad is not None
        buffer, first = momentum_buffer(optimizer, weight, sgd)
        decays = self.penalty != "none" and self.alpha > 0
        largest = 0.0
        size = torch.ones(len(weight), dtype=weight.dtype)
        if decays and self.penalty == "repulsion":
            size = self.module_sizes()
            if layer.topology.num_edges:
                tiny = torch.finfo(weight.dtype).tiny
                edges, _ = native.gather_edges(layer.plan, weight)
                largest = max(float(edges.abs().max()), tiny)
        try:
            chosen = dense_update(
                weight, weight.grad, buffer, sgd,
                Decay(self.form if decays else "none", sgd.rate * self.alpha, size, largest),
                layer.topology, first=first, keep=self.keep, hint=_HINT * self.gamma,
            )  # fmt: skip
        except EngineError as error:
            raise EngineError(f"{error}; {_DIVERGED}") from error
        # Hidden from the optimizer, which would step again; given back after its step.
        self._gradient, weight.grad = weight.grad, None
        self._chosen = (weight._version, chosen)

    def _after_optimizer_step(self, *_: object) -> None:
        hidden, self._gradient = self._gradient, None
        if hidden is not None and self.layer.weight.grad is None:
            self.layer.weight.grad = hidden

    @torch.no_grad()
    def step(self) -> Rewiring:
        """Keep the `keep` largest |w|, and project them if the layer asks for contraction.

        Returns
        -------
        Rewiring

        Notes
        -----
        O(nodes^2): one selection over the dense matrix. Ties at the threshold go by position. With
        a plain `torch.optim.SGD` on the CPU, decay, step and selection are one pass over it.
        """
        layer = self.layer
        before = layer.topology
        chosen = None
        if self._chosen is not None and self._chosen[0] == layer.weight._version:
            chosen = self._chosen[1]
        self._chosen = None
        if chosen is None:
            try:
                chosen = engine.select_largest(layer.weight, self.keep, hint=_HINT * self.gamma)
            except EngineError as error:
                raise EngineError(f"{error}; {_DIVERGED}") from error
        indptr, sources, gamma = chosen
        after = Topology._trusted(before.num_nodes, indptr, sources, before.inputs, before.outputs)
        layer.set_topology_(after)
        layer.project_()
        self.gamma = gamma
        if isinstance(self._network, NeuralModules):
            self._network.gamma.fill_(gamma)
        return Rewiring(before, after)

    def state_dict(self) -> dict[str, Any]:
        """Options and threshold; the wiring itself is part of the network's state."""
        return {
            "keep": self.keep,
            "alpha": self.alpha,
            "penalty": self.penalty,
            "form": self.form,
            "scale": self.scale,
            "gamma": self.gamma,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        # By name: a state may come from a file, and must not set what it likes.
        for key in self.state_dict():
            setattr(self, key, state[key])
