"""Damages to the bytes of a file and to the values of a JSON text; what a fuzzer does to them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

DamagedBytes = Callable[[bytes, random.Random], bytes]

# What `json.dumps` cannot write stands in a value under such a name until the text is made.
_SPELLED = {
    "<deep list>": "[" * 100_000 + "]" * 100_000,
    "<deep object>": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "<digits>": "1" * 5_000,
    "<beyond float>": "1e999",
    "<surrogate>": '"\\ud800"',
}
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 255, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, 2**64,
    10**12, 10**30, -(10**30), 0.0, -0.5, 1.0, 1.5, 1e-300, 1e308, -1e308, float("nan"),
    float("inf"), "", "1", "many", "x" * 10_000, "\x00", "ä", "relu", "tanh", "array", "mapping",
    [], {}, [[]], [None] * 5, [0] * 300, [-1], [10**12], {"float": "nan"}, {"$": "tensor"},
    {"$": "code"}, {"": None}, *_SPELLED,
)  # fmt: skip


def spelled(value: object) -> str:
    """Write a value as JSON text, with what `json.dumps` would refuse to write."""
    text = json.dumps(value)
    for name, long in _SPELLED.items():
        text = text.replace(json.dumps(name), long)
    return text


# -- bytes ----------------------------------------------------------------------------------------


def flip_bits(data: bytes, chance: random.Random) -> bytes:
    """Flip one bit or a few."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def truncate(data: bytes, chance: random.Random) -> bytes:
    """Cut off the end."""
    return data[: chance.randrange(len(data))]


def append(data: bytes, chance: random.Random) -> bytes:
    """Add bytes at the end."""
    return data + chance.randbytes(chance.choice((1, 8, 4096)))


def overwrite(data: bytes, chance: random.Random) -> bytes:
    """Put random bytes, zeros or ones in the place of a stretch."""
    begin, end = _stretch(data, chance)
    size = end - begin
    filling = chance.choice((chance.randbytes(size), b"\x00" * size, b"\xff" * size))
    return data[:begin] + filling + data[end:]


def splice(data: bytes, chance: random.Random) -> bytes:
    """Copy a stretch to another place, in the place of what was there or pushing it on."""
    begin, end = _stretch(data, chance)
    at = chance.randrange(len(data))
    after = at + chance.choice((0, end - begin))
    return data[:at] + data[begin:end] + data[after:]


def cut_out(data: bytes, chance: random.Random) -> bytes:
    """Take a stretch out."""
    begin, end = _stretch(data, chance)
    return data[:begin] + data[end:]


def change_length(data: bytes, chance: random.Random) -> bytes:
    """Claim another length of the header: the first eight bytes of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    odd = (0, 1, length - 1, length + 1, len(data), 10**8, 2**31, 2**40, 2**63 - 1, 2**64 - 1)
    return (chance.choice(odd) % 2**64).to_bytes(8, "little") + data[8:]


def _stretch(data: bytes, chance: random.Random) -> tuple[int, int]:
    begin = chance.randrange(len(data))
    return begin, min(len(data), begin + chance.choice((1, 4, 8, 64, 512)))


BYTES: tuple[DamagedBytes, ...] = (flip_bits, truncate, append, overwrite, splice, cut_out)


# -- JSON -----------------------------------------------------------------------------------------


def damaged_json(value: Any, chance: random.Random) -> Any:  # noqa: ANN401
    """Give a JSON value with something in it changed, at any depth."""
    root = {"root": copy.deepcopy(value)}
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = list(_places(root, 0))
        if not places:
            break
        # First a depth, so that the many numbers of a long list are not all that is ever changed.
        deep = chance.choice(sorted({depth for *_, depth in places}))
        holder, key, _ = chance.choice([place for place in places if place[2] == deep])
        _change(holder, key, chance)
    return root.get("root")


def _places(holder: Any, depth: int) -> Any:  # noqa: ANN401
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    for key in keys:
        yield holder, key, depth
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key], depth + 1)


def _change(holder: Any, key: Any, chance: random.Random) -> None:  # noqa: ANN401
    value = holder[key]
    way = chance.choice(("odd", "odd", "near", "near", "type", "swap", "drop", "rename", "repeat"))
    if way == "odd":
        holder[key] = chance.choice(ODD_VALUES)
    elif way == "near":
        holder[key] = _near(value, chance)
    elif way == "type":
        kinds = (str, lambda v: [v], lambda v: {"a": v}, lambda v: json.dumps(v)[:100])
        holder[key] = chance.choice(kinds)(value)
    elif way == "swap":
        other = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], holder[key]
    elif way == "drop":
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, value)
    else:
        holder[
            chance.choice(("", "seed", "topology", "activation", "<surrogate>", str(key) + "x"))
        ] = value
        if way == "rename":
            holder.pop(key, None)


def _near(value: Any, chance: random.Random) -> Any:  # noqa: ANN401
    """Give something that a reader may take for the value."""
    if isinstance(value, bool):
        return chance.choice((not value, int(value)))
    if isinstance(value, int):
        return chance.choice((value + 1, value - 1, -value, float(value), 2 * value, str(value)))
    if isinstance(value, float):
        return chance.choice((-value, int(value) if abs(value) < 1e300 else 0, value * 1e10))
    if isinstance(value, str):
        return chance.choice((value[:-1], value.upper(), value + " ", [*value]))
    if isinstance(value, list):
        return chance.choice((value[:-1], value[::-1], value * 2, dict(enumerate(value))))
    return list(value.items()) if isinstance(value, dict) else False
