"""What the network is shown: canvases on which photos and crops lie side by side, at all sizes and in all light."""

import time
from typing import Any

import cv2
import numpy as np

from ... import cells
from ..crops import light
from .album import CROPS, MASKED, Album
from .plan import LookPlan
from .targets import IGNORED, targets

__all__ = ["LEAST", "canvas", "canvases", "worn_out"]

LEAST = 6.0  # pixels of a face's shorter side; what is smaller is neither taught nor called background
VISIBLE = 0.35  # share of a face that must be on its tile
GRIDS = {1: 0.35, 2: 0.35, 3: 0.18, 5: 0.12}  # tiles a side, and how often
PHOTOS = {"photos-labelled": 0.46, "photos-worn-incorrectly": 0.16, "photos-bare": 0.12, MASKED: 0.20, CROPS: 0.06}
SMALL = {"photos-labelled": 0.25, "photos-worn-incorrectly": 0.08, "photos-bare": 0.05, MASKED: 0.12, CROPS: 0.50}
TINIEST, ENLARGE = 9.0, 2.0  # pixels that a face may be shrunk to; how far a photo may be enlarged


def canvas(album: Album, size: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One canvas of training photos: rgb (size, size, 3), boxes (n, 4), labels (n,). The same rng, the same canvas.

    A photo as ground, and on it, in a grid of so many tiles a side as chance gives, smaller ones.
    """
    grid = int(rng.choice(list(GRIDS), p=list(GRIDS.values())))
    rgb = np.full((size, size, 3), cells.GREY, np.uint8)
    xyxy, labels, _ = _lay(rgb, album, _drawn(album, PHOTOS, rng), least=1.0, rng=rng)
    if grid == 1:
        return rgb, xyxy, labels
    edges = np.linspace(0, size, grid + 1)
    edges[1:-1] += rng.uniform(-0.25, 0.25, grid - 1) * size / grid
    edges = edges.round().astype(int)
    covered, told = np.zeros((size, size), bool), []
    for top, bottom in zip(edges[:-1], edges[1:], strict=True):
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            index = _drawn(album, PHOTOS if grid < 3 else SMALL, rng)
            part = np.s_[top:bottom, left:right]
            boxes, names, where = _lay(rgb[part], album, index, least=0.6, rng=rng)
            covered[part][where] = True
            told.append((boxes + np.array([left, top, left, top]), names))
    xyxy, labels = _uncovered(xyxy, labels, covered)
    return rgb, np.concatenate([xyxy, *(b for b, _ in told)]), np.concatenate([labels, *(n for _, n in told)])


def _uncovered(xyxy: np.ndarray, labels: np.ndarray, covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left of the faces on the ground: hidden ones are gone, half hidden ones are ignored."""
    ends = np.concatenate([np.floor(xyxy[:, :2]), np.ceil(xyxy[:, 2:])], axis=1).astype(int)
    hidden = np.array([covered[y1:y2, x1:x2].mean() for x1, y1, x2, y2 in ends])
    kept = hidden < 0.9
    return xyxy[kept], np.where(hidden > 0.25, IGNORED, labels)[kept]


def _drawn(album: Album, shares: dict[str, float], rng: np.random.Generator) -> int:
    """A photo for training: first its source, by shares of those that are there, then any of it."""
    there = [s for s in album.train if shares.get(s, 0) > 0] or list(album.train)
    weight = np.array([shares.get(s, 1.0) for s in there])
    rows = album.train[there[int(rng.choice(len(there), p=weight / weight.sum()))]]
    return int(rows[rng.integers(len(rows))])


def _lay(
    tile: np.ndarray, album: Album, index: int, *, least: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, tuple[slice, slice]]:
    """Lay a photo on a tile (h, w, 3), which is painted on, one of its faces in sight: boxes, labels, where it lies."""
    photo, boxes, labels = album.rgb(index), album.boxes[index], album.labels[index]
    (h, w), shape = photo.shape[:2], tile.shape[:2]
    told = np.flatnonzero(labels != IGNORED)
    focus = boxes[rng.choice(told)] if len(told) else np.array([0.0, 0.0, w, h])
    scale = _scale(focus, (h, w), shape, least=least, rng=rng)
    (x, left, cut_w, wide), (y, top, cut_h, high) = (
        _part(focus[i::2], (w, h)[i], shape[1 - i], scale=scale, rng=rng) for i in (0, 1)
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    inside = cv2.resize(photo[y : y + cut_h, x : x + cut_w], (wide, high), interpolation=how)
    boxes = (boxes - (x, y, x, y)) * np.array([wide / cut_w, high / cut_h] * 2)
    if rng.random() < 0.5:
        inside, boxes = np.ascontiguousarray(inside[:, ::-1]), boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (wide, 0) * 2
    where = np.s_[top : top + high, left : left + wide]
    tile[where] = worn_out(light(inside, rng), rng)
    return *_kept(boxes + (left, top, left, top), labels, shape), where


def _scale(
    focus: np.ndarray, photo: tuple[int, int], tile: tuple[int, ...], *, least: float, rng: np.random.Generator
) -> float:
    """How much larger the photo is shown: the face gets a size by chance, the photo at least a share of the tile."""
    side = max(float(np.sqrt(np.prod(focus[2:] - focus[:2]))), 1.0)
    fitting = min(tile[0] / photo[0], tile[1] / photo[1])
    if rng.random() < 0.3:
        return min(fitting, ENLARGE)  # the whole photo, as it is when the model is used
    wanted = np.exp(rng.uniform(np.log(TINIEST), np.log(max(0.9 * min(tile), TINIEST)))) / side
    return float(np.clip(wanted, min(least * fitting, ENLARGE), ENLARGE))


def _part(
    face: np.ndarray, length: int, room: int, *, scale: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """In one direction: where what is shown of the photo begins there and on the tile, and its length there and here.

    The whole photo if it has room on the tile; else a part with the face (from, to) in sight.
    """
    shown = max(1, round(length * scale))
    if shown <= room:
        return 0, int(rng.integers(0, room - shown + 1)), length, shown
    cut = min(length, max(1, round(room / scale)))
    spare = cut - (face[1] - face[0])
    before = rng.uniform(0, spare) if spare > 0 else spare / 2
    return int(np.clip(round(face[0] - before), 0, length - cut)), 0, cut, room


def _kept(boxes: np.ndarray, labels: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes cut off at the tile's edges; what is tiny or mostly cut off is ignored, what is gone is gone."""
    cut = np.clip(boxes, 0, np.array([shape[1], shape[0]] * 2))
    sides, whole = (cut[:, 2:] - cut[:, :2]).clip(0), (boxes[:, 2:] - boxes[:, :2]).clip(1e-6)
    seen = sides.prod(axis=1) / whole.prod(axis=1)
    there = (seen > 0.02) & (sides.min(axis=1, initial=np.inf) >= 1)
    clear = (seen >= VISIBLE) & (sides.min(axis=1, initial=np.inf) >= LEAST)
    return cut[there], np.where(clear, labels, IGNORED)[there]


def worn_out(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, lower resolution, grain, JPEG, each now and then: as lenses, sensors and websites do it. Any (h, w, 3)."""
    h, w = rgb.shape[:2]
    if rng.random() < 0.15:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.25 and min(h, w) >= 16:
        less = np.exp(rng.uniform(0, np.log(2.5)))
        tiny = cv2.resize(rgb, (max(1, round(w / less)), max(1, round(h / less))), interpolation=cv2.INTER_AREA)
        rgb = cv2.resize(tiny, (w, h), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.25:
        grain = rng.normal(0, rng.uniform(1, 10), (h, w, 1)).astype(np.float32)
        rgb = (rgb + grain).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))]
        rgb = np.asarray(cv2.imdecode(cv2.imencode(".jpg", rgb, quality)[1], cv2.IMREAD_UNCHANGED))
    return rgb


def canvases(album: Album, plan: LookPlan, *, epoch: int, workers: int = 2) -> Any:
    """One epoch of canvases with their targets, made in threads beside the training.

    A canvas depends on seed, epoch and its index alone, whatever the count of `workers`. The attribute `busy` counts
    the seconds that they worked, all together.
    """
    import keras

    places = cells.points((plan.size, plan.size))

    class Canvases(keras.utils.PyDataset):
        busy = 0.0

        def __len__(self) -> int:
            return max(1, plan.canvases // plan.batch)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            began = time.perf_counter()
            seeds = [[plan.seed, epoch, index * plan.batch + i] for i in range(plan.batch)]
            made = [canvas(album, plan.size, rng=np.random.default_rng(seed)) for seed in seeds]
            wanted = np.stack([targets(xyxy, labels, places) for _, xyxy, labels in made])
            self.busy += time.perf_counter() - began
            return np.stack([rgb for rgb, _, _ in made]), wanted

    return Canvases(workers=workers, use_multiprocessing=False, max_queue_size=8)
