"""Pieces of photos that show no face: what a network may learn to reject."""

import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import batch, boxes, classes, images
from .table import BOX

__all__ = ["backgrounds"]

SMALLEST, TRIES = 24, 60  # pixels of a piece's side; places that are tried for each


def backgrounds(
    table: pd.DataFrame,
    *,
    each: int = 1,
    find: Callable[[np.ndarray], Any] | None = None,
    away: float = 0.25,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> pd.DataFrame:
    """Up to `each` squares of every labelled photo that touch no face: rows of the table, labelled not_a_face.

    Even widened by a share `away` a side, a square touches no box of the table, and none that `find` (rgb → .xyxy) sees
    where it is given: without it, a photo whose labels leave faces out gives faces as background. Photos whose faces
    nobody boxed (framing 'found' or 'whole') are left out. Rows carry source, group and split of their photo, so that
    they never stand on another side; origin is 'auto'. Where a photo has no room there are fewer.
    """
    table = table.reset_index(drop=True)
    if "framing" in table:
        loose = table.loc[table["framing"].isin(["found", "whole"]), "image"]
        table = table[~table["image"].isin(loose)].reset_index(drop=True)
    places = table.groupby("image", sort=True).indices
    xyxy = table[BOX].to_numpy(float)
    jobs = [(str(image), xyxy[rows]) for image, rows in places.items()]
    cut, skipped = batch.run(_Look(each, find, away, seed), jobs, executor=executor, progress=progress)
    gone = {row["item"] for row in skipped}
    first = [rows[0] for job, rows in zip(jobs, places.values(), strict=True) if str(job) not in gone]
    result = table.iloc[np.repeat(first, [len(c) for c in cut]).astype(int)].reset_index(drop=True)
    result[BOX] = np.concatenate([np.zeros((0, 4)), *cut])
    blank: dict[str, Any] = {name: "" for name in ("parent", "person", "identity") if name in table}
    blank |= {name: np.nan for name in ("score",) if name in table}
    return result.assign(label=classes.NOT_A_FACE, origin="auto", framing="labelled", **blank)


@dataclass(frozen=True)
class _Look:
    each: int
    find: Callable[[np.ndarray], Any] | None
    away: float
    seed: int

    def __call__(self, job: tuple[str, np.ndarray]) -> np.ndarray:
        path, faces = job
        w, h = images.size(path)
        if self.find is not None:
            faces = np.concatenate([faces, np.asarray(self.find(images.read(path)).xyxy, float).reshape(-1, 4)])
        rng = np.random.default_rng([self.seed, zlib.crc32(Path(path).name.encode())])
        taken: list[np.ndarray] = []
        for _ in range(TRIES * self.each if min(w, h) >= 2 * SMALLEST else 0):
            side = np.exp(rng.uniform(np.log(SMALLEST), np.log(min(w, h) / 2)))
            x, y = rng.uniform(0, (w - side, h - side))
            square = np.array([[x, y, x + side, y + side]])
            wide = boxes.widen(square, self.away, size=(w, h))[0]
            if not _touches(wide, np.concatenate([faces, *taken])):
                taken.append(square)
            if len(taken) == self.each:
                break
        return np.concatenate([np.zeros((0, 4)), *taken])


def _touches(box: np.ndarray, others: np.ndarray) -> bool:
    apart = (others[:, 0] >= box[2]) | (others[:, 2] <= box[0]) | (others[:, 1] >= box[3]) | (others[:, 3] <= box[1])
    return bool((~apart).any())
