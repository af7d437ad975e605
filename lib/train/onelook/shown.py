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
    train = album.splits == "train"
    there = [s for s in np.unique(album.sources[train]) if shares.get(s, 0) > 0] or list(
        np.unique(album.sources[train])
    )
    weight = np.array([shares.get(s, 1.0) for s in there])
    source = there[int(rng.choice(len(there), p=weight / weight.sum()))]
    return int(rng.choice(np.flatnonzero(train & (album.sources == source))))


def _lay(
    tile: np.ndarray, album: Album, index: int, *, least: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, tuple[slice, slice]]:
    """Lay a photo on a tile (h, w, 3), which is painted on, one of its faces in sight: boxes, labels, where it lies."""
    photo, boxes, labels = album.rgb(index), album.boxes[index], album.labels[index]
    (h, w), shape = photo.shape[:2], tile.shape[:2]
    if rng.random() < 0.5:
        photo, boxes = photo[:, ::-1], boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (w, 0, w, 0)
    told = np.flatnonzero(labels != IGNORED)
    focus = boxes[rng.choice(told)] if len(told) else np.array([0.0, 0.0, w, h])
    scale = _scale(focus, (h, w), shape, least=least, rng=rng)
    wh = max(1, round(w * scale)), max(1, round(h * scale))
    factor = np.array([wh[0] / w, wh[1] / h] * 2)
    small = cv2.resize(photo, wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    shift = np.array([_shift(focus[i::2] * factor[i], wh[i], shape[1 - i], rng) for i in (0, 1)])
    (left, top), (from_x, from_y) = np.maximum(shift, 0), np.maximum(-shift, 0)
    inside = small[from_y : from_y + shape[0] - top, from_x : from_x + shape[1] - left]
    where = np.s_[top : top + inside.shape[0], left : left + inside.shape[1]]
    tile[where] = worn_out(light(inside, rng), rng)
    return *_kept(boxes * factor + np.tile(shift, 2), labels, shape), where


def _scale(
    focus: np.ndarray, photo: tuple[int, int], tile: tuple[int, ...], *, least: float, rng: np.random.Generator
) -> float:
    """How much larger the photo is shown: the face gets a size by chance, the photo at least a share of the tile."""
    side = max(float(np.sqrt(np.prod(focus[2:] - focus[:2]))), 1.0)
    fitting = min(tile[0] / photo[0], tile[1] / photo[1])
    if rng.random() < 0.3:
        return min(fitting, ENLARGE)  # the whole photo, as it is when the model is used
    wanted = np.exp(rng.uniform(np.log(TINIEST), np.log(0.9 * min(tile)))) / side
    return float(np.clip(wanted, min(least * fitting, ENLARGE), ENLARGE))


def _shift(face: np.ndarray, length: int, room: int, rng: np.random.Generator) -> int:
    """Where the photo begins on the tile, in one direction, so that the face (from, to) is in sight."""
    if length <= room:
        return int(rng.integers(0, room - length + 1))
    side = face[1] - face[0]
    wanted = rng.uniform(0, max(room - side, 0)) - face[0] if side < room else (room - side) / 2 - face[0]
    return int(np.clip(round(wanted), room - length, 0))


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


def canvases(album: Album, plan: LookPlan, *, epoch: int) -> Any:
    """One epoch of canvases with their targets, made in a thread beside the training; by seed and epoch alone.

    Its attribute `busy` counts the seconds that this thread worked.
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

    return Canvases(workers=1, use_multiprocessing=False, max_queue_size=8)
