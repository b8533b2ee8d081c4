"""The reference backend: plain torch, level by level, on any device and in any float dtype.

It is kept simple and right. The native backend must agree with it, and hands to it the few samples
whose equilibrium plain sweeps do not find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nervure.engine.activations import apply_slope, apply_value
from nervure.engine.plan import Plan, Sections, sections
from nervure.engine.solvers import (
    FixedPoint,
    Step,
    anderson,
    newton,
    pseudo_transient,
    scaled_residual,
    single_at_least,
    sweep_until_still,
)

# Newton and the direct adjoint solve form dense Jacobians; beyond this many nodes they do not.
DENSE_LIMIT = 4096


@dataclass(frozen=True)
class Solved:
    """Values of all nodes after a forward or an adjoint walk.

    Attributes
    ----------
    value : Tensor, shape (batch, nodes)
        a (forward) or dL/dz (adjoint).
    slope : Tensor, shape (batch, nodes)
        f'(z); forward only.
    converged : Tensor of bool, shape (batch,)
    residual : Tensor, shape (batch,)
        Worst residual over components.
    failed : Tensor of int64, shape (batch,)
        First component that did not converge, -1 if all did.
    sweeps : int
    """

    value: Tensor
    slope: Tensor
    converged: Tensor
    residual: Tensor
    failed: Tensor
    sweeps: int


@dataclass(frozen=True)
class _Block:
    """Some nodes and the edges among them, numbered locally."""

    nodes: Tensor
    sources: Tensor
    targets: Tensor
    weight: Tensor

    def push(self, x: Tensor) -> Tensor:
        """sum_j w_ji x_j for the edges inside the block."""
        return torch.zeros_like(x).index_add_(1, self.targets, x[:, self.sources] * self.weight)

    def pull(self, d: Tensor) -> Tensor:
        """sum_k w_ik d_k for the edges inside the block."""
        return torch.zeros_like(d).index_add_(1, self.sources, d[:, self.targets] * self.weight)

    def matrix(self) -> Tensor:
        """Dense weights, [target, source]."""
        size = len(self.nodes)
        dense = torch.zeros(size, size, dtype=self.weight.dtype, device=self.weight.device)
        dense[self.targets, self.sources] = self.weight
        return dense


class _Walk:
    """Index arrays shared by the two directions."""

    def __init__(self, plan: Plan, weight: Tensor) -> None:
        s: Sections = sections(plan)
        device = weight.device
        self.nodes = s.nodes
        self.weight = weight
        self.sources = s.sources.to(device)
        self.targets = s.targets.to(device)
        self.levels = s.levels.to(device)
        self.labels = s.labels.to(device)
        self.inputs = s.inputs.to(device)
        self.outputs = s.outputs.to(device)
        self.codes = s.activation.to(device)
        self.cyclic = s.cyclic.to(device)
        self.inside = self.labels[self.sources] == self.labels[self.targets]
        self.depth = int(s.levels.max()) + 1 if s.nodes else 0

    def block(self, nodes: Tensor) -> _Block:
        local = torch.full((self.nodes,), -1, device=nodes.device)
        local[nodes] = torch.arange(len(nodes), device=nodes.device)
        among = self.inside & (local[self.targets] >= 0)
        return _Block(
            nodes, local[self.sources[among]], local[self.targets[among]], self.weight[among]
        )


def forward(
    plan: Plan,
    drive: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    stuck: Tensor | None = None,
) -> Solved:
    """Solve z = u + b + W a, a = f(z) for every sample.

    Parameters
    ----------
    plan : Plan
    drive : Tensor, shape (batch, inputs)
        u of the input nodes; zero elsewhere.
    weight : Tensor, shape (weights,)
        In the order of the plan's edges.
    bias : Tensor, shape (nodes,), or None
    tolerance : float
        On max |f(z(a)) - a| / max(1, max |a|).
    max_sweeps : int
        Limit of each stage of the chain: sweeps, Anderson, damped sweeps (Newton has its own).
    leak : float
        Slope of leaky relu below zero.
    stuck : Tensor of int64, shape (batch,), optional
        Component in which plain sweeps were tried on the sample in vain, and are not again.
    """
    walk = _Walk(plan, weight)
    batch = drive.shape[0]
    a = drive.new_zeros(batch, walk.nodes)
    z = drive.new_zeros(batch, walk.nodes)
    z[:, walk.inputs] = drive
    if bias is not None:
        z += bias
    worst = drive.new_zeros(batch)
    failed = torch.full((batch,), -1, dtype=torch.long, device=drive.device)
    sweeps = 0
    for level in range(walk.depth):
        here = walk.levels == level
        entering = here[walk.targets] & ~walk.inside
        z.index_add_(1, walk.targets[entering], a[:, walk.sources[entering]] * weight[entering])
        plain = (here & ~walk.cyclic).nonzero()[:, 0]
        a[:, plain] = apply_value(walk.codes[plain], z[:, plain], leak) if len(plain) else 0.0
        cyclic = (here & walk.cyclic).nonzero()[:, 0]
        if not len(cyclic):
            continue
        block = walk.block(cyclic)
        codes = walk.codes[cyclic]
        base = z[:, cyclic]
        held = None if stuck is None else stuck[:, None] == walk.labels[cyclic]

        def step(
            x: Tensor, block: _Block = block, codes: Tensor = codes, base: Tensor = base
        ) -> Tensor:
            return apply_value(codes, base + block.push(x), leak)

        def moving(x: Tensor, step: Step = step, held: Tensor | None = held) -> Tensor:
            return step(x) if held is None else torch.where(held, x, step(x))

        found = sweep_until_still(
            moving, torch.zeros_like(base), tolerance=tolerance, max_sweeps=max_sweeps
        )
        value = found.value
        change = step(value) - value
        sweeps = max(sweeps, found.sweeps)
        for component in walk.labels[cyclic].unique().tolist():
            columns = (walk.labels[cyclic] == component).nonzero()[:, 0]
            residual = scaled_residual(change[:, columns], value[:, columns], 1.0)
            rows = (~(residual <= tolerance)).nonzero()[:, 0]
            if len(rows):
                retry = _recover(
                    walk.block(cyclic[columns]),
                    codes[columns],
                    base[rows][:, columns],
                    tolerance,
                    max_sweeps,
                    leak,
                )
                value[rows[:, None], columns] = retry.value
                residual[rows] = retry.residual
                sweeps = max(sweeps, found.sweeps + retry.sweeps)
            worst = torch.maximum(worst, residual)
            lost = ~(residual <= tolerance) & (failed < 0)
            failed[lost] = component
        a[:, cyclic] = value
        z[:, cyclic] = base + block.push(value)
    return Solved(a, apply_slope(walk.codes, z, leak), failed < 0, worst, failed, sweeps)


def _recover(
    block: _Block, codes: Tensor, base: Tensor, tolerance: float, max_sweeps: int, leak: float
) -> FixedPoint:
    """Anderson, damped sweeps, Newton, continuation: each on the samples the last one left.

    Anderson comes first: where plain sweeps circle around an equilibrium (complex eigenvalues
    beyond the unit circle) it takes a tenth of the sweeps that damping takes.
    """
    everyone = torch.arange(len(base), device=base.device)
    best = FixedPoint(torch.zeros_like(base), torch.full_like(base[:, 0], torch.inf), 0)
    # No solver mends a drive that is not finite.
    solvable = base.isfinite().all(1)
    for stage in ("anderson", "damped", "newton", "continuation"):
        rows = everyone[solvable & (best.residual > tolerance)]
        if not len(rows):
            break
        drive = base[rows]

        def step(x: Tensor, drive: Tensor = drive) -> Tensor:
            return apply_value(codes, drive + block.push(x), leak)

        start = torch.zeros_like(drive)
        if stage == "anderson":
            found = anderson(step, start, tolerance=tolerance, max_sweeps=max_sweeps)
        elif stage == "damped":
            found = sweep_until_still(
                step, start, tolerance=tolerance, max_sweeps=max_sweeps, damping=0.5
            )
        elif len(block.nodes) <= DENSE_LIMIT:
            solver = newton if stage == "newton" else pseudo_transient
            start = best.value[rows] if stage == "newton" else start
            found = _by_jacobian(solver, block, codes, drive, start, tolerance, leak)
        else:
            break
        best = _better(best, rows, found)
    # Solvers that mix images may end in what is none: a relu's negative, say, whose slope a backend
    # that knows the value alone takes for another.
    image = apply_value(codes, base + block.push(best.value), leak)
    again = apply_value(codes, base + block.push(image), leak)
    residual = scaled_residual(again - image, image, 1.0)
    near = residual <= tolerance
    return FixedPoint(
        torch.where(near[:, None], image, best.value),
        torch.where(near, residual, best.residual),
        best.sweeps,
    )


def _better(best: FixedPoint, rows: Tensor, found: FixedPoint) -> FixedPoint:
    """Take over what was found for some rows where it is better."""
    improved = found.residual < best.residual[rows]
    value, residual = best.value.clone(), best.residual.clone()
    value[rows[improved]] = found.value[improved]
    residual[rows[improved]] = found.residual[improved]
    return FixedPoint(value, residual, best.sweeps + found.sweeps)


def _by_jacobian(
    solver: Callable[..., FixedPoint],
    block: _Block,
    codes: Tensor,
    drive: Tensor,
    start: Tensor,
    tolerance: float,
    leak: float,
) -> FixedPoint:
    matrix = block.matrix()

    def step(x: Tensor) -> Tensor:
        return apply_value(codes, drive + block.push(x), leak)

    def jacobian(x: Tensor, rows: Tensor) -> Tensor:
        z = drive[rows] + block.push(x[rows])
        return apply_slope(codes, z, leak)[:, :, None] * matrix

    return solver(step, jacobian, start, tolerance=tolerance)


def adjoint(
    plan: Plan,
    grad_output: Tensor,
    weight: Tensor,
    slope: Tensor,
    converged: Tensor,
    *,
    tolerance: float,
    max_sweeps: int,
    stuck: Tensor | None = None,
) -> Solved:
    """Solve l = g + W^T d, d = f'(z) l for every sample; the value returned is d.

    Parameters
    ----------
    plan : Plan
    grad_output : Tensor, shape (batch, outputs)
        dL/da of the output nodes.
    weight : Tensor, shape (weights,)
        In the order of the plan's edges.
    slope : Tensor, shape (batch, nodes)
        f'(z) of the forward solution.
    converged : Tensor of bool, shape (batch,)
        Samples without a forward solution get zero.
    tolerance : float
        On the residual relative to the sample's largest |l| in the component.
    max_sweeps : int
        Limit of sweeps and of Anderson acceleration; a component that neither solves is solved
        directly.
    stuck : Tensor of int64, shape (batch,), optional
        As in `forward`.
    """
    walk = _Walk(plan, weight)
    batch = grad_output.shape[0]
    base = grad_output.new_zeros(batch, walk.nodes)
    base[:, walk.outputs] = torch.where(converged[:, None], grad_output, 0.0)
    slope = torch.where(converged[:, None], slope, 0.0)
    d = torch.zeros_like(base)
    worst = base.new_zeros(batch)
    failed = torch.full((batch,), -1, dtype=torch.long, device=base.device)
    sweeps = 0
    for level in range(walk.depth - 1, -1, -1):
        here = walk.levels == level
        leaving = here[walk.sources] & ~walk.inside
        base.index_add_(1, walk.sources[leaving], d[:, walk.targets[leaving]] * weight[leaving])
        plain = (here & ~walk.cyclic).nonzero()[:, 0]
        d[:, plain] = slope[:, plain] * base[:, plain]
        for component in walk.labels[here & walk.cyclic].unique().tolist():
            nodes = (walk.labels == component).nonzero()[:, 0]
            s = slope[:, nodes]
            found = _solve_adjoint(
                walk.block(nodes),
                base[:, nodes],
                s,
                tolerance,
                max_sweeps,
                tried=None if stuck is None else stuck == component,
            )
            sweeps = max(sweeps, found.sweeps)
            worst = torch.maximum(worst, found.residual)
            failed[~(found.residual <= tolerance) & (failed < 0)] = component
            d[:, nodes] = s * found.value
    return Solved(d, slope, failed < 0, worst, failed, sweeps)


def _solve_adjoint(
    block: _Block,
    g: Tensor,
    slope: Tensor,
    tolerance: float,
    max_sweeps: int,
    tried: Tensor | None,
) -> FixedPoint:
    """Solve x = g + W^T (slope x): sweeps, Anderson, a direct solve, each on what the last left."""
    best = FixedPoint(g, torch.full_like(g[:, 0], torch.inf), 0)
    for stage in ("sweeps", "anderson", "direct"):
        wanted = ~(best.residual <= tolerance)
        if stage == "sweeps" and tried is not None:
            wanted &= ~tried
        rows = wanted.nonzero()[:, 0]
        if not len(rows) or (stage == "direct" and len(block.nodes) > DENSE_LIMIT):
            continue
        start, here = g[rows], slope[rows]

        def step(x: Tensor, start: Tensor = start, here: Tensor = here) -> Tensor:
            return start + block.pull(here * x)

        if stage == "sweeps":
            found = sweep_until_still(
                step, start, tolerance=tolerance, max_sweeps=max_sweeps, floor=0.0
            )
        elif stage == "anderson":
            found = anderson(step, start, tolerance=tolerance, max_sweeps=max_sweeps, floor=0.0)
        else:
            value = _solve_directly(block, start, here)
            found = FixedPoint(value, scaled_residual(step(value) - value, value, 0.0), 1)
        best = _better(best, rows, found)
    return best


def _solve_directly(block: _Block, g: Tensor, slope: Tensor) -> Tensor:
    """Solve (I - W^T diag(slope)) x = g by factorization; g itself where that is singular."""
    wide = single_at_least(g.dtype)
    matrix, slope = block.matrix().mT.to(wide), slope.to(wide)
    identity = torch.eye(len(block.nodes), dtype=wide, device=g.device)
    value = g.clone()
    # One at a time: a batch of dense matrices would not fit.
    for row in range(len(g)):
        exact, _info = torch.linalg.solve_ex(identity - matrix * slope[row], g[row].to(wide))
        if bool(exact.isfinite().all()):
            value[row] = exact.to(g.dtype)
    return value
