"""How a one-look network sees a photo and what its cells say: letterbox, cells, boxes as distances, and back.

The input is a canvas of shape (h, w), multiples of 32. On each of `STRIDES` a cell is one place of the canvas; all
cells stand in one list, finest first, row by row. A cell says of the face in which it lies: how sure there is one (a
logit), the logarithms of the distances to its left, top, right and bottom edge in strides, and a logit a class.
"""

import cv2
import numpy as np

__all__ = ["GREY", "STRIDES", "decode", "distances", "letterbox", "points", "read", "suppress", "uncut", "windows"]

STRIDES = (8, 16, 32)
GREY = 114  # what is not photo
ENLARGE = 2.0  # a small photo grows no further: it holds no more than it holds
REACH = 6.0  # limit of the logarithms: exp(6) strides are more than any canvas


def letterbox(rgb: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Put a photo into the upper left of a grey canvas of shape (h, w): (canvas, what to multiply its boxes by).

    The aspect ratio stays but for rounding to pixels, which the factors (x, y, x, y) from canvas to photo know. A small
    photo is enlarged in OpenCV's exact way, which gives the same pixels on every machine and in the app's cells.js.
    """
    h, w = rgb.shape[:2]
    scale = min(shape[0] / h, shape[1] / w, ENLARGE)
    wh = min(shape[1], max(1, round(w * scale))), min(shape[0], max(1, round(h * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR_EXACT
    canvas = np.full((*shape, 3), GREY, np.uint8)
    canvas[: wh[1], : wh[0]] = rgb if wh == (w, h) else cv2.resize(rgb, wh, interpolation=how)
    return canvas, np.array([w / wh[0], h / wh[1]] * 2)


def windows(size: tuple[int, int], shape: tuple[int, int], *, most: int, overlap: float = 0.25) -> np.ndarray:
    """What to look at of a photo of size (w, h): (n, 4) in its pixels, first all of it, then overlapping tiles.

    At most `most` tiles a side, of one size, and no more than bring the photo to a canvas of `shape` (h, w) at full
    size; where one is enough, all of it stands alone. overlap: the share of a tile that the next one shows too.
    """
    starts, sides = [], []
    for length, room in zip(size, shape[::-1], strict=True):
        count = max(1, min(most, int(np.ceil(length / room))))
        side = int(np.ceil(length / (count - (count - 1) * overlap)))
        starts.append(np.linspace(0, length - side, count).round().astype(int))
        sides.append(side)
    tiles = [(x, y, x + sides[0], y + sides[1]) for y in starts[1] for x in starts[0]]
    return np.array([(0, 0, *size), *(tiles if len(tiles) > 1 else [])], int)


def uncut(xyxy: np.ndarray, window: np.ndarray, size: tuple[int, int], *, margin: float = 2.0) -> np.ndarray:
    """Which boxes (n, 4) keep `margin` pixels from the edges that a window cuts out of a photo of size (w, h): (n,)."""
    ends = np.array([0, 0, *size])
    gap = (xyxy - window) * (1, 1, -1, -1)
    return ((gap > margin) | (window == ends)).all(axis=1)


def points(shape: tuple[int, int]) -> np.ndarray:
    """All cells of a canvas (h, w): (n, 3) of x, y of the middle in pixels, and stride. Raises ValueError."""
    if any(side < STRIDES[-1] or side % STRIDES[-1] for side in shape):
        raise ValueError(f"shape: must be multiples of {STRIDES[-1]}, got {tuple(shape)}")
    parts = []
    for stride in STRIDES:
        y, x = np.mgrid[0 : shape[0] : stride, 0 : shape[1] : stride].reshape(2, -1) + stride / 2
        parts.append(np.column_stack([x, y, np.full(len(x), stride)]))
    return np.concatenate(parts).astype(np.float32)


def distances(xyxy: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """From cells (n, 3) to the edges of their boxes (n, 4), in strides: left, top, right, bottom; inside, all > 0."""
    near, far = cells[:, :2] - xyxy[:, :2], xyxy[:, 2:] - cells[:, :2]
    return np.concatenate([near, far], axis=1) / cells[:, 2:]


def decode(logs: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) in pixels of the canvas from logarithms of distances (n, 4) at cells (n, 3)."""
    reach = np.exp(np.clip(logs, -REACH, REACH)) * cells[:, 2:]
    return np.concatenate([cells[:, :2] - reach[:, :2], cells[:, :2] + reach[:, 2:]], axis=1)


def suppress(xyxy: np.ndarray, scores: np.ndarray, *, min_score: float, overlap: float, most: int = 300) -> np.ndarray:
    """Indices of the boxes that stay, best first: scores ≥ min_score, no two with an IoU above overlap.

    Only the `most` best are looked at.
    """
    able = np.flatnonzero(scores >= min_score)
    able = able[np.argsort(-scores[able], kind="stable")][:most]
    if not len(able):
        return able
    xywh = np.concatenate([xyxy[able, :2], xyxy[able, 2:] - xyxy[able, :2]], axis=1)
    falling = range(len(able), 0, -1)  # their order alone, which is settled
    return able[np.array(cv2.dnn.NMSBoxes(xywh.tolist(), [float(i) for i in falling], 0.0, overlap), np.int64)]


def read(
    outputs: tuple[np.ndarray, np.ndarray, np.ndarray], cells: np.ndarray, *, min_score: float, overlap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The faces of one canvas, surest first: boxes (n, 4) in its pixels, scores (n,) 0–1, class probabilities (n, k).

    outputs: what the cells say of face (cells, 1), box (cells, 4), classes (cells, k), as logits and logarithms.
    """
    face, logs, logits = outputs
    floor = min(max(min_score, 1e-6), 1 - 1e-6)
    able = np.flatnonzero(face[:, 0] >= np.log(floor / (1 - floor)))  # the rest is not worth a box
    scores = 1 / (1 + np.exp(-face[able, 0]))
    xyxy = decode(logs[able], cells[able])
    kept = suppress(xyxy, scores, min_score=min_score, overlap=overlap)
    logits = logits[able[kept]]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return xyxy[kept], scores[kept], powers / powers.sum(axis=1, keepdims=True)
