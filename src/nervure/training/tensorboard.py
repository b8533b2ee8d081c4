"""`TensorBoard`: the metrics of epochs as scalars that TensorBoard shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from nervure.optional import install, require

# Under which heading a metric is shown; all others are under "training".
_HEADINGS = {
    "loss": ("train_loss", "validation_loss"),
    "error": ("validation_error", "validation_rmse"),
    "wiring": (
        "edges", "pruned", "grown", "gamma", "units", "modules", "largest_module", "balance",
    ),
    "solver": ("sweeps_mean", "sweeps_max", "residual_max", "recovered", "lost"),
    "time": ("seconds", "train_seconds"),
}  # fmt: skip
_TAGS = {name: f"{heading}/{name}" for heading, names in _HEADINGS.items() for name in names}


class TensorBoard:
    """Writes metrics for TensorBoard: what `fit` takes as ``on_epoch``.

    Parameters
    ----------
    folder : path
        Made when the first epoch comes. ``tensorboard --logdir FOLDER`` shows it.

    Raises
    ------
    MissingDependencyError
        When tensorboard is not installed.

    Notes
    -----
    Every metric that is a number becomes a scalar at its epoch. What the folder has of this epoch
    and later ones, from a run that was replaced or gone on with, is not shown any more.

    Examples
    --------
    >>> with TensorBoard("runs/mine/tensorboard") as board:  # doctest: +SKIP
    ...     fit(network, x, y, task="classification", options=options, on_epoch=board)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._tensorboard = require_tensorboard()
        self._writer: Any = None

    def __call__(self, metrics: Mapping[str, Any]) -> None:
        """Write the metrics of an epoch, whose number is among them."""
        epoch = int(metrics["epoch"])
        if self._writer is None:
            self._writer = self._tensorboard.SummaryWriter(str(self.folder), purge_step=epoch)
        for name, value in metrics.items():
            if name != "epoch" and isinstance(value, int | float):
                tag = _TAGS.get(name, f"training/{name}")
                self._writer.add_scalar(tag, float(value), epoch)
        # Whoever watches wants to see an epoch when it is over, and a kill leaves it there.
        self._writer.flush()

    def close(self) -> None:
        """Close the files; the next epoch would begin new ones."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def require_tensorboard() -> ModuleType:
    """Import torch's writer for TensorBoard.

    Raises
    ------
    MissingDependencyError
        When tensorboard is not installed.
    """
    module: ModuleType = require(
        "torch.utils.tensorboard",
        "writing for TensorBoard",
        install("tensorboard"),
        package="tensorboard",
    )
    return module
