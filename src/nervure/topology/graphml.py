"""Topologies to and from GraphML files, with a reader that survives files of unknown origin."""

from __future__ import annotations

import warnings
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from xml.parsers import expat

import networkx as nx
import numpy.typing as npt

from nervure.errors import TopologyError
from nervure.topology.interchange import from_networkx, to_networkx

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def to_graphml(
    topology: Topology, path: str | PathLike[str], weights: npt.ArrayLike | None = None
) -> None:
    """Write a topology to a GraphML file.

    Parameters
    ----------
    topology : Topology
        The graph.
    path : str or path-like
        File to write; never compressed, whatever its name.
    weights : array_like, optional
        One value per edge, in edge order; becomes the edge attribute ``weight``.

    Notes
    -----
    O(nodes + edges), in Python speed. The attributes are those of `to_networkx`.

    References
    ----------
    U. Brandes et al., "GraphML progress report", Graph Drawing 2001.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from nervure.topology import complete, from_graphml
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "graph.graphml")
    ...     complete(3).to_graphml(path)
    ...     from_graphml(path) == complete(3)
    True
    """
    text = BytesIO()
    nx.write_graphml(to_networkx(topology, weights), text)
    Path(path).write_bytes(text.getvalue())


def from_graphml(path: str | PathLike[str]) -> Topology:
    """Read a topology from a GraphML file.

    Parameters
    ----------
    path : str or path-like
        A directed graph; roles as in `from_networkx`. For labels and weights, read the file with
        `read_graphml` and use `node_labels` and `edge_weights`.

    Returns
    -------
    Topology
        Nodes are numbered in the order of the file.

    Raises
    ------
    TopologyError
        When the file is no GraphML or no such graph.

    Notes
    -----
    O(size of the file), in Python speed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from nervure.topology import from_edges, from_graphml
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "graph.graphml")
    ...     from_edges([(0, 1), (1, 2)]).to_graphml(path)
    ...     from_graphml(path)
    Topology(nodes=3, edges=2, density=0.333, inputs=1, outputs=1, acyclic)
    """
    return from_networkx(read_graphml(path))


def read_graphml(path: str | PathLike[str]) -> nx.DiGraph:
    """Read a GraphML file of unknown origin as a NetworkX graph.

    Document type declarations are refused, and with them every entity that expands or points to
    another file. An edge must join nodes that the file declares, each of them once.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    networkx.DiGraph
        The graph with all its attributes; nodes are named by their ids, as text.

    Raises
    ------
    TopologyError
        When the file is no GraphML.

    Notes
    -----
    O(size of the file), in Python speed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from nervure.topology import edge_weights, from_edges, read_graphml
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "graph.graphml")
    ...     from_edges([(0, 1)]).to_graphml(path, weights=[0.5])
    ...     edge_weights(read_graphml(path)).tolist()
    [0.5]
    """
    content = Path(path).read_bytes()
    _check_structure(content, path)
    try:
        with warnings.catch_warnings():
            # What NetworkX warns of (ports, keys without a type) does not touch the wiring.
            warnings.simplefilter("ignore")
            return nx.read_graphml(BytesIO(content))
    except Exception as error:
        # The reader is not made for damaged files: it lets any kind of error through.
        raise TopologyError(f"{path} is no readable GraphML: {error!r}") from error


def _check_structure(content: bytes, path: str | PathLike[str]) -> None:
    """Refuse what NetworkX would expand, merge or make up in silence."""
    declared: set[str] = set()
    repeated: list[str] = []
    used: set[str] = set()

    def refuse_doctype(*_: object) -> NoReturn:
        raise TopologyError(f"{path} declares a document type, which GraphML does not need")

    def note(tag: str, attributes: dict[str, str]) -> None:
        kind = tag.rpartition(":")[2]
        if kind == "node":
            name = attributes.get("id", "")
            if name in declared:
                repeated.append(name)
            declared.add(name)
        elif kind == "edge":
            used.update((attributes.get("source", ""), attributes.get("target", "")))

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = note
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise TopologyError(f"{path} is no XML: {error}") from error
    if repeated:
        raise TopologyError(f"{path} declares node {repeated[0]!r} more than once")
    if used - declared:
        raise TopologyError(
            f"{path} has edges of {len(used - declared)} nodes that it does not declare, "
            f"such as {min(used - declared)!r}"
        )
