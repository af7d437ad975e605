"""Boxes by one rule, and the crops that every network sees."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import batch, boxes, images
from .table import BOX

__all__ = ["crops", "locate"]

FRAMINGS = ("labelled", "found", "whole")  # how a row came by its box
Progress = Callable[[Iterable[Any]], Iterable[Any]]
_log = logging.getLogger(__name__)


def locate(
    table: pd.DataFrame,
    find: Callable[[np.ndarray], Any] | None,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Give every crop of a class folder the box of the face in it, so that all sources are framed by one rule.

    The column framing tells: 'labelled' (somebody's box), 'found' (the largest, most central face that `find` sees, if
    need be with a border laid around the crop) or 'whole' (none was found, or find is None). Rows that say 'whole', or
    say nothing and have a box as large as the image, are looked at. Rows whose image cannot be read are left out and
    named in `.attrs["skipped"]`.
    """
    table = table.reset_index(drop=True)
    told = table["framing"].fillna("") if "framing" in table else [""] * len(table)
    alone = ~table["image"].duplicated(keep=False)
    said = [f if f in FRAMINGS else "alone" if a else "labelled" for f, a in zip(told, alone, strict=True)]
    xyxy = table[BOX].to_numpy(float)
    jobs = [(str(i), tuple(b), f) for i, b, f in zip(table["image"], xyxy, said, strict=True)]
    rows, skipped = batch.run(_Locate(find), jobs, executor=executor, progress=progress)
    names = {row["item"]: row["reason"] for row in skipped}
    kept = table[[str(job) not in names for job in jobs]].reset_index(drop=True)
    kept[BOX] = np.array([row[0] for row in rows], float).reshape(-1, 4)
    kept["framing"] = [row[1] for row in rows]
    if skipped:
        _log.warning("locate: %d images could not be read and are left out", len(skipped))
    kept.attrs["skipped"] = [{"item": job[0], "reason": names[str(job)]} for job in jobs if str(job) in names]
    return kept


@dataclass(frozen=True)
class _Locate:
    find: Callable[[np.ndarray], Any] | None

    def __call__(self, job: tuple[str, tuple[float, ...], str]) -> tuple[tuple[float, ...], str]:
        path, box, told = job
        try:
            w, h = images.size(path)
        except FileNotFoundError as trouble:
            raise batch.Skip("file is not there") from trouble
        fills = box[0] <= 0 and box[1] <= 0 and box[2] >= w and box[3] >= h
        if told in ("labelled", "found") or (told == "alone" and not fills):
            return box, "found" if told == "found" else "labelled"
        face = None if self.find is None else _face_in(images.read(path), self.find)
        return ((0.0, 0.0, float(w), float(h)), "whole") if face is None else (tuple(face), "found")


def _face_in(rgb: np.ndarray, find: Callable[[np.ndarray], Any]) -> np.ndarray | None:
    """The face that a crop is about: large and central; tight crops are tried again with a border around them."""
    h, w = rgb.shape[:2]
    for border in (0.0, 0.3):
        y, x = round(h * border), round(w * border)
        padded = np.pad(rgb, ((y, y), (x, x), (0, 0)), mode="edge") if border else rgb
        found = np.asarray(find(padded).xyxy, float).reshape(-1, 4) - np.array([x, y, x, y], float)
        inside = boxes.clip(found, (w, h))
        area = boxes.area(inside)
        found, area = found[area > 0.004 * w * h], area[area > 0.004 * w * h]
        if len(found):
            centre = (found[:, :2] + found[:, 2:]) / 2 / (w, h) - 0.5
            return found[np.argmax(area * (1.2 - np.hypot(*centre.T)))]
    return None


def crops(
    table: pd.DataFrame,
    *,
    margin: float,
    size: int,
    cache: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Every face of the table as the network sees it: uint8 (n, size, size, 3), in the table's order.

    Each image is read once, at reduced size where that suffices. cache: a folder that keeps the array under a name
    made of the images' contents, the boxes, margin and size, so that a changed photo or box is cut anew. Raises
    ValueError that names the first image that cannot be read; `locate` leaves such images out.
    """
    xyxy = table[BOX].to_numpy(float)
    positions = table.reset_index(drop=True).groupby("image", sort=False).indices
    if not len(table):
        return np.zeros((0, size, size, 3), np.uint8)
    path = None if cache is None else Path(cache) / f"crops-{_content(positions, xyxy, (margin, size))}.npy"
    if path is not None and path.is_file():
        return np.load(path)
    jobs = [(str(image), xyxy[rows]) for image, rows in positions.items()]
    cut, skipped = batch.run(_Cut(margin, size), jobs, executor=executor, progress=progress)
    if skipped:
        raise ValueError(
            f"crops: {len(skipped)} images cannot be read, first {skipped[0]['item']}: {skipped[0]['reason']}"
        )
    result = np.empty((len(table), size, size, 3), np.uint8)
    for rows, faces in zip(positions.values(), cut, strict=True):
        result[rows] = faces
    if path is not None:
        _save(path, result)
    return result


@dataclass(frozen=True)
class _Cut:
    margin: float
    size: int

    def __call__(self, job: tuple[str, np.ndarray]) -> np.ndarray:
        path, xyxy = job
        w, h = images.size(path)
        # A large photo is decoded at reduced size, but never below twice what its smallest crop needs.
        smallest = (xyxy[:, 2:] - xyxy[:, :2]).max(1).min() * (1 + 2 * self.margin)
        side = int(np.ceil(max(w, h) * 2 * self.size / max(smallest, 1)))
        rgb = images.read(path, max_side=side if side < max(w, h) / 2 else None)
        scale = np.tile([rgb.shape[1] / w, rgb.shape[0] / h], 2)
        return np.stack([boxes.crop(rgb, box * scale, margin=self.margin, size=self.size) for box in xyxy])


def _content(positions: Mapping[Any, np.ndarray], xyxy: np.ndarray, how: tuple[float, int]) -> str:
    digest = hashlib.sha256(repr((float(how[0]), int(how[1]))).encode() + np.ascontiguousarray(xyxy).tobytes())
    for image, rows in positions.items():
        digest.update(images.sha256(image).encode() + np.asarray(rows, np.int64).tobytes())
    return digest.hexdigest()[:20]


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    np.save(part, array)
    part.replace(path)
