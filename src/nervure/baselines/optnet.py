"""`OptNet`: a layer whose values minimise a quadratic program, solved by qpth."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nervure.baselines.solve_count import SolveCount
from nervure.engine.activations import ACTIVATIONS, DEFAULT_LEAK, NAMES
from nervure.errors import EngineError
from nervure.networks.linear import linear
from nervure.optional import install, require

# Q is at least so much of the identity, as in the paper's Q = L L^T + eps I.
_LEAST_CURVATURE = 1e-4
# Where qpth stops, and the residual up to which a sample counts as solved.
_SOLVER_EPS = 1e-8
_TOLERANCE = 1e-4
# Of the identity added to the dual's matrix, times its largest entry.
_RIDGE = 1e-12


class OptNet(nn.Module):
    """Encoder, a quadratic program with learned objective and constraints, decoder.

    The encoder gives p(x); the layer's values are z = argmin 1/2 z^T Q z + p^T z subject to
    G z <= h, with Q = L L^T + 1e-4 I, L lower triangular, and h = G z0 + s0, s0 > 0, so that z0 is
    always feasible. Q, G and h are the same for all samples.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes or regression targets out.
    nodes : int
        Values z of the program.
    activation : str
        Of the encoder's values p; "identity" leaves the encoder linear. The program itself has
        none: its constraints are what bends.
    constraints : int
        Rows of G. Each is one kink, so they bound how far the layer can bend; they also are nearly
        all of its cost: a step with 128 samples takes a core about 0.12 s with 20, for 80 nodes as
        for 500, and 3 to 4 times that with 50.
    seed : int, optional
        For the initial weights; torch's default generator if None.

    Attributes
    ----------
    encoder, decoder : torch.nn.Linear
    factor : Parameter, shape (nodes, nodes)
        L; what is above its diagonal takes no part. The identity at the start.
    normals : Parameter, shape (constraints, nodes)
        G, drawn from N(0, 1 / nodes).
    point : Parameter, shape (nodes,)
        z0, zero at the start.
    slack : Parameter, shape (constraints,)
        s0 before a softplus; s0 is 1 at the start.
    solves : SolveCount
        How many samples were left unsolved, by the residual max |min(l, M l + q)| of the dual.

    Raises
    ------
    MissingDependencyError
        When qpth is not installed.
    EngineError
        If an argument is not as said.

    Notes
    -----
    qpth is given the dual, which has `constraints` variables instead of `nodes`: with
    M = G Q^-1 G^T and q = G Q^-1 p + h, l = argmin over l >= 0 of 1/2 l^T M l + q^T l, and
    z = -Q^-1 (p + G^T l). Q is then factorised once per batch, not once per sample. All of it is in
    float64, since qpth stops early in float32. M gets a ridge of 1e-12 times its largest entry, to
    keep it definite where rows of G depend on one another.

    References
    ----------
    B. Amos and J. Z. Kolter, "OptNet: differentiable optimization as a layer in neural networks"
    (2017).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        nodes: int = 200,
        activation: str = "identity",
        constraints: int = 20,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if activation not in NAMES:
            raise EngineError(f"unknown activation {activation}; choose from {', '.join(NAMES)}")
        for name, size in (
            ("inputs", inputs),
            ("outputs", outputs),
            ("nodes", nodes),
            ("constraints", constraints),
        ):
            if size < 1:
                raise EngineError(f"{name}: expected at least 1, got {size}")
        _qpth()
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.encoder = linear(inputs, nodes, generator)
        self.factor = nn.Parameter(torch.eye(nodes))
        self.normals = nn.Parameter(torch.empty(constraints, nodes))
        with torch.no_grad():
            self.normals.normal_(0, 1 / math.sqrt(nodes), generator=generator)
        self.point = nn.Parameter(torch.zeros(nodes))
        self.slack = nn.Parameter(torch.full((constraints,), math.log(math.e - 1)))
        self.decoder = linear(nodes, outputs, generator)
        self.activation = activation
        self.solves = SolveCount()

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape; the rest is in its state dict."""
        return {
            "inputs": self.encoder.in_features,
            "outputs": self.decoder.out_features,
            "nodes": self.encoder.out_features,
            "activation": self.activation,
            "constraints": len(self.normals),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        activation = ACTIVATIONS[NAMES.index(self.activation)]
        linear_term = activation.value(self.encoder(x), DEFAULT_LEAK)
        return cast(Tensor, self.decoder(self.minimiser(linear_term)))

    def program(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give Q, G and h, of shapes (nodes, nodes), (constraints, nodes) and (constraints,).

        In float64, in which the program is solved.
        """
        lower, normals = self.factor.tril().double(), self.normals.double()
        curvature = lower @ lower.t() + _LEAST_CURVATURE * _identity(lower)
        bound = normals @ self.point.double() + functional.softplus(self.slack.double())
        return curvature, normals, bound

    def minimiser(self, linear_term: Tensor) -> Tensor:
        """Solve the program for each row of p, shape (batch, nodes) like the result."""
        curvature, normals, bound = self.program()
        count = len(normals)
        # One factorisation for G^T and all of p; solving, unlike Cholesky, has a cheap gradient.
        both: Tensor = torch.linalg.solve(curvature, torch.cat([normals, linear_term.double()]).t())
        along, free = both[:, :count], both[:, count:]
        multipliers = self._multipliers(normals @ along, (normals @ free).t() + bound)
        values = -(free.t() + multipliers @ along.t())
        return values.to(linear_term.dtype)

    def _multipliers(self, matrix: Tensor, offset: Tensor) -> Tensor:
        """Give argmin over l >= 0 of 1/2 l^T M l + q^T l for each row q."""
        identity = _identity(matrix)
        matrix = matrix + _RIDGE * matrix.detach().abs().max() * identity
        zero, none = torch.zeros_like(offset), offset.new_empty(0)
        # Expanded here, as qpth averages over the batch the gradient of what it expands itself.
        shape = len(offset), *matrix.shape
        solve = _qpth().QPFunction(eps=_SOLVER_EPS, verbose=-1, check_Q_spd=False)
        found: Tensor = solve(
            matrix.expand(shape), offset, -identity.expand(shape), zero, none, none
        )
        with torch.no_grad():
            residual = torch.minimum(found, found @ matrix + offset).abs().amax(1)
            self.solves.add(residual, _TOLERANCE)
        return found


def _identity(like: Tensor) -> Tensor:
    return torch.eye(len(like), dtype=like.dtype, device=like.device)


def _qpth() -> Any:  # noqa: ANN401 - the package carries no types
    # By itself and without dependencies, since its metadata asks for numpy < 2.
    how = (
        f"{install('reproduce')}, then pip install --no-deps "
        '"qpth>=0.0.18", whose metadata asks for numpy < 2 without need'
    )
    return require("qpth.qp", "OptNet", how, package="qpth")
