"""Where a training stands on disk, so that one that was killed goes on to the same result."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import images, model

if TYPE_CHECKING:
    import keras

__all__ = ["State"]

log = logging.getLogger(__name__)


@dataclass
class State:
    """Where a run stands on disk: the last epoch's model with its optimiser, the best weights, the log."""

    folder: Path
    identity: str
    rows: list[dict[str, Any]]
    best: float = np.inf
    best_epoch: int = -1
    stopped: bool = False

    @classmethod
    def open(cls, folder: Path, identity: str, *, resume: bool) -> "State":
        fresh = cls(folder, identity, [])
        path = folder / "state.json"
        if resume and path.is_file():
            kept = json.loads(path.read_text())
            if kept["identity"] == identity:
                log.info("%s: going on after epoch %d", folder.name[1:], len(kept["rows"]))
                return cls(folder, identity, kept["rows"], kept["best"], kept["best_epoch"], kept["stopped"])
            log.info("%s: plan or data changed, starting anew", folder.name[1:])
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return fresh

    def last(self, epoch: int) -> Path:
        return self.folder / f"last-{epoch % 2}.keras"

    @property
    def weights(self) -> Path:
        return self.folder / "best.weights.h5"

    def save(self, network: "keras.Model", row: dict[str, Any], *, stage: str, by: str = "val_loss") -> None:
        """Keep an epoch: files first, then the state that names them, so that a kill between loses one epoch.

        by: the column whose least value is best.
        """
        with model.quiet():
            network.save(self.last(len(self.rows)))
            if stage == "all" and self.best_epoch >= 0 and self.rows[self.best_epoch]["stage"] == "head":
                self.best = np.inf  # the second stage competes with itself alone: its loss starts elsewhere
            if row[by] < self.best:
                self.best, self.best_epoch = row[by], len(self.rows)
                network.save_weights(self.weights)
        self.rows.append(row)
        kept = {k: getattr(self, k) for k in ("identity", "rows", "best", "best_epoch", "stopped")}
        images.write(self.folder / "state.json", json.dumps(kept))

    def done(self) -> None:
        """Remove what only a killed run needs."""
        for path in (self.last(0), self.last(1), self.weights, self.folder / "state.json"):
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()
