"""Box arithmetic and the one crop that training, evaluation and live use share.

A box is xyxy, float, in pixels of the upright photo, right and bottom edge exclusive. Nothing adds or takes one.
"""

import cv2
import numpy as np

__all__ = ["area", "clip", "crop", "iou", "match", "nms", "square", "widen"]


def area(xyxy: np.ndarray) -> np.ndarray:
    """Areas (n,) of boxes (n, 4); an inside-out box has none."""
    return np.prod((xyxy[:, 2:] - xyxy[:, :2]).clip(0), axis=1)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (n, m) of boxes (n, 4) and (m, 4), 0–1."""
    a, b = np.asarray(a, float).reshape(-1, 4), np.asarray(b, float).reshape(-1, 4)
    both = (np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])).clip(0).prod(2)
    return both / np.maximum(area(a)[:, None] + area(b)[None] - both, 1e-9)


def clip(xyxy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes (n, 4) cut off at the edges of an image of size (w, h)."""
    return np.clip(xyxy, 0, np.array([*size, *size], float))


def widen(xyxy: np.ndarray, margin: float, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """Enlarge boxes (n, 4) on every side by a share of their own width and height; margin 0.15 adds 15 % a side.

    With size (w, h) the result is clipped to that image.
    """
    xyxy = np.asarray(xyxy, float)
    grow = (xyxy[:, 2:] - xyxy[:, :2]) * margin
    wide = np.concatenate([xyxy[:, :2] - grow, xyxy[:, 2:] + grow], axis=1)
    return wide if size is None else clip(wide, size)


def square(xyxy: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) made square about their centres by their longer sides; they may reach past the image."""
    xyxy = np.asarray(xyxy, float)
    centre = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    half = (xyxy[:, 2:] - xyxy[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def crop(rgb: np.ndarray, box: np.ndarray, *, margin: float, size: int) -> np.ndarray:
    """Cut one face as every network here sees it: rgb (size, size, 3), uint8.

    The box (4,) is widened by margin a side, made square by its longer side, cut with the border replicated where it
    reaches past the photo, and resized (by area when it shrinks, bilinear when it grows). Raises ValueError for a box
    without area.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    if not (x2 > x1 and y2 > y1):
        raise ValueError(f"box: must have an area, got {(x1, y1, x2, y2)}")
    side = max(1, round(max(x2 - x1, y2 - y1) * (1 + 2 * margin)))
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    h, w = rgb.shape[:2]
    rows = slice(min(max(top, 0), h - 1), max(min(top + side, h), 1))
    columns = slice(min(max(left, 0), w - 1), max(min(left + side, w), 1))
    inside = rgb[rows, columns]
    before = max(-top, 0), max(-left, 0)
    after = max(side - before[0] - inside.shape[0], 0), max(side - before[1] - inside.shape[1], 0)
    if any(before + after):
        inside = cv2.copyMakeBorder(inside, before[0], after[0], before[1], after[1], cv2.BORDER_REPLICATE)
        inside = inside[:side, :side]
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(inside, (size, size), interpolation=how)


def nms(xyxy: np.ndarray, scores: np.ndarray, *, iou_threshold: float = 0.5) -> np.ndarray:
    """Indices of the boxes that stay after greedy non-maximum suppression, by falling score."""
    beside, free = iou(xyxy, xyxy) <= iou_threshold, np.ones(len(scores), bool)
    kept: list[int] = []
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        if free[i]:
            kept.append(int(i))
            free &= beside[i]
    return np.array(kept, int)


def match(found: np.ndarray, truth: np.ndarray, scores: np.ndarray, *, min_iou: float = 0.5) -> np.ndarray:
    """For each found box (n, 4) the index of its true box (m, 4), or −1; a true box goes to one, best score first."""
    overlap, free = iou(found, truth), np.ones(len(truth), bool)
    result = np.full(len(found), -1)
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        open_overlap = np.where(free, overlap[i], 0.0)
        if open_overlap.max(initial=0) >= min_iou:
            result[i] = int(open_overlap.argmax())
            free[result[i]] = False
    return result
