"""What TensorBoard is to show of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nervure.training.tensorboard import TensorBoard, require_tensorboard

Hear = Callable[[str, Mapping[str, Any]], None]


class Boards(ExitStack):
    """What TensorBoard is to show of a run: of each network, a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder / "tensorboard"
        self._of: dict[str, TensorBoard] = {}
        # Before anything is trained: that the package is missing is said at once.
        require_tensorboard()

    def __call__(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Write the metrics of an epoch of a network."""
        if network not in self._of:
            folder = self._folder / network.replace(" ", "-")
            self._of[network] = self.enter_context(TensorBoard(folder))
        self._of[network](metrics)


def heard_by(hear: Hear, boards: Boards | None) -> Hear:
    """Let epochs be heard, and shown by TensorBoard where that is asked for."""
    if boards is None:
        return hear

    def both(network: str, metrics: Mapping[str, Any]) -> None:
        boards(network, metrics)
        hear(network, metrics)

    return both
