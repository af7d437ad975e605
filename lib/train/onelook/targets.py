"""What the cells of a canvas should say: which of them answer for which face."""

import numpy as np

from ... import cells

__all__ = ["IGNORED", "targets"]

IGNORED = -1  # label of a face of which nothing is known: its cells are neither right nor wrong
RANGES = {8: (0.0, 56.0), 16: (40.0, 128.0), 32: (96.0, np.inf)}  # pixels, √area, of the faces of each stride
RADIUS = 1.5  # strides about a face's middle in which cells answer for it
CLOSEST = 0.05  # strides; a tiny face may leave its nearest cell outside


def targets(xyxy: np.ndarray, labels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Targets (cells, 6) of a canvas: distances in strides (4), class or −1 for no face, weight 0 where ignored.

    Boxes (n, 4) in pixels of the canvas, labels (n,) with `IGNORED`, places as `cells.points` gives them. A face is
    answered for on the strides whose range it is in, by the cells about its middle that are inside it and always by
    the nearest one; where faces compete, the smaller wins.
    """
    result = np.zeros((len(places), 6), np.float32)
    result[:, :4], result[:, 4], result[:, 5] = 1.0, -1.0, 1.0
    wh = xyxy[:, 2:] - xyxy[:, :2]
    for i in np.flatnonzero(labels == IGNORED):
        box = np.concatenate([xyxy[i, :2] - 0.1 * wh[i], xyxy[i, 2:] + 0.1 * wh[i]])
        result[_inside(box, places), 5] = 0.0
    able = np.flatnonzero(labels != IGNORED)
    for i in able[np.argsort(-wh[able].prod(axis=1), kind="stable")]:  # the smallest comes last and wins
        chosen = _answering(xyxy[i], places)
        away = cells.distances(np.repeat(xyxy[i : i + 1], len(chosen), axis=0), places[chosen])
        result[chosen, :4] = np.maximum(away, CLOSEST)
        result[chosen, 4], result[chosen, 5] = labels[i], 1.0
    return result


def _inside(box: np.ndarray, places: np.ndarray) -> np.ndarray:
    x, y = places[:, 0], places[:, 1]
    return (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])


def _answering(box: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Indices of the cells that answer for a face."""
    middle, side = (box[:2] + box[2:]) / 2, float(np.sqrt(np.prod(box[2:] - box[:2])))
    away = np.abs(places[:, :2] - middle).max(axis=1)
    chosen = np.zeros(len(places), bool)
    for stride, (low, high) in RANGES.items():
        if low <= side < high:
            level = places[:, 2] == stride
            chosen |= level & (away < RADIUS * stride) & _inside(box, places)
            chosen[np.flatnonzero(level)[away[level].argmin()]] = True
    return np.flatnonzero(chosen)
