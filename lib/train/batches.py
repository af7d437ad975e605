"""What a network is shown in an epoch: crops changed anew each time, in an order and way that seed and epoch decide."""

import time
from typing import Any

import numpy as np

from .crops import augment
from .plan import Plan

__all__ = ["batches", "shown"]


def shown(wide: np.ndarray, rows: np.ndarray, *, plan: Plan, epoch: int, size: int | None = None) -> np.ndarray:
    """Some rows of wide crops as an epoch shows them: uint8 (n, size, size, 3), by seed, epoch and row alone."""
    size = size or plan.size
    how: dict[str, Any] = {"size": size, "margin": plan.margin, "shrink": plan.shrink, "jitter": plan.jitter}
    crops = [augment(wide[r], rng=np.random.default_rng([plan.seed, epoch, int(r)]), **how) for r in rows]
    return np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)


def batches(wide: np.ndarray, answers: np.ndarray, weights: np.ndarray, *, plan: Plan, epoch: int) -> Any:
    """One epoch of augmented batches, made in a thread beside the training; depends on seed and epoch alone.

    Its attribute `busy` counts the seconds that this thread worked. With sizes in the plan, batches take turns in them:
    so the first two differ, from which Keras learns that the size is open.
    """
    import keras

    order = np.random.default_rng([plan.seed, epoch]).permutation(len(wide))
    count = max(1, len(wide) // plan.batch)
    sizes = list(dict.fromkeys(plan.sizes)) or [plan.size]

    class Batches(keras.utils.PyDataset):
        busy = 0.0

        def __len__(self) -> int:
            return count

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            began = time.perf_counter()
            rows = order[index * plan.batch : (index + 1) * plan.batch]
            crops = shown(wide, rows, plan=plan, epoch=epoch, size=sizes[(epoch + index) % len(sizes)])
            self.busy += time.perf_counter() - began
            return crops, answers[rows], weights[rows]

    return Batches(workers=1, use_multiprocessing=False, max_queue_size=12)
