import numpy as np
from numpy.typing import NDArray

_Ints = NDArray[np.int32]

def strong_components(indptr: _Ints, sources: _Ints) -> tuple[_Ints, _Ints, _Ints]: ...
def condensation_levels(
    indptr: _Ints, sources: _Ints, labels: _Ints, order: _Ints, offsets: _Ints
) -> _Ints: ...
def transpose(indptr: _Ints, sources: _Ints) -> tuple[_Ints, _Ints, _Ints]: ...
def reachable(indptr: _Ints, neighbours: _Ints, seeds: _Ints) -> NDArray[np.bool_]: ...

# What follows takes addresses of numbers (0: none); nervure.engine.native checks them.
class Program:
    def __init__(
        self,
        indptr: _Ints,
        sources: _Ints,
        inputs: _Ints,
        outputs: _Ints,
        activation: _Ints,
        block: int,
        input_bias: bool,
    ) -> None: ...
    @property
    def nodes(self) -> int: ...
    @property
    def weights(self) -> int: ...
    @property
    def has_cycles(self) -> bool: ...
    @property
    def has_slopes(self) -> bool: ...
    @property
    def shared_edges(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def component_size(self, component: int, /) -> int: ...
    def forward32(
        self,
        batch: int,
        drive: int,
        weight: int,
        bias: int,
        state: int,
        slope: int,
        output: int,
        residual: int,
        sweeps: int,
        failed: int,
        recovered: int,
        tolerance: float,
        max_sweeps: int,
        leak: float,
        threads: int,
        /,
    ) -> tuple[float, float, float, float, float]: ...
    forward64 = forward32
    def adjoint32(
        self,
        batch: int,
        grad_output: int,
        weight: int,
        state: int,
        slope: int,
        converged: int,
        delta: int,
        grad_drive: int,
        residual: int,
        sweeps: int,
        failed: int,
        recovered: int,
        tolerance: float,
        max_sweeps: int,
        leak: float,
        threads: int,
        /,
    ) -> tuple[float, float, float, float, float]: ...
    adjoint64 = adjoint32
    def edge_gradient32(
        self, chunks: int, state: int, delta: int, grad_weight: int, grad_bias: int, threads: int, /
    ) -> None: ...
    edge_gradient64 = edge_gradient32
    def gather_edges32(self, matrix: int, weight: int, diagonal: int, /) -> None: ...
    gather_edges64 = gather_edges32

def select_largest(
    double: bool, matrix: int, nodes: int, keep: int, hint: float, threads: int, /
) -> tuple[_Ints, _Ints, float]: ...
def dense_update32(
    nodes: int,
    weight: int,
    gradient: int,
    momentum: int,
    first: bool,
    sgd: tuple[float, float, float, float],
    nesterov: bool,
    maximize: bool,
    form: int,
    strength: float,
    size: int,
    largest: float,
    indptr: _Ints,
    sources: _Ints,
    hint: float,
    keep: int,
    threads: int,
    /,
) -> tuple[_Ints, _Ints, float]: ...

dense_update64 = dense_update32

def empty32(count: int, /) -> NDArray[np.float32]: ...
def empty64(count: int, /) -> NDArray[np.float64]: ...
def empty_cache() -> None: ...
def cache_statistics() -> tuple[int, int, int]: ...
def instruction_set() -> str: ...
def use_instruction_set(name: str) -> None: ...
def use_openmp(library: str, /) -> bool: ...
