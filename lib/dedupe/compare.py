"""Thumbnails laid over one another, many pairs at once: how alike they are less shift, crop, scale and light."""

import cv2
import numpy as np

from .prints import THUMB

__all__ = ["apart"]

SURE = 0.06  # distance of edges below which no alignment is tried
ALIKE = 0.45  # agreement of coarse edges below which none is either
_CLEAR = 0.9  # agreement of coarse edges above which no other scale is tried
_CELLS, _CROPS = 16, (2, 4)  # cells a side of the coarse edges; pixels of a thumbnail that a crop takes a side
_STEPS = ((THUMB // 2, 5), (THUMB, 2))  # sides at which thumbnails are aligned, and steps at each
_LIMITS = np.array([[0.7, -0.3], [1.4, 0.3]], np.float32)  # of a map's scale and shift


def apart(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far apart thumbnails a and b (k, s, s) are: (distance (k,), share (k,)).

    distance: 1 − the correlation of their edges (Sobel) where they overlap, 0–2; 2 where nothing agrees. Edges, not
    shades: two takes of one scene agree in shades nearly as well as copies do (correlation of shades 0.94, of edges
    0.79, where copies reach 0.92 and more). share: of the larger picture's side, what both show.
    """
    distance, share = _edges_apart(a, b), np.ones(len(a))
    open_ = np.flatnonzero(distance >= SURE)
    alike, start = _coarse(a[open_], b[open_])
    distance[open_[alike < ALIKE]] = 2
    open_, start = open_[alike >= ALIKE], start[:, alike >= ALIKE]
    if len(open_):
        found = _aligned(a[open_], b[open_], start)
        closer = _edges_apart(a[open_], b[open_], found)
        better = closer < distance[open_]
        grown = np.sqrt(np.prod(found[..., 0], axis=0))[better]
        distance[open_[better]], share[open_[better]] = closer[better], np.minimum(grown, 1 / grown)
    return distance, share


def _aligned(a: np.ndarray, b: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Maps of a's rows and columns to b's, (2, k, 2), that bring the shades closest (Lucas and Kanade 1981).

    Row or column p of a, −0.5 to 0.5 from edge to edge, is at scale · p + shift of b; a map is (scale, shift). A crop
    or a resize hardly turns or shears, so rows and columns are mapped apart from each other, which is fast. Least
    squares on the slopes of b, shades taken relative to their mean and spread, at half the size first.
    """
    maps = start.astype(np.float32)
    for side, steps in _STEPS:
        one, two = (_shrunk(x, side) for x in (a, b))
        at = _places(side)
        for _ in range(steps):
            laid, inside = _laid(two, maps)
            target, laid = (_even(x, inside) for x in (one, laid))
            slopes = [np.gradient(laid, axis=axis) * side / maps[axis - 1, :, :1, None] for axis in (1, 2)]
            along = at[:, None], at[None, :]
            grown = np.stack([s * m for s, p in zip(slopes, along, strict=True) for m in (p, np.float32(1))], axis=1)
            grown = (grown * inside[:, None]).reshape(len(a), 4, -1)
            missing = ((target - laid) * inside).reshape(len(a), -1, 1)
            normal = grown @ grown.swapaxes(1, 2) + 1e-3 * side**2 * np.eye(4, dtype=np.float32)
            step = np.linalg.solve(normal, grown @ missing)[..., 0]
            maps += step.reshape(-1, 2, 2).swapaxes(0, 1)
            maps = np.clip(maps, *_LIMITS)
    return maps


def _unmoved(k: int) -> np.ndarray:
    return np.tile(np.array([1, 0], np.float32), (2, k, 1))


def _places(side: int) -> np.ndarray:
    return ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32)


def _shrunk(thumbs: np.ndarray, side: int) -> np.ndarray:
    step = THUMB // side
    return thumbs.reshape(len(thumbs), side, step, side, step).mean(axis=(2, 4), dtype=np.float32)


def _laid(b: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """b (k, s, s) as seen through maps, and 1 where it shows and 0 outside of it."""
    side = b.shape[1]
    at = (maps[..., :1] * _places(side) + maps[..., 1:] + 0.5) * side - 0.5  # (2, k, s), in pixels of b
    shown = (at > -0.1) & (at < side - 0.9)
    weight = np.maximum(0, 1 - np.abs(np.clip(at, 0, side - 1)[..., None] - np.arange(side, dtype=np.float32)))
    inside = shown[0][:, :, None] & shown[1][:, None, :]
    return weight[0] @ b @ weight[1].swapaxes(1, 2), inside.astype(np.float32)


def _even(x: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Pictures (k, s, s) relative to their mean and spread inside."""
    n = np.maximum(inside.sum(axis=(1, 2), keepdims=True), 1)
    x = x - (x * inside).sum(axis=(1, 2), keepdims=True) / n
    return x / np.maximum(np.sqrt((x * x * inside).sum(axis=(1, 2), keepdims=True) / n), 1e-3)


def _edges_apart(a: np.ndarray, b: np.ndarray, maps: np.ndarray | None = None) -> np.ndarray:
    """1 − the correlation of the edges of a and of b seen through maps, where both show; 2 if that is too little."""
    laid, inside = (b, np.ones(b.shape, np.float32)) if maps is None else _laid(b.astype(np.float32), maps)
    inside[:, [0, -1]] = inside[:, :, [0, -1]] = 0
    inside[:, 1:-1, 1:-1] *= inside[:, :-2, :-2] * inside[:, 2:, 2:]  # a rectangle: its corners tell
    one, two = (_edges(x) * inside[:, None] for x in (a, laid))
    n = 2 * np.maximum(inside.sum(axis=(1, 2)), 1)
    (s1, s2), (s11, s22, s12) = (
        [np.einsum("kdyx->k", x) for x in (one, two)],
        [np.einsum("kdyx,kdyx->k", *xy) for xy in ((one, one), (two, two), (one, two))],
    )
    spread = np.sqrt(np.maximum((s11 - s1 * s1 / n) * (s22 - s2 * s2 / n), 0))
    correlation = (s12 - s1 * s2 / n) / np.maximum(spread, 1e-6)
    return np.where(n < 1.1 * THUMB**2, 2.0, 1 - correlation)


def _edges(thumbs: np.ndarray) -> np.ndarray:
    """Edges down and across, (k, 2, s, s); all are laid into one tall picture, so that OpenCV is called once.

    The first and last row see the picture above and below.
    """
    side = thumbs.shape[2]
    tall = np.ascontiguousarray(thumbs).reshape(-1, side)
    return np.stack([cv2.Sobel(tall, cv2.CV_32F, *d).reshape(-1, side, side) for d in ((0, 1), (1, 0))], axis=1)


def _coarse(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well the coarse edges of thumbnails (k, s, s) agree at best, −1 to 1, and the maps (2, k, 2) of it.

    Tried are shifts of a cell in each direction at five scales, a cropped or b cropped: cheap and forgiving, it only
    says which pairs are worth an alignment, and where to start it.
    """
    best, maps = np.full(len(a), -1.0, np.float32), _unmoved(len(a))
    for cut, other in ((0, 0), *((c, 0) for c in _CROPS), *((0, c) for c in _CROPS)):
        open_ = np.flatnonzero(best < _CLEAR)
        if not len(open_):
            break
        found, shift = _shifted(_cells(a[open_], cut), _cells(b[open_], other))
        better = found > best[open_]
        at = open_[better]
        mine, theirs = 1 - 2 * cut / THUMB, 1 - 2 * other / THUMB
        best[at], maps[:, at, 0], maps[:, at, 1] = found[better], theirs / mine, shift[:, better] * theirs / _CELLS
    return best, maps


def _shifted(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best correlation of cells (k, 2, m, m) over shifts of one cell, and which shift (2, k), down and across."""
    k, m = len(a), a.shape[2]
    middle = np.ascontiguousarray(a[:, :, 1:-1, 1:-1]).reshape(k, -1)
    own, found = np.einsum("kp,kp->k", middle, middle), []
    shifts = np.array([(y, x) for y in range(3) for x in range(3)])
    for y, x in shifts:
        window = b[:, :, y : y + m - 2, x : x + m - 2].reshape(k, -1)
        product, other = np.einsum("kp,kp->k", middle, window), np.einsum("kp,kp->k", window, window)
        found.append(product / np.maximum(np.sqrt(own * other), 1e-6))
    best = np.argmax(found, axis=0)
    return np.max(found, axis=0), shifts[best].T - 1


def _cells(thumbs: np.ndarray, cut: int) -> np.ndarray:
    """Edges of thumbnails less cut pixels a side, averaged over cells: (k, 2, m, m)."""
    edges = _edges(thumbs[:, cut : THUMB - cut, cut : THUMB - cut])
    tall = edges.swapaxes(0, 1).reshape(2, -1, THUMB - 2 * cut)
    small = [cv2.resize(e, (_CELLS, len(thumbs) * _CELLS), interpolation=cv2.INTER_AREA) for e in tall]
    cells = np.stack([e.reshape(-1, _CELLS, _CELLS) for e in small], axis=1)
    cells[:, :, [0, -1]] = 0  # here the picture above or below shows
    return cells
