"""Damages that know what a safetensors file is made of: header, metadata, tensors."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from damages import damaged_json, spelled

_KEY = "nervure"
_INTEGERS = {"I32": "<i4", "I64": "<i8", "U8": "<u1"}
_FLOATS = {"F32": "<f4", "F64": "<f8"}
_OTHERS = ("BF16", "BOOL", "F16", "F4", "F8_E4M3", "F8_E5M2", "I8", "U16", "U32", "U64", "C64", "X")
_HUGE = (2**31 - 1, 2**31, 10**12, 2**61, 2**63, 2**64 - 1, 10**30)


@dataclass
class Parts:
    """A safetensors file taken apart.

    Attributes
    ----------
    header : dict
        Name of each tensor to "dtype", "shape" and "data_offsets"; without the metadata.
    texts : dict
        The metadata, by key.
    data : dict of str to bytes
        Of each tensor.
    """

    header: dict[str, Any]
    texts: dict[str, Any]
    data: dict[str, bytes]

    @classmethod
    def of(cls, file: bytes) -> Parts:
        """Take a sound file apart."""
        begin = 8 + int.from_bytes(file[:8], "little")
        header = json.loads(file[8:begin])
        texts = header.pop("__metadata__", {})
        spans = {name: entry["data_offsets"] for name, entry in header.items()}
        return cls(header, texts, {n: file[begin + a : begin + b] for n, (a, b) in spans.items()})

    def joined(self, damaged: Callable[[Any], Any] = lambda header: header) -> bytes:
        """Put the file together; its offsets fit its data, unless the header is damaged after."""
        at, header = 0, {"__metadata__": self.texts}
        for name, data in self.data.items():
            header[name] = {**self.header[name], "data_offsets": [at, at + len(data)]}
            at += len(data)
        text = spelled(damaged(header)).encode()
        return len(text).to_bytes(8, "little") + text + b"".join(self.data.values())

    def put(self, name: str, dtype: str, shape: list[int], data: bytes) -> None:
        """Set a tensor."""
        self.header[name] = {"dtype": dtype, "shape": shape}
        self.data[name] = data


# -- header ---------------------------------------------------------------------------------------


def any_of_header(file: bytes, chance: random.Random) -> bytes:
    """Change whatever stands in the header."""
    return Parts.of(file).joined(lambda header: damaged_json(header, chance))


def header_entry(file: bytes, chance: random.Random) -> bytes:
    """Let the header claim another shape, type or place of a tensor than it has."""
    parts = Parts.of(file)
    name, huge = chance.choice(list(parts.header)), chance.choice(_HUGE)

    def damaged(header: dict[str, Any]) -> dict[str, Any]:
        entry = header[name]
        begin, end = entry["data_offsets"]
        shape = entry["shape"]
        claims = (
            {"shape": [huge]},
            {"shape": [huge, *shape]},
            {"shape": [0, huge]},
            {"shape": [huge, huge, huge]},
            {"shape": [-n for n in shape]},
            {"shape": [str(n) for n in shape]},
            {"shape": [float(n) for n in shape]},
            {"shape": [1] * 100 + shape},
            {"data_offsets": [begin, huge]},
            {"data_offsets": [huge, huge]},
            {"data_offsets": [end, begin]},
            {"data_offsets": [-1, end]},
            {"data_offsets": [0, end - begin]},
            {"data_offsets": chance.choice(list(header.values())[1:])["data_offsets"]},
            {"shape": [huge, *shape], "data_offsets": [begin, begin + 4 * huge]},
            {"dtype": chance.choice((*_INTEGERS, *_FLOATS, *_OTHERS))},
        )
        return {**header, name: {**entry, **chance.choice(claims)}}

    return parts.joined(damaged)


# -- metadata -------------------------------------------------------------------------------------


def metadata_value(file: bytes, chance: random.Random) -> bytes:
    """Change something in nervure's own metadata, which stays JSON."""
    parts = Parts.of(file)
    parts.texts[_KEY] = spelled(damaged_json(json.loads(parts.texts[_KEY]), chance))
    return parts.joined()


def metadata_heading(file: bytes, chance: random.Random) -> bytes:
    """Name another format, version or kind."""
    parts = Parts.of(file)
    header = json.loads(parts.texts[_KEY])
    kinds = ("FreeNet", "BlockDAG", "GraphLinear", "NeuralModules", "PlainNetwork", "SparseMLP")
    if chance.random() < 0.5 and "network" in header:
        header["network"]["kind"] = chance.choice((*kinds, "Unknown", "os.system"))
    else:
        heading = chance.choice(("format", "version"))
        header[heading] = chance.choice(("nervure-model", "nervure-state", "1", 0, 2, 1.0, True))
    parts.texts[_KEY] = spelled(header)
    return parts.joined()


def metadata_text(file: bytes, chance: random.Random) -> bytes:
    """Damage the metadata as text, or let something else stand there."""
    parts = Parts.of(file)
    text = parts.texts.pop(_KEY)
    at = chance.randrange(len(text))
    new = (text[:at], text[:at] + chance.choice('{}[]",:0\\') + text[at + 1 :], "", "null", 5, None)
    parts.texts[chance.choice((_KEY, _KEY, _KEY, "other"))] = chance.choice(new)
    return parts.joined()


# -- tensors --------------------------------------------------------------------------------------


def tensor_values(file: bytes, chance: random.Random) -> bytes:
    """Put values into a tensor that do not belong there: not finite, out of range, out of order."""
    parts = Parts.of(file)
    dtypes = {**_INTEGERS, **_FLOATS}
    known = [n for n, e in parts.header.items() if e["dtype"] in dtypes and parts.data[n]]
    name = chance.choice(known)
    dtype = parts.header[name]["dtype"]
    values = np.frombuffer(parts.data[name], dtypes[dtype]).copy()
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, other = chance.randrange(len(values)), chance.randrange(len(values))
        value = values[at].item()
        if dtype in _FLOATS:
            odd = (np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45, -value, 0.0, -1.0)
            values[at] = chance.choice(odd)
        elif chance.random() < 0.5:
            values[at], values[other] = values[other], chance.choice((value, values[other].item()))
        else:
            limits = np.iinfo(values.dtype)
            near = (limits.min, limits.max, -1, 0, len(values), value + 1, value - 1)
            values[at] = min(max(chance.choice(near), limits.min), limits.max)
    parts.data[name] = values.tobytes()
    return parts.joined()


def tensor_shape(file: bytes, chance: random.Random) -> bytes:
    """Give a tensor more or fewer rows, another type or other axes, and data that fit."""
    parts = Parts.of(file)
    name = chance.choice(list(parts.header))
    entry, data = parts.header[name], parts.data[name]
    shape, dtype = entry["shape"], entry["dtype"]
    row = len(data) // shape[0] if shape and shape[0] else len(data)
    ways = [(dtype, [*shape, 1], data), (dtype, [1, *shape], data), (dtype, shape[::-1], data)]
    ways += [(dtype, [0, *shape[1:]], b""), (dtype, [0, 10**18], b"")]
    if shape and shape[0]:
        ways += [
            (dtype, [shape[0] + 1, *shape[1:]], data + data[:row]),
            (dtype, [shape[0] - 1, *shape[1:]], data[:-row]),
            (dtype, [2 * shape[0], *shape[1:]], data * 2),
        ]
    if dtype in _FLOATS or dtype in _INTEGERS:
        values = np.frombuffer(data, {**_FLOATS, **_INTEGERS}[dtype])
        for other, code in {**_FLOATS, **_INTEGERS, "I8": "<i1", "F16": "<f2"}.items():
            ways.append((other, shape, np.clip(values, 0, 100).astype(code).tobytes()))
    parts.put(name, *chance.choice(ways))
    return parts.joined()


def tensor_set(file: bytes, chance: random.Random) -> bytes:
    """Leave a tensor out, add one, give one another name, or let two change places."""
    parts = Parts.of(file)
    name, other = chance.choice(list(parts.header)), chance.choice(list(parts.header))
    way = chance.choice(("out", "rename", "add", "change places", "all out"))
    if way == "change places":
        for part in (parts.header, parts.data):
            part[name], part[other] = part[other], part[name]
    elif way == "add":
        new = chance.choice(("extra", "", name + "x", "core.topology.x", "é", "a" * 5000))
        parts.put(new, "F32", [2], bytes(8))
    elif way == "all out":
        parts.header.clear()
        parts.data.clear()
    else:
        entry, data = parts.header.pop(name), parts.data.pop(name)
        if way == "rename":
            parts.put(chance.choice((name + "x", name[:-1])), entry["dtype"], entry["shape"], data)
    return parts.joined()


SAFETENSORS = (
    any_of_header, header_entry, metadata_value, metadata_value, metadata_value, metadata_heading,
    metadata_text, tensor_values, tensor_values, tensor_shape, tensor_set,
)  # fmt: skip
