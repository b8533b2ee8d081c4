"""Every error that nervure raises on purpose, in one tree.

All of them derive from `NervureError`. Where a standard exception says the same thing, the class
derives from that too, so that ``except ValueError`` keeps working. A message says what was
expected, what came and what to do.
"""

from __future__ import annotations

from functools import partial
from typing import Any


class NervureError(Exception):
    """Base of all errors raised on purpose by nervure."""


class TopologyError(NervureError, ValueError):
    """A graph that cannot be a topology."""


class NodeOutOfRangeError(TopologyError):
    """An edge or a role names a node that does not exist."""


class DuplicateEdgeError(TopologyError):
    """The same edge is given twice."""


class SelfLoopError(TopologyError):
    """A self-loop is given as an edge; biases are separate."""


class DisconnectedError(TopologyError):
    """An input or an output has lost its path through the graph."""


class UndefinedMeasureError(TopologyError):
    """A measure that has no value for this graph."""


class EngineError(NervureError, RuntimeError):
    """The engine cannot run what it was given."""


class ConvergenceError(EngineError):
    """An equilibrium was not found within the limits.

    Attributes
    ----------
    component : int
        Index of the first failing component, in condensation order.
    component_size : int
        Number of nodes of that component.
    residual : float
        Worst residual reached.
    samples : int
        Number of samples of the batch that did not converge.
    """

    def __init__(
        self, message: str, *, component: int, component_size: int, residual: float, samples: int
    ) -> None:
        super().__init__(message)
        self.component = component
        self.component_size = component_size
        self.residual = residual
        self.samples = samples

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the attributes: what fails in another process comes back pickled."""
        names = ("component", "component_size", "residual", "samples")
        return partial(type(self), **{name: getattr(self, name) for name in names}), self.args


class FunctionGraphError(NervureError, ValueError):
    """Gates, expressions or names that do not make a Boolean function graph."""


class DataError(NervureError, ValueError):
    """Data that cannot be used as given."""


class ModelFileError(NervureError, ValueError):
    """A model file that is missing, truncated, damaged or of another kind."""


class RunError(NervureError, RuntimeError):
    """A run folder that cannot be read or written."""


class ExportError(NervureError, ValueError):
    """A network that cannot be written in the form asked for."""


class SettingsError(NervureError, ValueError):
    """A file of settings, or a space to search, that cannot be used as given."""


class StoppedError(NervureError):
    """A training that was stopped on purpose, such as one that is not worth going on with."""


class DistributedError(NervureError, RuntimeError):
    """Processes that train together are out of step, differ, or have lost one another."""


class MissingDependencyError(NervureError, ImportError):
    """An optional dependency is missing; the message holds the install command."""
