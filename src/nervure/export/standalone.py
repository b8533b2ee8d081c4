"""What `to_numpy` puts behind the numbers of a network: the file runs with NumPy alone.

Everything below the mark is copied; the numbers above it are those of y = 2 x, so that this module
can be imported and checked like any other.
"""

import csv
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEATURES = 1
OUTPUTS = 1
LEAK = 0.01
TOLERANCE = 1e-9
MAX_SWEEPS = 200
TASK: str | None = None
FEATURE_NAMES: list[str] = []
CLASS_NAMES: list[str] = []
TARGET_MEAN = 0.0
TARGET_STD = 1.0
STEPS: list[dict[str, Any]] = [{"first": 0, "last": 1, "activation": "identity", "edges": [0, 0]}]
SOURCES = ""
TARGETS = ""
WEIGHTS = ""
BIAS = "0"
DRIVEN = "0"
COLUMNS = "0"
ENCODER = ""
PLACES = "0"
DECODER = "2"
OUTPUT_BIAS = "0"
# -- the network ends here ---------------------------------------------------------------------


Array = NDArray[Any]


def _integers(text: str) -> Array:
    integers: Array = np.array(text.split(), dtype=np.int64)
    return integers


def _floats(text: str) -> Array:
    floats: Array = np.array(text.split(), dtype=np.float32).astype(np.float64)
    return floats


_sources, _targets = _integers(SOURCES), _integers(TARGETS)
_weights, _bias, _output_bias = _floats(WEIGHTS), _floats(BIAS), _floats(OUTPUT_BIAS)
_driven, _columns, _places = _integers(DRIVEN), _integers(COLUMNS), _integers(PLACES)
_encoder = _floats(ENCODER).reshape(len(_driven), FEATURES) if ENCODER.strip() else None
_decoder = _floats(DECODER).reshape(OUTPUTS, len(_places)) if DECODER.strip() else None


def _gelu(z: Array) -> Array:
    value: Array = 0.5 * z * (1 + np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2)))
    return value


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "squared_relu": lambda z: np.maximum(z, 0) ** 2,
    "leaky_relu": lambda z: np.where(z > 0, z, LEAK * z),
    "tanh": np.tanh,
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(0.5 * z)),
    "gelu": _gelu,
    "silu": lambda z: 0.5 * z * (1 + np.tanh(0.5 * z)),
}


def _incoming(step: dict[str, Any], edges: list[int]) -> tuple[Array, Array]:
    """Nodes that a step reads by some edges, and the weights as a matrix [node, read]."""
    some = slice(*edges)
    read, column = np.unique(_sources[some], return_inverse=True)
    matrix = np.zeros((step["last"] - step["first"], len(read)))
    matrix[_targets[some] - step["first"], column] = _weights[some]
    return read, matrix


def _prepare(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        step["incoming"] = _incoming(step, step["edges"])
        if "levels" in step:
            step["backward"] = _incoming(step, step["back"])
            _prepare(step["levels"])


_prepare(STEPS)


# Sweeps before rows that have not settled are accelerated, and how far that looks back.
_PATIENCE, _MEMORY = 50, 8


def _pass(steps: list[dict[str, Any]], z: Array, a: Array) -> None:
    """Compute nodes step by step; a has a row for each node and a column for each row of data."""
    for step in steps:
        here = slice(step["first"], step["last"])
        read, matrix = step["incoming"]
        total = z[here] + matrix @ a[read]
        if "levels" not in step:
            a[here] = _ACTIVATIONS[step["activation"]](total)
            continue
        a[here] = _equilibrium(step, total, a)


def _settled(new: Array, old: Array) -> Array:
    """Tell for each row of data whether values changed no more than the tolerance."""
    scale = np.maximum(1, np.abs(new).max(axis=0, initial=0.0))
    still: Array = np.abs(new - old).max(axis=0, initial=0.0) <= TOLERANCE * scale
    return still


def _equilibrium(step: dict[str, Any], total: Array, a: Array) -> Array:
    """Find values of a cycle that a sweep leaves as they are."""
    here = slice(step["first"], step["last"])
    read, matrix = step["backward"]
    own = np.zeros_like(a)

    def sweep(values: Array) -> Array:
        # Each level takes the new values of those before it.
        a[here] = values
        own[here] = total + matrix @ a[read]
        _pass(step["levels"], own, a)
        new: Array = a[here].copy()
        return new

    values, done = np.zeros_like(total), np.zeros(total.shape[1], dtype=bool)
    for _ in range(min(_PATIENCE, MAX_SWEEPS)):
        # What has settled is held still, so that it does not depend on the other rows of data.
        old, values = values, np.where(done, values, sweep(values))
        done = done | _settled(values, old)
        if done.all():
            return values
    if MAX_SWEEPS > _PATIENCE:
        values, done = _accelerated(sweep, values, done)
    if not done.all():
        raise RuntimeError(
            f"{(~done).sum()} of {done.size} rows have not settled after {MAX_SWEEPS} "
            "sweeps of the cycles; are they scaled as those of the training?"
        )
    return values


def _accelerated(
    sweep: Callable[[Array], Array], values: Array, done: Array
) -> tuple[Array, Array]:
    """Anderson acceleration, from zero, of the rows of data around whose values sweeps circle."""
    values = np.where(done, values, 0.0)
    image = sweep(values)
    move = image - values
    values = np.where(done, values, image)
    # How moves and images changed, the newest first.
    moves: list[Array] = []
    images: list[Array] = []
    memory = min(_MEMORY, len(values))
    for _ in range(MAX_SWEEPS):
        last_image, last_move, image = image, move, sweep(values)
        done = done | _settled(image, values)
        if done.all():
            break
        move = image - values
        moves = [move - last_move, *moves][:memory]
        images = [image - last_image, *images][:memory]
        better = image - sum(map(np.multiply, _shares(moves, move), images))
        values = np.where(done, values, better)
    return values, done


def _shares(changes: list[Array], x: Array) -> Array:
    """Shares of the changes in x by least squares, for each row of data."""
    size = len(changes)
    system = np.array([[(a * b).sum(axis=0) for b in (*changes, x)] for a in changes])
    squares = [system[k, k].copy() for k in range(size)]
    shares = np.zeros((size, x.shape[1]))
    for k in range(size):
        # What nearly repeats newer changes has no share.
        counts = system[k, k] > 1e-13 * squares[k]
        shares[k] = np.where(counts, 1 / np.where(counts, system[k, k], 1), 0)
        others = system[:, k].copy()
        others[k] = 0
        system -= others[:, None] * (system[k] * shares[k])
    result: Array = shares * system[:, size]
    return result


def predict(x: ArrayLike) -> Array:
    """Give the outputs of the network, shape (rows, OUTPUTS), for rows of shape (rows, FEATURES).

    Of classes and bits these are logits; TARGET_STD * output + TARGET_MEAN is a number in its unit.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != FEATURES:
        raise ValueError(f"expected rows of {FEATURES} features, got an array of shape {x.shape}")
    z: Array = np.repeat(_bias[:, None], len(x), axis=1)
    z[_driven] += x.T[_columns] if _encoder is None else _encoder @ x.T
    a = np.zeros_like(z)
    with np.errstate(over="ignore", invalid="ignore"):
        _pass(STEPS, z, a)
    if _decoder is not None:
        return (_decoder @ a[_places] + _output_bias[:, None]).T
    out = np.repeat(_output_bias[None], len(x), axis=0)
    out[:, _places >= 0] = a[_places[_places >= 0]].T
    return out


def _rows(lines: Iterable[str]) -> Iterator[list[float]]:
    for number, row in enumerate(csv.reader(lines)):
        try:
            yield [float(cell) for cell in row]
        except ValueError:
            # A first line of names; the columns must be in the order of FEATURE_NAMES all the same.
            if number:
                raise


def main() -> None:
    """Read rows as CSV, and write predictions as CSV."""
    rows = [row for row in _rows(sys.stdin) if row]
    out = predict(np.array(rows).reshape(len(rows), -1) if rows else np.zeros((0, FEATURES)))
    names = CLASS_NAMES if len(CLASS_NAMES) == OUTPUTS else [f"output_{k}" for k in range(OUTPUTS)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if TASK == "regression":
        writer.writerow(["prediction"])
        writer.writerows((TARGET_STD * out + TARGET_MEAN).tolist())
    elif TASK == "classification":
        writer.writerow(["prediction", *names])
        best = out.argmax(axis=1).tolist()
        writer.writerows([names[k], *row] for k, row in zip(best, out.tolist(), strict=True))
    else:
        writer.writerow(names)
        writer.writerows(out.tolist())


if __name__ == "__main__":
    main()
