"""A neutral head in three dimensions, and how it lies in the photo: what every mask is fitted on.

Units: the eyes' centres are 0.926 apart (about 6.3 cm); x to the picture's right, y down, z towards the camera; the
middle of the eyes is the origin.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = ["NEUTRAL", "Fit", "fit", "spline", "surface", "weights"]

# The 68 points of a neutral head (SAMPLE.md of the project's notes: measured on renderings): jaw from the chin to the
# left ear, left brow, nose ridge, nose base from its middle, left eye, lips from their middle. The rest is mirrored.
_JAW = [(0, 1.83, 0.90), (0.27, 1.78, 0.86), (0.54, 1.63, 0.72), (0.76, 1.42, 0.52), (0.94, 1.16, 0.29)]
_JAW += [(1.06, 0.88, 0.09), (1.12, 0.57, -0.04), (1.16, 0.25, -0.13), (1.18, -0.06, -0.18)]
_BROW = [(0.14, -0.28, 1.35), (0.32, -0.34, 1.34), (0.51, -0.39, 1.26), (0.70, -0.36, 1.13), (0.86, -0.27, 0.95)]
_RIDGE = [(0, -0.02, 1.28), (0, 0.20, 1.34), (0, 0.41, 1.45), (0, 0.64, 1.55)]
_BASE = [(0, 0.78, 1.39), (0.10, 0.76, 1.43), (0.22, 0.72, 1.44)]
_EYE = [(0.28, 0.02, 1.12), (0.39, -0.08, 1.14), (0.53, -0.10, 1.11), (0.64, -0.04, 1.04), (0.53, 0.06, 1.08)]
_EYE += [(0.40, 0.07, 1.11)]
_UPPER = [(0, 1.01, 1.43), (0.10, 0.99, 1.41), (0.26, 1.03, 1.39), (0.39, 1.10, 1.30)]
_LOWER = [(0, 1.25, 1.33), (0.11, 1.25, 1.33), (0.27, 1.20, 1.31)]
_INNER = [(0, 1.10, 1.42), (0.12, 1.10, 1.41), (0.30, 1.10, 1.33)]
_INNER_LOW = [(0, 1.14, 1.40), (0.12, 1.14, 1.39)]

# The surface that a mask lies on: skin, smoothed where fabric spans a hollow. Half of it; mirrored like the above.
_SURFACE = [(0, -1.0, 1.25), (0.5, -0.95, 1.1), (0.95, -0.8, 0.45), (0, -0.35, 1.33), (0.5, -0.4, 1.2)]
_SURFACE += [(0.9, -0.3, 0.75), (1.14, -0.25, -0.05), (0, 0.05, 1.31), (0, 0.3, 1.41), (0, 0.62, 1.58), (0, 0.85, 1.54)]
_SURFACE += [(0, 1.1, 1.50), (0, 1.4, 1.32), (0, 1.65, 1.12), (0, 1.85, 0.92), (0, 2.05, 0.62), (0, 2.35, 0.40)]
_SURFACE += [(0.2, 0.15, 1.22), (0.24, 0.62, 1.43), (0.25, 1.1, 1.44), (0.27, 1.6, 1.08), (0.28, 1.8, 0.88)]
_SURFACE += [(0.45, 0.25, 1.13), (0.5, 0.6, 1.17), (0.5, 1.05, 1.18), (0.5, 1.45, 0.96), (0.54, 1.66, 0.72)]
_SURFACE += [(0.75, 0.2, 0.95), (0.78, 0.55, 0.88), (0.78, 1.0, 0.76), (0.76, 1.42, 0.53), (0.95, 0.3, 0.58)]
_SURFACE += [(0.96, 0.7, 0.46), (0.94, 1.16, 0.29), (1.08, 0.35, 0.2), (1.06, 0.88, 0.09), (1.16, 0.25, -0.13)]
_SURFACE += [(0.5, 2.0, 0.38), (0.5, 2.35, 0.25), (0.78, 1.7, 0.16), (0.85, 2.1, 0.0), (0.98, 1.4, -0.1)]
_SURFACE += [(1.10, 1.0, -0.25), (1.17, 0.6, -0.3)]


def _other(points: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    return [(-x, y, z) for x, y, z in points]


NEUTRAL = np.array(
    [
        *(*_other(_JAW[:0:-1]), *_JAW, *_other(_BROW[::-1]), *_BROW, *_RIDGE, *_other(_BASE[:0:-1]), *_BASE),
        *(*_other([_EYE[i] for i in (3, 2, 1, 0, 5, 4)]), *_EYE, *_other(_UPPER[:0:-1]), *_UPPER),
        *(*_LOWER[:0:-1], _LOWER[0], *_other(_LOWER[1:])),
        *(*_other(_INNER[:0:-1]), *_INNER, _INNER_LOW[1], _INNER_LOW[0], *_other(_INNER_LOW[1:])),
    ],
    float,
)
# What the camera is found by (lips move when people talk, jaws differ), and what then pulls the mask into place.
_STEADY = np.repeat([0.5, 0.6, 1.0, 1.0, 0.25], [17, 10, 9, 12, 20])
_PULL = np.repeat([1.0, 0.15, 1.0, 0.5, 0.1], [17, 10, 9, 12, 20])
_NEAR = np.sqrt([1.0, 1.0, 0.5])  # depth counts half when the nearest landmarks are looked for


@dataclass(frozen=True)
class Fit:
    """A head in a photo: rotation (3, 3), scale (pixels a unit), shift (2,), and how each landmark departs (68, 2)."""

    rotation: np.ndarray
    scale: float
    shift: np.ndarray
    departs: np.ndarray

    def project(self, points: np.ndarray, pull: np.ndarray | None = None) -> np.ndarray:
        """Points of the head (n, 3) → the photo's pixels (n, 2), following this face's own shape.

        pull: `weights(points)`, where the caller has it ready.
        """
        rigid = points @ self.rotation[:2].T * self.scale + self.shift
        return rigid + (weights(points) if pull is None else pull) @ self.departs

    def facing(self, normals: np.ndarray) -> np.ndarray:
        """Normals of the head (…, 3) as the camera sees them: z is how much they look at it."""
        return normals @ self.rotation.T


def weights(points: np.ndarray) -> np.ndarray:
    """How much each of the 68 landmarks moves points of the head (n, 3): (n, 68), rows add up to 1 near landmarks."""
    a, b = points * _NEAR, NEUTRAL * _NEAR
    distance = (a**2).sum(1)[:, None] + ((b**2).sum(1) + 0.02) - 2 * a @ b.T
    pull = _PULL / (distance * np.sqrt(distance))
    return pull / (pull.sum(1, keepdims=True) + 0.35)


def fit(points: np.ndarray) -> Fit:
    """Find how the neutral head lies in a photo from its 68 points (68, 2): scaled orthographic, and what departs."""
    share = _STEADY / _STEADY.sum()
    middle3, middle2 = share @ NEUTRAL, share @ points
    a, b = NEUTRAL - middle3, points - middle2
    # Least squares for two rows of an affine camera, with a little pull towards "frontal" for the depth column.
    gram = (a * share[:, None]).T @ a + np.diag([0, 0, 0.01])
    camera = np.linalg.solve(gram, (a * share[:, None]).T @ b).T
    u, s, vt = np.linalg.svd(camera, full_matrices=False)
    rows = u @ vt
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    turned = a @ rows.T
    scale = float((share[:, None] * turned * b).sum() / (share[:, None] * turned**2).sum())
    shift = middle2 - middle3 @ rows.T * scale
    departs = points - (NEUTRAL @ rows.T * scale + shift)
    return Fit(rotation, scale, shift, departs)


def spline(at: np.ndarray, values: np.ndarray, *, smooth: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """A thin-plate spline through values (n, k) at points (n, 2): a function of places (m, 2) → (m, k).

    smooth 0 goes through every value. Bookstein 1989.
    """
    n = len(at)
    size = max(float(np.ptp(at, axis=0).max()), 1e-9)
    at = at / size
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _plate(((at[:, None] - at[None]) ** 2).sum(2)) + smooth * np.eye(n)
    system[:n, n], system[:n, n + 1 :] = 1, at
    system[n:, :n] = system[:n, n:].T
    solved = np.linalg.solve(system, np.concatenate([values, np.zeros((3, values.shape[1]))]))

    def evaluate(where: np.ndarray) -> np.ndarray:
        where = where / size
        square = (where**2).sum(1)[:, None] + (at**2).sum(1)[None] - 2 * where @ at.T
        return _plate(square) @ solved[:n] + solved[n] + where @ solved[n + 1 :]

    return evaluate


def _plate(square: np.ndarray) -> np.ndarray:
    square = np.maximum(square, 1e-12)
    return square * np.log(square)


@cache
def _skin() -> Callable[[np.ndarray], np.ndarray]:
    half = np.array(_SURFACE, float)
    anchors = np.concatenate([half, half[half[:, 0] > 0] * (-1, 1, 1)])
    return spline(anchors[:, :2], anchors[:, 2:], smooth=2e-3)


def surface(xy: np.ndarray) -> np.ndarray:
    """Depth z (n,) of the surface that a mask lies on, at (n, 2) positions of the neutral head."""
    return _skin()(np.asarray(xy, float))[:, 0]
